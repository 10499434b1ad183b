//! `status`, `serverinfo/statusoverrides`, `asg/{name}/status`: the server itself.

use std::{collections::BTreeMap, time::Duration};

use axum::{extract::State, response::Response};
use serde::Serialize;
use smol_str::SmolStr;

use super::Asked;
use crate::http::{
    Api,
    eureka::{body::InstanceStatus, error::EurekaError, negotiate::Form, shown, xml::XmlWriter},
};

type Entries = BTreeMap<SmolStr, SmolStr>;

/// The server's state, in the shape that Eureka's has: two tables of text.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServerStatus {
    general_stats: Entries,
    application_stats: Entries,
}

/// Tells how the server is, and whether it holds silent instances.
pub(in crate::http::eureka) async fn status(State(api): State<Api>, asked: Asked) -> Response {
    let status = ServerStatus::of(&api);
    asked.form.reply(match asked.form {
        Form::Json => written(&status),
        Form::Xml => {
            let mut xml = XmlWriter::default();
            xml.open("status");
            xml.table("generalStats", &status.general_stats);
            xml.table("applicationStats", &status.application_stats);
            xml.close("status");
            xml.into_bytes()
        }
    })
}

/// Lists the states that operators have put in place of the instances' own, by id.
pub(in crate::http::eureka) async fn overrides(
    State(api): State<Api>,
    asked: Asked,
) -> Result<Response, EurekaError> {
    let (snapshot, recent) = (api.registry().snapshot(), api.recent().clone());
    let found = move || -> Entries {
        let members = snapshot.services.iter().flat_map(|(_, entry)| &entry.members);
        let instances =
            members.filter(|member| recent.is_shown(member)).map(|member| shown::instance(member));
        instances
            .filter(|instance| instance.overridden_status != InstanceStatus::Unknown)
            .map(|instance| {
                let id = instance.id().unwrap_or_default().into();
                (id, instance.overridden_status.as_str().into())
            })
            .collect()
    };
    let entries = api.aside(found).await?;
    Ok(asked.form.reply(match asked.form {
        Form::Json => written(&entries),
        Form::Xml => {
            let mut xml = XmlWriter::default();
            xml.table("map", &entries);
            xml.into_bytes()
        }
    }))
}

/// Refuses what only a server at Amazon knows, as Eureka does elsewhere.
pub(in crate::http::eureka) async fn group_status() -> EurekaError {
    EurekaError::bad_request("there are no auto scaling groups here")
}

/// As Eureka writes it: `2 days 03:04`, hours and minutes.
fn uptime(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    let (days, hours, minutes) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    let days = match days {
        0 => String::new(),
        1 => "1 day ".to_owned(),
        days => format!("{days} days "),
    };
    format!("{days}{hours:02}:{minutes:02}")
}

fn written(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("memory takes all, and all keys are strings")
}

// === impl ServerStatus ===

impl ServerStatus {
    fn of(api: &Api) -> Self {
        let moment = api.recent().now(api.registry(), api.clock());
        let (counts, settings) = (moment.snapshot.counts, api.self_preservation());
        let entry = |name: &str, value: String| (name.into(), value.into());
        let preserves = |is: bool| if is { "true" } else { "false" }.to_owned();
        let general = [
            entry("server", format!("rollcall {}", env!("CARGO_PKG_VERSION"))),
            entry("server-uptime", uptime(api.clock().elapsed())),
            entry("self-preservation", preserves(settings.enabled)),
            entry("self-preservation-active", preserves(counts.suspect > 0)),
            entry("suspect-instances", counts.suspect.to_string()),
            entry("apps-hashcode", moment.counts.to_string()),
            entry("version", moment.snapshot.revision.to_string()),
        ];
        // It has no peers: what is known here is known in one place.
        let peers = ["registered-replicas", "available-replicas", "unavailable-replicas"];
        Self {
            general_stats: general.into_iter().collect(),
            application_stats: peers.map(|name| entry(name, String::new())).into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::uptime;

    #[test]
    fn the_time_since_the_start_is_written_as_eureka_writes_it() {
        for (seconds, text) in
            [(59, "00:00"), (3_660, "01:01"), (86_400, "1 day 00:00"), (183_845, "2 days 03:04")]
        {
            assert_eq!(uptime(Duration::from_secs(seconds)), text);
        }
    }
}
