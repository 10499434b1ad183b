//! `?min_revision=`: a request that waits until this server has seen a change.
//!
//! Servers that share their state follow one another within moments, and a client behind a load
//! balancer speaks to another one with each request. With the revision of the reply to its change
//! (`X-Rollcall-Revision`) it reads what it has written, wherever it asks; and a change that it has
//! decided by what it has read is made by a server that knows as much.
//!
//! What does not come within `wait` is refused with 503 and not with 504: it is this server that
//! is behind, and that status has load balancers and clients ask again, or another one. Rejected:
//! to answer with what there is and say how old that is, as Consul's blocking queries do; who asks
//! for a revision would have to look at each reply whether it got it.

use std::time::Duration;

use axum::{extract::FromRequestParts, http::request::Parts};
use utoipa::IntoParams;

use super::{Api, problem::Problem, query::Parameters};
use crate::{
    model::{Invalid, Revision},
    util::{format_duration, parse_duration},
};

/// How long a request waits that does not say: some hundred times as long as it takes in good
/// order, and about as long as somebody at a terminal would.
const WAIT_DEFAULT: Duration = Duration::from_secs(5);

/// How long a request may wait at the most. It is added to the time that a request may take.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(60);

/// Requests that wait at once: each change wakes them all, so they are not to be as many as there
/// may be connections.
pub(super) const WAITING_MAX: usize = 1_000;

/// The parameters of this, which every path of the API below `/api/v1` has.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "for the contract only: values are read with a message of their own")]
pub(super) struct SeenParameters {
    /// Wait until this server has seen the change of this revision, which another server has
    /// replied with in `X-Rollcall-Revision`; 503 `revision-not-seen` when it does not in time.
    min_revision: Option<u64>,
    /// How long to wait for `min_revision`, 0s to 1m; 5s when it is left out.
    wait: Option<String>,
}

/// A request with no other parameters than those; what it asked to be seen has been. One that has
/// others is refused: `PUT …?weight=3` would look as if it had set the weight.
#[derive(Debug)]
pub(super) struct Seen;

const MIN_REVISION: &str = "min_revision";
const WAIT: &str = "wait";

/// Refuses parameters that are neither among `known` nor one of these, and waits for what is to be
/// seen.
///
/// # Errors
/// When a parameter is not acceptable, or the revision has not been seen in time.
pub(super) async fn seen(
    api: &Api,
    parameters: Parameters,
    known: &[&str],
) -> Result<Parameters, Problem> {
    let parameters = parameters.only(&[known, &[MIN_REVISION, WAIT]].concat())?;
    let wanted = parameters.one(MIN_REVISION)?;
    let wanted = wanted.map(|text| revision(MIN_REVISION, text)).transpose()?;
    let wait = parameters.one(WAIT)?.map(|text| wait(text, wanted)).transpose()?;
    if let Some(wanted) = wanted {
        wait_for(api, wanted, wait.unwrap_or(WAIT_DEFAULT)).await?;
    }
    Ok(parameters)
}

/// Waits until this server has followed the shared store to a revision that another one has given
/// out, for a moment: a client that comes from a faster server is not to begin anew. Where nothing
/// is shared nobody comes from elsewhere.
pub(super) async fn followed(api: &Api, revision: Revision) {
    let snapshot = api.registry().snapshot();
    if snapshot.shared.is_some() && snapshot.is_behind(revision) {
        // Whoever has not been seen by then is told so by who asked.
        let _ahead = wait_for(api, revision, WAIT_DEFAULT).await;
    }
}

async fn wait_for(api: &Api, wanted: Revision, wait: Duration) -> Result<(), Problem> {
    let has_seen = || api.registry().snapshot().has_seen(wanted);
    if has_seen() {
        return Ok(());
    }
    let Ok(_place) = api.waiting().try_acquire() else {
        return Err(Problem::too_many_waiting(WAITING_MAX));
    };
    let mut bell = api.registry().events().subscribe();
    let mut over = std::pin::pin!(tokio::time::sleep(wait));
    // After each ring, and once before the first: what came before the subscription has not rung.
    while !has_seen() {
        tokio::select! {
            biased;
            () = api.stop().cancelled() => return Err(Problem::stopping()),
            Ok(()) = bell.changed() => {}
            () = &mut over => {
                let here = api.registry().snapshot().revision;
                return Err(Problem::revision_not_seen(wanted, here, &format_duration(wait)));
            }
        }
    }
    Ok(())
}

/// The revision that a parameter, or a header, names.
///
/// # Errors
/// When it names none.
pub(super) fn revision(field: &str, text: &str) -> Result<Revision, Problem> {
    text.parse().map(Revision).map_err(|_| {
        let problem = match text {
            "" => "is empty; a revision is a whole number",
            _ => "is no revision, which is a whole number",
        };
        Problem::bad_query(Invalid::new(field, text, problem))
    })
}

fn wait(text: &str, wanted: Option<Revision>) -> Result<Duration, Problem> {
    let refused = |problem: String| Problem::bad_query(Invalid::new(WAIT, text, problem));
    if wanted.is_none() {
        return Err(refused("is the time to wait for `min_revision`, which is not given".into()));
    }
    let wait = parse_duration(text).map_err(|problem| refused(problem.to_string()))?;
    if wait > WAIT_MAX {
        return Err(refused("is outside the limits of 0s to 1m".into()));
    }
    Ok(wait)
}

// === impl Seen ===

impl FromRequestParts<Api> for Seen {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let parameters = Parameters::from_request_parts(parts, api).await?;
        seen(api, parameters, &[]).await.map(|_| Self)
    }
}
