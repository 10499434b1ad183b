//! One call: at one endpoint after the other, within its time, with a token if one is wanted.

use std::{pin::pin, sync::atomic::AtomicU64, time::Duration};

use hyper::http::uri::PathAndQuery;
use tokio::time::{Instant, timeout_at};
use tonic::{Request, metadata::MetadataValue};
use tonic_prost::ProstCodec;

use super::{
    EtcdError,
    auth::{Auth, Held},
    connection::Connection,
    error::Attempt,
    failure::{Asked, Failure, Kind},
    pool::{Pool, Slot},
    wire::Arrivals,
};

/// How many times as long as an attempt may wait, one may last whose reply comes all the while: a
/// page of a list over a slow network. What takes longer is asked for in smaller pieces.
const LASTING: u32 = 10;

/// What clones of a client share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) pool: Pool,
    pub(super) auth: Auth,
    pub(super) deadline: Duration,
    /// Rows of a page that came in time, where larger ones did not.
    pub(super) page: AtomicU64,
}

/// One of etcd's calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Method {
    /// `/etcdserverpb.KV/Range`.
    pub(super) path: &'static str,
    /// Whether doing it twice is the same as doing it once.
    pub(super) is_repeatable: bool,
    /// Whether it is refused, rather than waiting, while the member knows no leader.
    pub(super) needs_leader: bool,
}

/// A message that can be sent again.
pub(super) trait Question: prost::Message + Clone + 'static {}

impl<Q: prost::Message + Clone + 'static> Question for Q {}

/// A message that can be read.
pub(super) trait Answer: prost::Message + Default + 'static {}

impl<R: prost::Message + Default + 'static> Answer for R {}

/// The endpoints that were tried in vain.
pub(super) struct Tour<'a> {
    shared: &'a Shared,
    is_repeatable: bool,
    failures: Vec<(Attempt, Kind)>,
}

// === impl Shared ===

impl Shared {
    /// Calls, at other endpoints if the first ones cannot be used.
    ///
    /// # Errors
    /// As [`EtcdError`] says.
    pub(super) async fn call<Q: Question, R: Answer>(
        &self,
        method: Method,
        request: Q,
        asked: Asked,
    ) -> Result<R, EtcdError> {
        let mut tour = self.tour(method.is_repeatable);
        for slot in self.pool.in_turn() {
            match self.attempt(slot, method, request.clone(), &asked).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => tour.failed(slot, failure)?,
            }
            // What is not sent any more has not happened.
            if asked.is_late() {
                break;
            }
        }
        Err(tour.in_vain())
    }

    pub(super) fn tour(&self, is_repeatable: bool) -> Tour<'_> {
        Tour { shared: self, is_repeatable, failures: Vec::new() }
    }

    /// Calls at one endpoint; a second time, on a new connection, if the connection ended: a member
    /// that was started again is there again.
    pub(super) async fn attempt<Q: Question, R: Answer>(
        &self,
        slot: &Slot,
        method: Method,
        request: Q,
        asked: &Asked,
    ) -> Result<R, Failure> {
        match self.exchange(slot, method, request.clone(), asked).await {
            Err(Failure { kind: Kind::Lost(_), may_be_done })
                if (method.is_repeatable || !may_be_done) && !asked.is_late() =>
            {
                self.exchange(slot, method, request, asked).await
            }
            other => other,
        }
    }

    /// Calls once; a second time with a new token if the first was refused.
    async fn exchange<Q: Question, R: Answer>(
        &self,
        slot: &Slot,
        method: Method,
        request: Q,
        asked: &Asked,
    ) -> Result<R, Failure> {
        let now = Instant::now();
        let deadline = asked.at_most(now + self.deadline);
        let last = asked.at_most(now + self.deadline * LASTING);
        let (connection, held) = self.ready(slot, deadline).await?;
        let arrivals = Arrivals::default();
        let once = async |held: &Held, request: Q| {
            let codec = ProstCodec::<Q, R>::default();
            let path = PathAndQuery::from_static(method.path);
            let mut request = self.dressed(request, held, method.needs_leader);
            request.extensions_mut().insert(arrivals.clone());
            let answered = connection.grpc().unary(request, path, codec).await;
            answered.map_err(|status| {
                let failure = Failure::of(&status, &slot.shown, &self.auth.who(), asked);
                connection.end.explain(failure)
            })
        };
        let calling = async {
            match once(&held, request.clone()).await {
                Err(refused) if self.auth.may_do_better(&held, &refused) => {
                    let held = self.auth.renew(&held, &connection, &slot.shown).await?;
                    once(&held, request).await
                }
                other => other,
            }
        };
        match self.while_arriving((deadline, last), &arrivals, calling).await {
            Some(called) => called.map(tonic::Response::into_inner),
            None if asked.is_late() => Err(Failure::silent("no answer in time".to_owned())),
            None if arrivals.last().is_some_and(|at| at.elapsed() < self.deadline) => {
                Err(Failure::slow(format!("no whole answer within {:?}", self.deadline * LASTING)))
            }
            None => Err(self.silent(slot, &connection)),
        }
    }

    /// Waits until the deadline, or until the last moment as long as something of the reply comes;
    /// `None` when that is over.
    async fn while_arriving<T>(
        &self,
        (deadline, last): (Instant, Instant),
        arrivals: &Arrivals,
        calling: impl Future<Output = T>,
    ) -> Option<T> {
        let (mut until, mut calling) = (deadline, pin!(calling));
        loop {
            match (timeout_at(until, &mut calling).await, arrivals.last()) {
                (Ok(called), _) => return Some(called),
                (Err(_), Some(at)) if until < last && at + self.deadline > until => {
                    until = (at + self.deadline).min(last);
                }
                (Err(_), _) => return None,
            }
        }
    }

    /// A connection to that endpoint, and the token for it.
    pub(super) async fn ready(
        &self,
        slot: &Slot,
        deadline: Instant,
    ) -> Result<(Connection, Held), Failure> {
        let connection = self.pool.connection(slot, &self.auth, deadline).await?;
        let token = self.auth.token(&connection, &slot.shown);
        match timeout_at(deadline, token).await {
            Ok(held) => Ok((connection, held?)),
            Err(_) => {
                let failure = self.silent(slot, &connection);
                Err(Failure { may_be_done: false, ..failure })
            }
        }
    }

    /// What to make of a connection on which no answer came in time: a new one may lead further.
    pub(super) fn silent(&self, slot: &Slot, connection: &Connection) -> Failure {
        slot.forget(connection.number);
        Failure::silent(format!("no answer within {:?}", self.deadline))
    }

    /// A message with what goes along with it.
    pub(super) fn dressed<Q>(&self, message: Q, held: &Held, needs_leader: bool) -> Request<Q> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        if needs_leader {
            metadata.insert("hasleader", MetadataValue::from_static("true"));
        }
        held.go_along(metadata);
        request
    }
}

// === impl Tour ===

impl Tour<'_> {
    /// Takes note of a failure.
    ///
    /// # Errors
    /// When there is no point, or a danger, in trying the next endpoint.
    pub(super) fn failed(&mut self, slot: &Slot, failure: Failure) -> Result<(), EtcdError> {
        let cause = failure.kind.local().map(str::to_owned);
        if cause.is_some() {
            self.shared.pool.avoid(slot);
        }
        if failure.may_be_done && !self.is_repeatable {
            return Err(failure.unsure(&slot.shown));
        }
        let Some(cause) = cause else {
            return Err(failure.into_error(&slot.shown, &self.shared.auth.who()));
        };
        let late = failure.kind.late();
        self.failures.push((Attempt { endpoint: slot.shown.clone(), cause, late }, failure.kind));
        Ok(())
    }

    /// All were tried in vain. What all of them agree in is the cause; else each has its own.
    pub(super) fn in_vain(self) -> EtcdError {
        let all = |is: fn(&Kind) -> bool| self.failures.iter().all(|(_, kind)| is(kind));
        // A member without a leader answers, and so says more than those that do not.
        let no_leader = self.failures.iter().any(|(_, kind)| matches!(kind, Kind::NoLeader(_)));
        let certificate = all(|kind| matches!(kind, Kind::Certificate(_)));
        let attempts: Vec<Attempt> = self.failures.into_iter().map(|(it, _)| it).collect();
        match attempts.first() {
            Some(Attempt { endpoint, cause, .. }) if certificate => {
                EtcdError::Certificate { endpoint: endpoint.clone(), problem: cause.clone() }
            }
            _ if no_leader => EtcdError::NoLeader { attempts },
            _ => EtcdError::Unreachable { attempts },
        }
    }
}
