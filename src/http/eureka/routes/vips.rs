//! `vips/{vip}`, `svips/{vip}`: the instances that answer to a name.
//!
//! Clients that want the instances under one name only ask for it twice a minute. There is no index
//! of names; what was kept of an instance is searched for the name before it is read.

use axum::{
    extract::{Path, State},
    response::Response,
};
use smol_str::SmolStr;

use super::Asked;
use crate::{
    http::{
        Api,
        eureka::{
            body::{Applications, Instance},
            error::EurekaError,
            hashcode::StatusCounts,
            recent::Recent,
            render, shown,
        },
    },
    registry::{Member, Snapshot},
};

type Names = fn(&Instance) -> &Option<SmolStr>;

/// The instances that answer to a name.
pub(in crate::http::eureka) async fn vip(
    State(api): State<Api>,
    asked: Asked,
    Path(vip): Path<String>,
) -> Result<Response, EurekaError> {
    of(api, asked, vip, |instance| &instance.vip_address).await
}

/// The instances that answer to a name over TLS.
pub(in crate::http::eureka) async fn secure_vip(
    State(api): State<Api>,
    asked: Asked,
    Path(vip): Path<String>,
) -> Result<Response, EurekaError> {
    of(api, asked, vip, |instance| &instance.secure_vip_address).await
}

async fn of(api: Api, asked: Asked, vip: String, names: Names) -> Result<Response, EurekaError> {
    let (snapshot, recent) = (api.registry().snapshot(), api.recent().clone());
    let found = move || {
        let instances = answering(&snapshot, &recent, &vip, names);
        let counts: StatusCounts = instances.iter().map(|instance| instance.status).collect();
        let applications = Applications {
            version: snapshot.revision.0,
            hashcode: counts.to_string().into(),
            applications: shown::grouped(instances.into_iter()),
        };
        render::applications(asked.form, &applications)
    };
    Ok(asked.form.reply(api.aside(found).await?))
}

fn answering(snapshot: &Snapshot, recent: &Recent, vip: &str, names: Names) -> Vec<Instance> {
    // As JSON writes it; what has to be escaped is looked for in all.
    let is_plain = vip.chars().all(|c| !c.is_control() && c != '"' && c != '\\');
    let may_answer = |member: &Member| match shown::origin(member) {
        Some(origin) => !is_plain || origin.document.contains(vip),
        None => member.instance.service.as_str() == vip,
    };
    let answers = |instance: &Instance| {
        let all = names(instance).as_deref().unwrap_or("");
        all.split(',').any(|name| name.trim() == vip)
    };
    let members = snapshot.services.iter().flat_map(|(_, entry)| &entry.members);
    members
        .filter(|member| recent.is_shown(member) && may_answer(member))
        .map(|member| shown::instance(member))
        .filter(answers)
        .collect()
}
