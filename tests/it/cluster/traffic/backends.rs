//! What is checked: it is well or ill, and turns.

use std::{collections::BTreeMap, time::Duration};

use parking_lot::Mutex;

use crate::{
    cluster::{
        ledger::Key,
        roster::{Kind, Roster},
        scene::{Ends, Scene},
    },
    support::{Backend, lab::Lab, peer::Peer},
};

/// One for each instance that is checked, all of them well at first.
pub(crate) struct Backends(BTreeMap<Key, Checked>);

enum Checked {
    /// Answers with another status when it is ill.
    Http(Backend),
    /// Is not there when it is ill. Its port is none that is given to connections.
    Tcp(u16, Mutex<Option<Peer>>),
}

/// Between two turns of anything, at the most.
const PAUSE: Duration = Duration::from_millis(1_500);

/// The lowest of the ports for those that come and go.
const FIRST_PORT: usize = 7_000;

// === impl Backends ===

impl Backends {
    pub(crate) fn start(scene: &Scene) -> Self {
        let roster: &Roster = &scene.roster;
        let http = roster.of(Kind::Http).into_iter().map(|key| {
            let backend = Backend::start(&Lab::TEST.to_string());
            (key, Checked::Http(backend))
        });
        let tcp = roster.of(Kind::Tcp).into_iter().map(|key| {
            let port = u16::try_from(FIRST_PORT + key).expect("the roster is short");
            (key, Checked::Tcp(port, Mutex::new(Some(listen(port)))))
        });
        let all: BTreeMap<Key, Checked> = http.chain(tcp).collect();
        all.keys().for_each(|key| scene.ledger().turn(*key, true, scene.now()));
        Self(all)
    }

    /// Where an instance is asked how it is; 0 for one that is not asked.
    pub(crate) fn port(&self, key: Key) -> u16 {
        match self.0.get(&key) {
            Some(Checked::Http(backend)) => backend.address.port(),
            Some(Checked::Tcp(port, _)) => *port,
            None => 0,
        }
    }

    /// Has one after the other turn, until the end of changes.
    pub(crate) fn run(&self, scene: &Scene, mut rng: fastrand::Rng) {
        let mut well: BTreeMap<Key, bool> = self.0.keys().map(|key| (*key, true)).collect();
        while scene.pass(PAUSE.mul_f32(rng.f32()), Ends::Changes) {
            let (key, is_well) = rng.choice(well.iter_mut()).expect("some are checked");
            *is_well = !*is_well;
            scene.ledger().turn(*key, *is_well, scene.now());
            self.turn(*key, *is_well);
        }
    }

    fn turn(&self, key: Key, is_well: bool) {
        match &self.0[&key] {
            Checked::Http(backend) => backend.set_status(if is_well { 200 } else { 500 }),
            Checked::Tcp(port, peer) => *peer.lock() = is_well.then(|| listen(*port)),
        }
    }
}

fn listen(port: u16) -> Peer {
    Peer::start_on(&format!("{}:{port}", Lab::TEST), |_, _| {})
}
