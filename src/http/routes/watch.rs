//! `/api/v1/watch`: what happens, as server-sent events, resumable by revision.
//!
//! A watcher holds no queue of its own: it reads the registry's ring of past events at its own
//! pace, so that a slow one costs no memory. One that falls behind the ring, or comes back with a
//! revision from another life of the server, gets an event `reset` with the revision from which
//! the stream goes on: list again, what is listed is at least that new.
//!
//! The `id:` of an event is its revision, given with the last event of a revision only: a client
//! that loses the connection in the middle of a bulk registration gets all of it again. Where
//! servers share the registry the id of a change that all show alike is good at each of them. As
//! long as this one shows more than is shared, its ids are good here only, and another one answers
//! them with `reset`: what only this one has shown nobody else would take back.
//!
//! What was told when it was seen has an event again when the store has it, for those who come
//! later; a watcher that has heard of it here is left alone.

use std::{collections::VecDeque, convert::Infallible};

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response, Sse, sse::Event as Message},
};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, watch as bell};
use utoipa::ToSchema;

use super::refused::Named;
use crate::{
    http::{
        Api,
        dto::EventView,
        metrics::Counted,
        problem::Problem,
        query::Parameters,
        seen::{SeenParameters, followed, revision, seen},
    },
    model::{Event, EventKind, Revision, ServiceName},
};

/// The data of the event `reset`: list again, then go on with this stream.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Reset {
    /// The stream goes on after this revision.
    revision: u64,
}

/// Events that are taken from the ring at once: enough to make its lock cheap, and 64 KB at most.
const BATCH: usize = 256;

/// Streams what happens, as server-sent events.
///
/// Events: `registered`, `updated`, `deregistered`, `status`, `drained`, `undrained`, `policy`,
/// each with the data below, and `reset` when some are no longer known: its data has the
/// `revision` at which to list again; the stream goes on after it. Without `since` and
/// `Last-Event-ID` the stream begins now. An id that another server has given out is good here
/// if it is a revision of the shared store, and is answered by `reset` if not; what has happened
/// since may be told twice.
#[utoipa::path(
    get,
    path = "/api/v1/watch",
    operation_id = "watch",
    tag = "watch",
    params(
        SeenParameters,
        ("service" = Option<String>, Query, description = "Only events of this service"),
        ("since" = Option<u64>, Query, description = "Begin after this revision"),
        ("Last-Event-ID" = Option<u64>, Header, description = "As `since`, and stronger: where a \
            client that comes back stopped"),
    ),
    responses(
        (status = 200, description = "The events", body = EventView,
            content_type = "text/event-stream"),
        Named,
        (status = 503, description = "There are too many watchers, or this server has not seen \
                `min_revision` in time",
            body = crate::http::dto::Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn watch(
    State(api): State<Api>,
    parameters: Parameters,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let parameters = seen(&api, parameters, &["service", "since"]).await?;
    let service = parameters.one("service")?.map(ServiceName::parse).transpose();
    let service = service.map_err(Problem::bad_query)?;
    let since = parameters.one("since")?.map(|text| revision("since", text)).transpose()?;
    let last = headers.get("last-event-id").map(|id| id.to_str().unwrap_or("(unreadable)"));
    let last = last.filter(|id| !id.is_empty());
    let last = last.map(|id| revision("Last-Event-ID", id)).transpose()?;
    let since = last.or(since);
    if let Some(since) = since {
        followed(&api, since).await;
    }
    let watcher = Watcher::new(api, service, since)?;
    let events = stream::unfold(watcher, async |mut watcher| {
        let message = watcher.next().await?;
        Some((Ok::<_, Infallible>(message), watcher))
    });
    // Proxies such as nginx would hold back what they take for a file.
    let headers = [(header::HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((headers, Sse::new(events)).into_response())
}

/// One watcher's place in the stream.
struct Watcher {
    api: Api,
    service: Option<ServiceName>,
    /// Everything up to here was sent, or waits in `ready`.
    at: Revision,
    /// Everything after this was sent, or what it led to was listed.
    from: Revision,
    /// Of which era of the registry that is.
    era: u64,
    bell: bell::Receiver<Revision>,
    ready: VecDeque<Message>,
    _place: OwnedSemaphorePermit,
    _counted: Counted,
}

// === impl Watcher ===

impl Watcher {
    fn new(
        api: Api,
        service: Option<ServiceName>,
        since: Option<Revision>,
    ) -> Result<Self, Problem> {
        let Ok(place) = api.watchers().clone().try_acquire_owned() else {
            return Err(Problem::too_many_watchers(api.options().watchers_max));
        };
        let bell = api.registry().events().subscribe();
        let now = api.registry().snapshot();
        let counted = Counted::new(&api.metrics().watchers);
        let ready = VecDeque::new();
        let (_place, _counted) = (place, counted);
        let resumed = since.map(|since| api.registry().events().resume(since, &now));
        let at = resumed.unwrap_or(Ok(now.revision));
        let (from, era) = (at.unwrap_or(now.revision), now.steps.era);
        let mut watcher = Self { api, service, at: from, from, era, bell, ready, _place, _counted };
        match at {
            // A revision that is yet to come is from another life of the server.
            Ok(at) if at <= now.revision => {
                // The client's own as long as nothing new is told: this one may be an earlier one.
                watcher.ready.push_back(at_rest(since.unwrap_or(at), "watching"));
            }
            _ => watcher.reset(),
        }
        Ok(watcher)
    }

    /// The next message; `None` when the server stops.
    async fn next(&mut self) -> Option<Message> {
        loop {
            if self.api.stop().is_cancelled() {
                return None;
            }
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            // Before the look at the ring, so that what comes after it rings again.
            self.bell.mark_unchanged();
            let before = self.at;
            self.look();
            // Moved on without a message: a whole batch of other services' events.
            if !self.ready.is_empty() || self.at != before {
                continue;
            }
            let silence = self.api.options().watch_keep_alive;
            tokio::select! {
                biased;
                () = self.api.stop().cancelled() => return None,
                changed = self.bell.changed() => changed.ok()?,
                () = tokio::time::sleep(silence) => return Some(at_rest(self.at, "keep-alive")),
            }
        }
    }

    /// Takes what the ring has after `at`.
    fn look(&mut self) {
        if self.api.registry().snapshot().steps.era != self.era {
            // Something has happened that no event tells of.
            return self.reset();
        }
        match self.api.registry().events().after(self.at, BATCH) {
            Ok((events, next)) => {
                self.at = next;
                let from = self.from;
                let is_told = |event: &Event| event.told_after.is_some_and(|after| from <= after);
                // What happens to nodes, and to checks by themselves, is for the clients that have
                // such.
                let wanted = |event: &&std::sync::Arc<Event>| match (&event.kind, &self.service) {
                    (EventKind::CheckChanged { .. }, _) => false,
                    _ if is_told(event) => false,
                    (_, Some(service)) => event.service == *service,
                    (_, None) => !event.service.is_nodes(),
                };
                let is_again = events.iter().any(|event| is_told(event));
                let wanted: Vec<_> = events.iter().filter(wanted).collect();
                for (index, event) in wanted.iter().enumerate() {
                    let after = wanted.get(index + 1);
                    let is_last = after.is_none_or(|next| next.revision != event.revision);
                    self.ready.push_back(message(event, is_last));
                }
                if is_again {
                    // It is shared now: with this id the client may go on at any server.
                    self.ready.push_back(at_rest(next, "shared"));
                }
            }
            Err(gone) => {
                tracing::debug!(at = %self.at, oldest = %gone.oldest, "a watcher fell behind");
                self.reset();
            }
        }
    }

    fn reset(&mut self) {
        let now = self.api.registry().snapshot();
        (self.at, self.from, self.era) = (now.revision, now.revision, now.steps.era);
        let data = Reset { revision: self.at.0 };
        let message = Message::default().event("reset").id(self.at.to_string());
        self.ready.push_back(with_data(message, &data));
    }
}

fn message(event: &Event, is_last: bool) -> Message {
    let mut message = Message::default().event(EventView::name(&event.kind));
    if is_last {
        message = message.id(event.place.to_string());
    }
    with_data(message, &EventView::from(event))
}

/// A message that no client shows, but that moves its `Last-Event-ID` on.
fn at_rest(at: Revision, comment: &str) -> Message {
    Message::default().comment(comment).id(at.to_string())
}

fn with_data(message: Message, data: &impl Serialize) -> Message {
    let json = serde_json::to_string(data).expect("the data has only strings and numbers");
    message.data(json)
}
