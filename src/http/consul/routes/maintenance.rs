//! `PUT /v1/agent/maintenance`: the client's node is out of order, and all that is on it.

use axum::{Router, http::StatusCode};

use crate::http::{
    Api,
    consul::{
        edit::change,
        methods::{at, put},
        texts::ConsulError,
        write::Caller,
    },
};

pub(in crate::http::consul) fn routes() -> Router<Api> {
    at("/v1/agent/maintenance", put(maintain))
}

async fn maintain(Caller { api, host, query, .. }: Caller) -> Result<StatusCode, ConsulError> {
    let on = query.enable()?;
    change(&api, (&host, ""), |edit| {
        edit.meet_agent();
        edit.node().maintain(on, query.get("reason"));
        Ok(())
    })
    .await?;
    Ok(StatusCode::OK)
}

#[cfg(test)]
mod tests;
