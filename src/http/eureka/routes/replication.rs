//! `peerreplication/batch`: what a Eureka server tells its peers, so that it can replicate into
//! this one while its clients move. Nothing is ever told back, nor to others.

use std::collections::HashSet;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use futures_util::future::join_all;

use crate::{
    http::{
        Api,
        eureka::{
            body::{
                InstanceStatus, Replication, ReplicationAction as Action, ReplicationReplies,
                ReplicationReply,
            },
            change::{Change, Named, Renewed},
            error::EurekaError,
            negotiate::Form,
            read, registration, render,
        },
        json,
    },
    model::{Invalid, limit},
};

type Sent = Result<Replication, Invalid>;

/// Changes that are under way at once: they share a commit.
const TOGETHER_MAX: usize = 256;

/// Carries out the changes of a peer.
pub(in crate::http::eureka) async fn batch(
    State(api): State<Api>,
    request: Request,
) -> Result<Response, EurekaError> {
    let body = json::read(request, limit::HTTP_BULK_OCTETS_MAX, &api).await?;
    let mut all = read::replication_batch(&body)?.0.into_iter().peekable();
    let mut list = Vec::new();
    while all.peek().is_some() {
        // Of one instance one after the other, in the order in which they were sent.
        let (mut together, mut named) = (Vec::new(), HashSet::new());
        while together.len() < TOGETHER_MAX
            && let Some(next) = all.next_if(|next| named.insert(name_of(next)))
        {
            together.push(next);
        }
        list.extend(join_all(together.into_iter().map(|change| one(&api, change))).await);
    }
    Ok(Form::Json.reply(render::replication_replies(&ReplicationReplies { list })))
}

fn name_of(sent: &Sent) -> Option<Named> {
    sent.as_ref().ok().map(|change| Named::new(&change.app_name, change.id.as_str()))
}

async fn one(api: &Api, sent: Sent) -> ReplicationReply {
    let outcome = match sent {
        // As for requests of their own: renewals are taken to the end.
        Ok(change) if api.draining().is_cancelled() && change.action != Action::Heartbeat => {
            Err(EurekaError::new(StatusCode::SERVICE_UNAVAILABLE, ""))
        }
        Ok(change) => carry_out(api, change).await,
        Err(invalid) => Err(invalid.into()),
    };
    outcome.unwrap_or_else(|refusal| {
        tracing::debug!(status = refusal.status.as_u16(), text = &*refusal.text, "not replicated");
        reply(refusal.status)
    })
}

async fn carry_out(api: &Api, sent: Replication) -> Result<ReplicationReply, EurekaError> {
    let change = Change { api, by_peer: true };
    let named = Named::new(&sent.app_name, sent.id.as_str());
    let dirty = sent.last_dirty_timestamp;
    match sent.action {
        Action::Register => {
            let missing = || EurekaError::bad_request("a registration has `instanceInfo`");
            let instance = sent.instance_info.ok_or_else(missing)?;
            change.register(registration::admit(&sent.app_name, instance)?).await?;
        }
        Action::Heartbeat => {
            if let Renewed::Newer(instance) = change.renew(&named, dirty).await? {
                let response_entity = Some(*instance);
                let status_code = StatusCode::CONFLICT.as_u16();
                return Ok(ReplicationReply { status_code, response_entity });
            }
        }
        Action::Cancel => change.cancel(&named).await?,
        Action::StatusUpdate => {
            let missing = || EurekaError::bad_request("a status update has `status`");
            change.override_status(&named, sent.status.ok_or_else(missing)?, dirty).await?;
        }
        Action::DeleteStatusOverride => {
            let status = sent.status.unwrap_or(InstanceStatus::Unknown);
            change.remove_override(&named, status, dirty).await?;
        }
    }
    Ok(reply(StatusCode::OK))
}

fn reply(status: StatusCode) -> ReplicationReply {
    ReplicationReply { status_code: status.as_u16(), response_entity: None }
}
