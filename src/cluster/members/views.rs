//! Who is alive: put together from the rows, the own lease and the silence, for all who ask.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::roll::Roll;
use crate::{
    cluster::common::{Common, Held, Refusing, Roster},
    registry::{Ownership, ServerId, View},
};

/// The view, and what it is made of; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Views {
    common: Common,
    roll: Arc<Mutex<Roll>>,
    roster: watch::Receiver<Roster>,
    strayed: watch::Receiver<bool>,
    refusing: watch::Receiver<Option<Refusing>>,
    ownership: Ownership,
    /// Rings when the own lease has changed something.
    nudge: watch::Sender<()>,
}

// === impl Views ===

impl Views {
    pub(super) fn new(common: Common, roll: Roll, ownership: Ownership) -> Self {
        let (roster, strayed) = (common.roster(), common.strayed());
        let refusing = common.watch_refusing();
        let (roll, nudge) = (Arc::new(Mutex::new(roll)), watch::Sender::new(()));
        Self { common, roll, roster, strayed, refusing, ownership, nudge }
    }

    /// Keeps the view up to date until it is told to stop.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut nudged = self.nudge.subscribe();
        loop {
            let next = self.look();
            let later = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = later => {}
                Ok(()) = self.roster.changed() => {}
                Ok(()) = self.strayed.changed() => {}
                Ok(()) = self.refusing.changed() => {}
                Ok(()) = nudged.changed() => {}
                else => return,
            }
        }
    }

    /// The own row was made.
    pub(super) fn joined(&self, held: Held) {
        self.common.fence.set(Some(held));
        self.renewed();
    }

    /// The own row is gone, or may not be relied on: from now on nothing is this server's task.
    pub(super) fn left(&self) {
        self.common.fence.set(None);
        self.look();
    }

    /// The own lease was renewed.
    pub(super) fn renewed(&self) {
        self.common.heard.touch();
        let at = self.roster.borrow().at;
        self.roll.lock().renewed(at, Instant::now());
        self.look();
        self.nudge.send_replace(());
    }

    /// Brings the view up to date; says when to look again.
    pub(super) fn look(&self) -> Option<Instant> {
        let (heard, now) = (self.common.heard.at(), Instant::now());
        // Held until the view is set: of two views the newer one is set last.
        let mut roll = self.roll.lock();
        let roster = self.roster.borrow().clone();
        let strayed = *self.strayed.borrow();
        // A store that is not believed says nothing about who is there.
        let is_in = strayed || self.common.fence.get().is_some();
        let mut view = roll.view(&roster, is_in, heard, now);
        // What nobody may write nobody hears of, so all find out for themselves.
        let since = self.refusing.borrow().as_ref().map(|refusing| refusing.since);
        let refused_at = since.map(|since| since + roll.lease());
        let is_refused = refused_at.is_some_and(|at| at <= now);
        view.hears_all = is_refused && !strayed && !view.is_cut_off;
        view.is_cut_off |= strayed || is_refused;
        self.tell(&view);
        self.common.metrics.servers(view.servers.len());
        self.ownership.set(view);
        let refused_at = refused_at.filter(|at| *at > now);
        [roll.next_look(heard, now), refused_at].into_iter().flatten().min()
    }

    /// One line of the log for each server that comes or goes.
    fn tell(&self, view: &View) {
        let Some(before) = self.ownership.view() else { return };
        let ids = |view: &View| -> Vec<ServerId> {
            view.servers.iter().map(|peer| peer.id.clone()).collect()
        };
        let (was, is) = (ids(&before), ids(view));
        for id in is.iter().filter(|id| !was.contains(id)) {
            info!(server = &**id, "a server is there");
        }
        for id in was.iter().filter(|id| !is.contains(id)) {
            info!(server = &**id, "a server is gone");
        }
        if view.is_cut_off && !before.is_cut_off {
            let why = match (*self.strayed.borrow(), self.common.fence.get()) {
                (true, _) => "this server does not believe etcd",
                _ if view.hears_all => "this server had etcd take no changes for a lease's time",
                (false, Some(_)) => "this server has not heard of etcd for a lease's time",
                (false, None) => "this server was not known to the others for a lease's time",
            };
            warn!("{why}: it checks everything itself now, for its own answers");
        }
        if !view.is_cut_off && before.is_cut_off {
            info!("this server checks what is its task among the others again");
        }
    }
}
