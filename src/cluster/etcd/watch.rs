//! Watching keys: a stream of whole revisions.

use std::{collections::VecDeque, sync::Arc};

use hyper::http::uri::PathAndQuery;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic_prost::ProstCodec;

use super::{
    EtcdError, Event, Header, KeyRange,
    auth::Held,
    call::Shared,
    connection::{Connection, End},
    failure::{Asked, Failure, Kind},
    gather::Gather,
    pool::Slot,
    proto::{
        WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchRequestUnion, WatchResponse,
    },
};

/// Requests that wait to be sent: the first one, and questions for progress behind it.
const REQUESTS_MAX: usize = 4;

/// What to watch. Public fields: what is left alone is not asked for.
#[derive(Debug, Clone)]
pub struct Watch {
    /// Which keys.
    pub keys: KeyRange,
    /// From this revision on, which may lie in the past; zero for from now on.
    pub from: u64,
    /// Whether etcd says by itself, every ten minutes unless it was told otherwise, how far the
    /// watch has come while nothing changes.
    pub progress: bool,
}

/// What comes out of a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// The watch is over: etcd ended it.
    Canceled {
        /// Revisions before this one are gone, and with them the place where the watch was to
        /// begin: list again. Zero if it is not about that.
        compact_revision: u64,
        /// What etcd said.
        reason: String,
    },
    /// Whole revisions, in their order, at least one.
    Changes(Vec<Event>),
    /// Nothing that is watched changed up to this revision but what has come.
    Progress(u64),
}

/// An open watch. When it is dropped etcd is told to forget it.
#[derive(Debug)]
pub struct WatchStream {
    shared: Arc<Shared>,
    watch: Watch,
    at: usize,
    /// The connection's number there.
    connection: u64,
    header: Header,
    id: i64,
    requests: mpsc::Sender<WatchRequest>,
    responses: Streaming<WatchResponse>,
    gather: Gather,
    /// Whether the member's answer to a question for progress can be believed.
    orders_progress: bool,
    /// Why the connection ended, once it has.
    end: End,
    /// What came with the first response.
    waiting: VecDeque<WatchResponse>,
}

// === impl Watch ===

impl Watch {
    /// Every change of these keys from `revision` on.
    pub fn of(keys: KeyRange, revision: u64) -> Self {
        Self { keys, from: revision, progress: true }
    }

    fn message(&self) -> WatchRequest {
        request(WatchRequestUnion::Create(WatchCreateRequest {
            key: self.keys.first().clone(),
            range_end: self.keys.end().clone(),
            start_revision: self.from,
            progress_notify: self.progress,
            fragment: true,
        }))
    }

    fn asked(&self) -> Asked {
        let what = format!("watch {}", self.keys);
        Asked { what, revision: self.from, ..Asked::default() }
    }
}

// === impl WatchStream ===

impl WatchStream {
    pub(super) async fn open(shared: Arc<Shared>, watch: Watch) -> Result<Self, EtcdError> {
        let shared = &shared;
        let mut tour = shared.tour(true);
        for slot in shared.pool.in_turn() {
            match Self::open_at(shared, slot, &watch).await {
                Ok(stream) => return Ok(stream),
                Err(failure) => tour.failed(slot, failure)?,
            }
        }
        Err(tour.in_vain())
    }

    /// Opens it at one endpoint; once more with a new token if the first was refused.
    async fn open_at(shared: &Arc<Shared>, slot: &Slot, watch: &Watch) -> Result<Self, Failure> {
        let deadline = Instant::now() + shared.deadline;
        let (connection, held) = shared.ready(slot, deadline).await?;
        let opening = async {
            match Self::open_with(shared, slot, &connection, &held, watch).await {
                // Of a token that they do not know some versions (3.5.1) say that it may not watch.
                Err(Failure {
                    kind: Kind::Token(_) | Kind::Final(EtcdError::Denied { .. }),
                    ..
                }) if shared.auth.has_user() => {
                    let held = shared.auth.renew(&held, &connection, &slot.shown).await?;
                    Self::open_with(shared, slot, &connection, &held, watch).await
                }
                other => other,
            }
        };
        match timeout_at(deadline, opening).await {
            Ok(opened) => opened,
            Err(_) => Err(shared.silent(slot, &connection)),
        }
    }

    async fn open_with(
        shared: &Arc<Shared>,
        slot: &Slot,
        connection: &Connection,
        held: &Held,
        watch: &Watch,
    ) -> Result<Self, Failure> {
        let refused = |status: &tonic::Status| {
            let failure = Failure::of(status, &slot.shown, &shared.auth.who(), &watch.asked());
            connection.end.explain(failure)
        };
        let (requests, receiver) = mpsc::channel(REQUESTS_MAX);
        let first = requests.try_send(watch.message());
        first.map_err(|_| Failure::unsent("no room for the first request"))?;
        let request = shared.dressed(ReceiverStream::new(receiver), held, true);
        let codec = ProstCodec::<WatchRequest, WatchResponse>::default();
        let path = PathAndQuery::from_static("/etcdserverpb.Watch/Watch");
        let opened = connection.grpc().streaming(request, path, codec).await;
        let mut responses = opened.map_err(|status| refused(&status))?.into_inner();
        let created = responses.message().await.map_err(|status| refused(&status))?;
        let Some(created) = created else {
            return Err(Failure::lost("the watch was closed before it began"));
        };
        let header = Header::from(created.header);
        let is_denied = created.canceled && created.compact_revision == 0;
        if is_denied {
            // gRPC's status stands in the text, because the stream itself goes on.
            let status = tonic::Status::permission_denied(created.cancel_reason);
            return Err(refused(&status));
        }
        let from = if watch.from == 0 { header.revision + 1 } else { watch.from };
        Ok(Self {
            shared: Arc::clone(shared),
            watch: watch.clone(),
            at: slot.index,
            connection: connection.number,
            header,
            id: created.watch_id,
            requests,
            responses,
            gather: Gather::new(from),
            orders_progress: connection.version.orders_progress(),
            end: connection.end.clone(),
            waiting: created.canceled.then_some(created).into_iter().collect(),
        })
    }

    /// What etcd said of itself when the watch began: a cluster or a revision that is not the
    /// expected one tells of a backup that was restored.
    pub fn header(&self) -> Header {
        self.header
    }

    /// The next whole revisions, or whatever else comes. It may be given up while waiting, and
    /// nothing is lost.
    ///
    /// # Errors
    /// When the stream has failed, which is its end: watch again from behind the last revision that
    /// came. With [`EtcdError::TooLarge`] when one revision is too large to be held: list again.
    pub async fn next(&mut self) -> Result<Watched, EtcdError> {
        loop {
            let response = match self.waiting.pop_front() {
                Some(response) => response,
                None => match self.responses.message().await {
                    Ok(Some(response)) => response,
                    Ok(None) => return Err(self.failed(Failure::lost("the watch was closed"))),
                    Err(status) => {
                        let failure = self.judge(&status);
                        return Err(self.failed(failure));
                    }
                },
            };
            if let Some(watched) = self.take(response)? {
                return Ok(watched);
            }
        }
    }

    /// Asks how far the watch has come; [`Watched::Progress`] is the answer. While questions wait
    /// to be sent no other one is added.
    pub fn request_progress(&self) {
        let asked = request(WatchRequestUnion::Progress(WatchProgressRequest {}));
        // No room: questions are waiting. Closed: `next` says so.
        let _ = self.requests.try_send(asked);
    }

    /// Leaves a member that does not answer: the next watch is opened elsewhere first, and by
    /// another connection in any case.
    pub async fn give_up(&self) {
        if let Some(slot) = self.shared.pool.slot(self.at) {
            slot.forget(self.connection);
            self.shared.pool.avoid(slot);
        }
    }

    fn take(&mut self, response: WatchResponse) -> Result<Option<Watched>, EtcdError> {
        if response.canceled {
            let (compact_revision, reason) = (response.compact_revision, response.cancel_reason);
            return Ok(Some(Watched::Canceled { compact_revision, reason }));
        }
        let revision = Header::from(response.header).revision;
        if response.events.is_empty() && !response.fragment {
            // By itself etcd speaks of progress in the watch's own row of events. An answer to a
            // question has no watch's number, and overtakes events where etcd is old.
            let is_ordered = response.watch_id == self.id || self.orders_progress;
            return Ok(Some(Watched::Progress(self.gather.progress(revision, is_ordered))));
        }
        match self.gather.take(response.events, response.fragment) {
            Ok(events) if events.is_empty() => Ok(None),
            Ok(events) => Ok(Some(Watched::Changes(events))),
            Err(_) => {
                let endpoint = self.shared.pool.slot(self.at).map(|slot| slot.shown.clone());
                let problem = format!("one revision of {} is too large", self.watch.keys);
                Err(EtcdError::TooLarge { endpoint: endpoint.unwrap_or_default(), problem })
            }
        }
    }

    fn judge(&self, status: &tonic::Status) -> Failure {
        let shown = self.shared.pool.slot(self.at).map_or("", |slot| slot.shown.as_str());
        let who = self.shared.auth.who();
        self.end.explain(Failure::of(status, shown, &who, &self.watch.asked()))
    }

    /// The stream's end as an error; the next one is opened elsewhere first.
    fn failed(&self, failure: Failure) -> EtcdError {
        let Some(slot) = self.shared.pool.slot(self.at) else {
            return failure.into_error("", "");
        };
        self.shared.pool.avoid(slot);
        failure.into_error(&slot.shown, &self.shared.auth.who())
    }
}

fn request(union: WatchRequestUnion) -> WatchRequest {
    WatchRequest { request: Some(union) }
}
