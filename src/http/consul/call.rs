//! A read on its way: who asks for what, and how the answer is waited for.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
    response::Response,
};
use bytes::Bytes;
use serde::Serialize;

use super::{
    blocking::{Blocking, Has, Indexed},
    filter::{Filter, Rows},
    params::{Query, ReadParams},
    reply,
    site::{Host, Options},
    texts::ConsulError,
    waiters::Interest,
    world::World,
    write::name_in_path,
};
use crate::{
    http::{Api, encoding},
    model::Revision,
    registry::Snapshot,
};

/// A request that reads.
pub(super) struct Call {
    /// What there is to be read.
    pub api: Api,
    /// The node that the client is on.
    pub host: Host,
    /// What follows the route in the path; empty when nothing does.
    pub name: String,
    /// The parameters.
    pub query: Query,
    /// What they say.
    pub params: ReadParams,
    /// Whether the client wants text (`Accept: text/plain` or `?format=text`).
    pub wants_text: bool,
    /// Whether the reply is to be in gzip.
    wants_gzip: bool,
    /// The path, by which equal requests are known.
    path: String,
}

/// What is seen of the world, and the revision of what it is about.
pub(super) struct Seen<T> {
    /// When something last happened to it.
    pub index: Revision,
    /// It.
    pub value: T,
}

/// Which rows are wanted.
#[derive(Debug)]
pub(super) struct Sieve(Option<Filter>);

/// How the body of an answer is made of a snapshot.
type Look = Arc<dyn Fn(&Snapshot, &Options) -> Result<Indexed, ConsulError> + Send + Sync>;

/// From so many instances on an answer is made aside: it takes more than a millisecond.
const LARGE: usize = 100;

/// The index of what never changes.
const FOR_EVER: Revision = Revision(1);

// === impl Call ===

impl FromRequestParts<Api> for Call {
    type Rejection = ConsulError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ConsulError> {
        let query = Query::parse(parts.uri.query())?;
        let params = ReadParams::read(&query, &parts.headers)?;
        let name = name_in_path(parts, api).await?;
        let accept = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let accepts_text = accept.is_some_and(|kinds| kinds.starts_with("text/plain"));
        let wants_text = accepts_text || query.get("format") == Some("text");
        let host = api.consul().host_of(&parts.extensions);
        let path = parts.uri.path().to_owned();
        let wants_gzip = encoding::is_gzip(&parts.headers);
        Ok(Self { api: api.clone(), host, name, query, params, wants_text, wants_gzip, path })
    }
}

impl Call {
    /// What follows in the path.
    ///
    /// # Errors
    /// `missing`, when nothing does.
    pub(super) fn named(&self, missing: fn() -> ConsulError) -> Result<&str, ConsulError> {
        if self.name.is_empty() { Err(missing()) } else { Ok(&self.name) }
    }

    /// Refuses another datacenter than the one there is.
    ///
    /// # Errors
    /// 500, as Consul does.
    pub(super) fn here(&self) -> Result<(), ConsulError> {
        match &self.params.datacenter {
            Some(other) if *other != self.api.consul().datacenter => {
                Err(ConsulError::no_path_to_datacenter())
            }
            _ => Ok(()),
        }
    }

    /// The rows that `?filter=` wants.
    ///
    /// # Errors
    /// 500 when it is no filter of such rows.
    pub(super) async fn sieve(&self, rows: Rows) -> Result<Sieve, ConsulError> {
        let Some(text) = self.params.filter.clone() else { return Ok(Sieve(None)) };
        let filter = if Filter::is_dear(&text) {
            self.api.aside(move || Filter::parse(&text, rows)).await?
        } else {
            Filter::parse(&text, rows)
        };
        filter.map(Some).map(Sieve)
    }

    /// Looks at the world as it is now, and makes of it what has no index.
    ///
    /// # Errors
    /// Those of `look`.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        size: impl FnOnce(World<'_>) -> usize,
        look: impl FnOnce(World<'_>) -> Result<T, ConsulError> + Send + 'static,
    ) -> Result<T, ConsulError> {
        let (snapshot, options) = (self.api.registry().snapshot(), self.api.consul().clone());
        if size(World { snapshot: &snapshot, options: &options }) < LARGE {
            return look(World { snapshot: &snapshot, options: &options });
        }
        let work = move || look(World { snapshot: &snapshot, options: &options });
        self.api.aside(work).await?
    }

    /// Answers with what is seen, as soon as it is other than what the client has.
    ///
    /// # Errors
    /// 500 for another datacenter, and those of `look`.
    pub(super) async fn answer<T: Serialize>(
        self,
        interest: Interest,
        look: impl Fn(World<'_>) -> Result<Seen<T>, ConsulError> + Send + Sync + 'static,
    ) -> Result<Response, ConsulError> {
        let pretty = self.params.pretty;
        let write = move |world: World<'_>| {
            let Seen { index, value } = look(world)?;
            Ok(Indexed::new(index, reply::written(&value, pretty)?))
        };
        self.answer_written(interest, write).await
    }

    /// The same for what is written while it is looked at, because it is too much to be in memory
    /// twice.
    ///
    /// # Errors
    /// 500 for another datacenter, and those of `write`.
    pub(super) async fn answer_written(
        self,
        interest: Interest,
        write: impl Fn(World<'_>) -> Result<Indexed, ConsulError> + Send + Sync + 'static,
    ) -> Result<Response, ConsulError> {
        self.here()?;
        let look: Look = Arc::new(move |snapshot, options| write(World { snapshot, options }));
        self.waited(interest, look).await
    }

    /// Answers with what is the same for ever: who has it waits until the time is over.
    ///
    /// # Errors
    /// 500 for another datacenter.
    pub(super) async fn never_changes(
        self,
        value: &impl Serialize,
    ) -> Result<Response, ConsulError> {
        self.here()?;
        let body = reply::written(value, self.params.pretty)?;
        self.wait_in_vain().await;
        Ok(reply::indexed(Indexed::new(FOR_EVER, body), &self.params))
    }

    /// The same for a thing that is not there: 404, at an index.
    ///
    /// # Errors
    /// 500 for another datacenter.
    pub(super) async fn never_there(self) -> Result<Response, ConsulError> {
        self.here()?;
        self.wait_in_vain().await;
        Ok(reply::nothing_at(FOR_EVER.0))
    }

    /// Lets a client wait that has the answer already.
    async fn wait_in_vain(&self) {
        let blocking = Blocking { has: Has::index(self.params.index), wait: self.params.wait };
        let (registry, waiters) = (self.api.registry(), self.api.waiters());
        let read = async |_| Ok(Indexed::new(FOR_EVER, Bytes::new()));
        let stop = self.api.stop().cancelled();
        // Reading it cannot fail.
        let _same = blocking.answer((registry, waiters), Interest::Nothing, stop, read).await;
    }

    async fn waited(self, interest: Interest, look: Look) -> Result<Response, ConsulError> {
        let Self { api, query, params, path, wants_gzip, .. } = self;
        let blocking = Blocking { has: Has::index(params.index), wait: params.wait };
        let is_large = interest.clone();
        // Answers of an era are not told from those of another by their revision.
        let era = api.registry().snapshot().steps.era;
        let key: Arc<str> = format!("{era} {}", key(&path, &query)).into();
        let read = |snapshot: Arc<Snapshot>| {
            let (api, look, key) = (api.clone(), Arc::clone(&look), Arc::clone(&key));
            let size = is_large.size(&snapshot);
            async move {
                if size < LARGE {
                    return look(&snapshot, api.consul());
                }
                large(api, (&key, wants_gzip), look, snapshot.revision).await
            }
        };
        let stop = api.stop().cancelled();
        let answer = blocking.answer((api.registry(), api.waiters()), interest, stop, read).await?;
        Ok(reply::indexed(answer, &params))
    }
}

/// Makes a large answer aside, once for all who ask for the same at the same time: who comes while
/// it is in the making waits for the next one, and that is as new as whoever waits for it needs.
/// In gzip it is so once, too.
async fn large(
    api: Api,
    (plain_key, in_gzip): (&str, bool),
    look: Look,
    wanted: Revision,
) -> Result<Indexed, ConsulError> {
    let shared = api.answers().clone();
    let make = || {
        let (inner, plain_key) = (api.clone(), plain_key.to_owned());
        let work = move || {
            let plain = inner.answers().get(&plain_key, wanted).filter(|_| in_gzip);
            let (revision, Indexed { index, body, .. }) = match plain {
                Some(plain) => (wanted, plain),
                None => {
                    let snapshot = inner.registry().snapshot();
                    (snapshot.revision, look(&snapshot, inner.consul())?)
                }
            };
            let body = if in_gzip { encoding::collected(true, [body]) } else { body };
            let answer = Indexed::new(index, body);
            // Those who wait compare it: of 50 MB that is not to be done on the API's threads.
            answer.digest();
            Ok((revision, answer))
        };
        let api = api.clone();
        async move { api.aside(work).await? }
    };
    let key = if in_gzip { format!("gzip {plain_key}") } else { plain_key.to_owned() };
    shared.answer(&key, wanted, make).await
}

/// What two requests with the same answer have in common.
fn key(path: &str, query: &Query) -> String {
    let mut key = path.to_owned();
    for (name, value) in query.pairs() {
        let is_of_one = matches!(name, "index" | "wait" | "token" | "stale" | "consistent");
        if !is_of_one {
            // With their lengths: any octet may stand in either.
            key.push_str(&format!("\n{}={}:{name}{value}", name.len(), value.len()));
        }
    }
    key
}

// === impl Sieve ===

impl Sieve {
    /// Whether a row is wanted.
    pub(super) fn passes(&self, row: &impl Serialize) -> bool {
        let Some(filter) = &self.0 else { return true };
        serde_json::to_value(row).is_ok_and(|row| filter.passes(&row))
    }

    /// Whether all rows are.
    pub(super) fn is_open(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::{Query, key};

    #[test]
    fn requests_have_a_key_in_common_only_if_they_ask_for_the_same() {
        let of = |text: &str| key("/v1/health/service/web", &Query::parse(Some(text)).unwrap());
        assert_eq!(of("passing&index=7&wait=9s"), of("stale&passing="));
        for (one, other) in [
            ("tag=v1%0Apassing=", "tag=v1&passing="),
            ("tag=v1%0A7=0:passing", "tag=v1&passing="),
            ("tag=v1&passing", "passing&tag=v1"),
            ("tag=ab", "taga=b"),
            ("tag=a&tag=b", "tag=a"),
        ] {
            assert_ne!(of(one), of(other), "{one} {other}");
        }
    }
}
