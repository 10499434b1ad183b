//! Keeping a lease alive: a stream that takes beats and answers with the time that is left.

use std::{sync::Arc, time::Duration};

use hyper::http::uri::PathAndQuery;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic_prost::ProstCodec;

use super::{
    EtcdError, Granted, LeaseId,
    auth::Held,
    call::Shared,
    connection::{Connection, End},
    failure::{Asked, Failure},
    lease::seconds,
    pool::Slot,
    proto::{LeaseKeepAliveRequest, LeaseKeepAliveResponse},
};

/// Keeps one lease alive, a beat at a time, on a stream that is opened at the first one, and again
/// at another endpoint when it fails.
#[derive(Debug)]
pub struct KeepAlive {
    shared: Arc<Shared>,
    lease: LeaseId,
    /// How long one member is waited for: less than a call is, where the lease is short. A beat
    /// each third of its life that meets a member which hangs, or two, finds the next in time.
    patience: Duration,
    stream: Option<Beats>,
}

/// An open stream.
#[derive(Debug)]
struct Beats {
    /// Which endpoint it is at, as its number in the pool.
    at: usize,
    /// The number of the connection it is on.
    connection: u64,
    sender: mpsc::Sender<LeaseKeepAliveRequest>,
    answers: Streaming<LeaseKeepAliveResponse>,
    /// Why the connection ended, once it has.
    end: End,
}

// === impl KeepAlive ===

impl KeepAlive {
    pub(super) fn new(shared: Arc<Shared>, Granted { lease, ttl }: Granted) -> Self {
        let patience = shared.deadline.min(ttl / 3);
        Self { shared, lease, patience, stream: None }
    }

    /// Renews the lease, and says how long it lasts from now on.
    ///
    /// # Errors
    /// With [`EtcdError::LeaseGone`] when it is gone; otherwise as it says, when no endpoint could
    /// be used: the next beat tries again.
    pub async fn beat(&mut self) -> Result<Duration, EtcdError> {
        let shared = Arc::clone(&self.shared);
        let mut tour = shared.tour(true);
        if let Some(mut stream) = self.stream.take()
            && let Some(slot) = shared.pool.slot(stream.at)
        {
            let deadline = Instant::now() + self.patience;
            match self.on_stream(slot, &mut stream, deadline).await {
                Ok(left) => {
                    self.stream = Some(stream);
                    return self.judge(left);
                }
                // A stream that was open may have ended with its member; that says nothing of the
                // others, and little of itself.
                Err(failure) => {
                    let (endpoint, cause) = (&slot.shown, failure.kind.local().unwrap_or_default());
                    tracing::debug!(endpoint, cause, "the stream that renews the lease has ended");
                    tour.failed(slot, failure)?;
                }
            }
        }
        let mut tour = shared.tour(true);
        for slot in shared.pool.in_turn() {
            match self.open(slot).await {
                Ok((stream, left)) => {
                    self.stream = Some(stream);
                    return self.judge(left);
                }
                Err(failure) => tour.failed(slot, failure)?,
            }
        }
        Err(tour.in_vain())
    }

    /// etcd answers for a lease that is gone, too.
    fn judge(&mut self, left: i64) -> Result<Duration, EtcdError> {
        if left <= 0 {
            self.stream = None;
            return Err(EtcdError::LeaseGone { lease: self.lease });
        }
        Ok(seconds(left))
    }

    async fn on_stream(
        &self,
        slot: &Slot,
        stream: &mut Beats,
        deadline: Instant,
    ) -> Result<i64, Failure> {
        let request = LeaseKeepAliveRequest { id: self.lease.get() };
        // No room: the last beat was not even taken from us.
        let sent = stream.sender.try_send(request);
        sent.map_err(|_| Failure::lost("the stream of beats takes nothing more"))?;
        match timeout_at(deadline, stream.answers.message()).await {
            Ok(Ok(Some(answer))) => Ok(answer.ttl),
            Ok(Ok(None)) => Err(Failure::lost("the stream of beats was closed")),
            Ok(Err(status)) => Err(stream.end.explain(self.failure(slot, &status))),
            Err(_) => {
                slot.forget(stream.connection);
                Err(self.silent())
            }
        }
    }

    /// Opens a stream with a first beat; once more with a new token if the first was refused.
    async fn open(&self, slot: &Slot) -> Result<(Beats, i64), Failure> {
        let deadline = Instant::now() + self.patience;
        let (connection, held) = self.shared.ready(slot, deadline).await?;
        let opening = async {
            match self.open_with(slot, &connection, &held).await {
                Err(refused) if self.shared.auth.may_do_better(&held, &refused) => {
                    let held = self.shared.auth.renew(&held, &connection, &slot.shown).await?;
                    self.open_with(slot, &connection, &held).await
                }
                other => other,
            }
        };
        match timeout_at(deadline, opening).await {
            Ok(opened) => opened,
            Err(_) => {
                slot.forget(connection.number);
                Err(self.silent())
            }
        }
    }

    fn silent(&self) -> Failure {
        Failure::silent(format!("no answer within {:?}", self.patience))
    }

    async fn open_with(
        &self,
        slot: &Slot,
        connection: &Connection,
        held: &Held,
    ) -> Result<(Beats, i64), Failure> {
        // One beat at a time.
        let (sender, receiver) = mpsc::channel(1);
        let first = LeaseKeepAliveRequest { id: self.lease.get() };
        sender.try_send(first).map_err(|_| Failure::unsent("no room for the first beat"))?;
        let request = self.shared.dressed(ReceiverStream::new(receiver), held, true);
        let codec = ProstCodec::<LeaseKeepAliveRequest, LeaseKeepAliveResponse>::default();
        let path = PathAndQuery::from_static("/etcdserverpb.Lease/LeaseKeepAlive");
        let opened = connection.grpc().streaming(request, path, codec).await;
        let refused = |status: tonic::Status| connection.end.explain(self.failure(slot, &status));
        let mut answers = opened.map_err(refused)?.into_inner();
        match answers.message().await.map_err(refused)? {
            Some(answer) => {
                let (at, end) = (slot.index, connection.end.clone());
                let connection = connection.number;
                Ok((Beats { at, connection, sender, answers, end }, answer.ttl))
            }
            None => Err(Failure::lost("the stream of beats was closed")),
        }
    }

    fn failure(&self, slot: &Slot, status: &tonic::Status) -> Failure {
        let what = format!("keep the lease {} alive", self.lease);
        let asked = Asked { what, lease: Some(self.lease), ..Asked::default() };
        Failure::of(status, &slot.shown, &self.shared.auth.who(), &asked)
    }
}
