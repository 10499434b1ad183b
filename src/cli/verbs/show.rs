//! `rollcall show`: one service, how it is answered, and its instances.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use crate::{
    cli::{
        client::{Client, Path},
        exit::Failure,
        output::Output,
        reply::{Instance, Instances, Service},
        table,
    },
    util::Clock,
};

/// Which service.
#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// The service
    service: String,
}

// === impl ShowArgs ===

impl ShowArgs {
    /// Prints the policy, whether it fails open, and the table.
    pub(in crate::cli) async fn run(
        self,
        client: &Client,
        output: &mut Output,
        clock: &Clock,
    ) -> Result<(), Failure> {
        let path = Path::new(&["services", &self.service]);
        let (service, service_json) = client.get::<Service>(&path).await?;
        let path = Path::new(&["services", &self.service, "instances"]);
        let (list, list_json) = client.get::<Instances>(&path).await?;
        if output.json {
            let both = json!({"service": service_json, "instances": list_json["instances"]});
            return Ok(output.json(&both)?);
        }
        output.sentence(&format!("{}: {}", service.service, service.policy))?;
        if let Some(reason) = &service.failing_open {
            let reason = match reason.as_str() {
                "min_healthy" => "less than min_healthy of the weight is healthy",
                "none_healthy" => "none is healthy",
                other => other,
            };
            output.sentence(&format!("failing open: {reason}, so all are answered"))?;
        }
        output.line("")?;
        Ok(output.table(instances(output, &list.instances, clock))?)
    }
}

fn instances(output: &Output, instances: &[Instance], clock: &Clock) -> table::Rows {
    let header = [
        "INSTANCE", "ADDRESS", "PORT", "WEIGHT", "PRIO", "STATUS", "SINCE", "TAGS", "ORIGIN",
        "OUTPUT",
    ];
    let mut rows = table::Rows::new(output, &header, &["PORT", "WEIGHT", "PRIO", "SINCE"]);
    for instance in instances {
        let origin = instance.origin.as_ref().map(ToString::to_string).unwrap_or_default();
        rows.add(vec![
            table::cell(&instance.instance),
            table::list(&instance.addresses),
            table::cell(&instance.port),
            table::cell(&instance.weight),
            table::cell(&instance.priority),
            table::status(output, &instance.state()),
            table::cell(&age(&instance.since, clock)),
            table::list(&instance.tags),
            table::cell(&origin),
            table::cell(&table::beginning(instance.output())),
        ]);
    }
    rows
}

/// For how long since an instant, in its largest unit: `42s`, `3m`, `2h`, `5d`. What is no instant
/// is shown as it is, and what lies ahead by the clocks' difference is now.
pub(super) fn age(since: &str, clock: &Clock) -> String {
    let Ok(since) = since.parse::<Timestamp>() else { return since.to_owned() };
    let then = u64::try_from(since.as_millisecond()).unwrap_or_default();
    let seconds = Duration::from_millis(clock.wall_millis().saturating_sub(then)).as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::{ShowArgs, age};
    use crate::{
        cli::testing::{Buffer, Stub},
        util::Clock,
    };

    /// 2026-01-01T00:00:00Z.
    const NEW_YEAR: Duration = Duration::from_secs(1_767_225_600);

    fn replies() -> Vec<(u16, String)> {
        let service = json!({"service": "web", "failing_open": "none_healthy", "policy": {
            "ttl": 5, "answer_limit": 8, "when_none_healthy": "all", "min_healthy": 0.5,
            "own": true, "revision": 3}});
        let instances = json!({"revision": 9, "instances": [
            {"instance": "web-1", "addresses": ["10.0.0.1", "fd00::1"], "port": 8080, "weight": 10,
             "priority": 1, "tags": ["v1", "eu"], "status": "critical",
             "since": "2025-12-31T23:58:30Z", "drained": true, "checks": [
                {"type": "ttl", "status": "passing", "output": "registered"},
                {"type": "http", "status": "critical", "output": "HTTP 503\u{1b}[31mdown"}]},
            {"instance": "w2", "addresses": ["db.example.org"], "port": 0, "weight": 1,
             "priority": 2, "status": "passing", "since": "2026-01-01T00:00:00Z",
             "origin": {"interface": "consul", "node": "ip-10-0-1-6", "id": "w 2"}},
        ]});
        vec![(200, service.to_string()), (200, instances.to_string())]
    }

    #[tokio::test]
    async fn a_service_is_its_policy_and_a_table() {
        let stub = Stub::replying([replies(), replies()].concat()).await;
        let clock = Clock::starting_at(NEW_YEAR);
        let show = || ShowArgs { service: "web".into() };
        let buffer = Buffer::default();
        show().run(&stub.client(), &mut buffer.output(false), &clock).await.unwrap();
        assert_eq!(
            buffer.text(),
            "\
web: ttl 5s, answer_limit 8, when_none_healthy all, min_healthy 0.5 (its own)
failing open: none is healthy, so all are answered

INSTANCE  ADDRESS           PORT  WEIGHT  PRIO  STATUS            SINCE  TAGS   \
ORIGIN                    OUTPUT
web-1     10.0.0.1,fd00::1  8080      10     1  critical,drained     1m  v1,eu  \
-                         HTTP 503 [31mdown
w2        db.example.org       0       1     2  passing              0s  -      \
consul:ip-10-0-1-6/w%202  -
"
        );
        let json_buffer = Buffer::default();
        show().run(&stub.client(), &mut json_buffer.output(true), &clock).await.unwrap();
        let printed: serde_json::Value = serde_json::from_str(&json_buffer.text()).unwrap();
        assert_eq!(printed["service"]["policy"]["ttl"], 5);
        assert_eq!(printed["instances"][1]["instance"], "w2");
        let asked = ["GET /api/v1/services/web", "GET /api/v1/services/web/instances"];
        assert_eq!(stub.asked(), [asked, asked].concat());
    }

    #[tokio::test]
    async fn an_age_has_one_unit() {
        let clock = Clock::starting_at(NEW_YEAR);
        for (since, expected) in [
            ("2025-12-31T23:59:18Z", "42s"),
            ("2025-12-31T23:00:01Z", "59m"),
            ("2025-12-31T00:00:00Z", "24h"),
            ("2025-12-01T00:00:00Z", "31d"),
            ("2026-01-01T00:00:09Z", "0s"),
            ("yesterday", "yesterday"),
        ] {
            assert_eq!(age(since, &clock), expected, "{since}");
        }
    }
}
