//! `rollcall policy`: shows, sets or unsets how a service is answered.

use std::time::Duration;

use clap::{Args, builder::PossibleValuesParser};
use hyper::Method;
use serde_json::{Value, json};

use crate::{
    cli::{
        args::duration,
        client::{Client, Path},
        exit::Failure,
        output::Output,
        reply,
    },
    model::{Share, WhenNoneHealthy},
    util::format_duration,
};

/// Which service, and what changes.
#[derive(Debug, Args)]
pub(in crate::cli) struct PolicyArgs {
    /// The service
    service: String,
    /// TTL of its records, whole seconds: `5s`; `0s` forbids caching
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    ttl: Option<Duration>,
    /// How many address records one answer has at the most
    #[arg(long, value_name = "N")]
    answer_limit: Option<u16>,
    /// The answer when no instance is healthy
    #[arg(long, value_name = "ANSWER", value_parser = answers())]
    when_none_healthy: Option<String>,
    /// Below this share of healthy weight, 0 to 1, all instances are answered
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_healthy: Option<f64>,
    /// Forget the policy, so that the server's default holds
    #[arg(long, conflicts_with_all = ["ttl", "answer_limit", "when_none_healthy", "min_healthy"])]
    unset: bool,
}

// === impl PolicyArgs ===

impl PolicyArgs {
    /// Asks for it, and says what holds then.
    pub(in crate::cli) async fn run(
        self,
        client: &Client,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let service = &self.service;
        let path = Path::new(&["services", service, "policy"]);
        if self.unset {
            let reply = client.send(Method::DELETE, &path, None).await?;
            if output.json {
                return Ok(output.json(&reply.json())?);
            }
            let revision = reply.at();
            return Ok(output.line(&format!("policy of {service} unset{revision}"))?);
        }
        let changes = self.changes();
        if !changes.is_empty() {
            self.change(client, &path, changes).await?;
        }
        let (policy, json) = client.get::<reply::Policy>(&path).await?;
        if output.json {
            return Ok(output.json(&json)?);
        }
        Ok(output.sentence(&format!("{service}: {policy}"))?)
    }

    /// Puts the policy as it was, with the changes. The API replaces a policy as a whole, and a
    /// service's own settings that nobody named must not fall back to the default by that.
    async fn change(
        &self,
        client: &Client,
        path: &Path,
        changes: Vec<(&'static str, Value)>,
    ) -> Result<(), Failure> {
        // A policy may be set before the service is there; then there is nothing to keep.
        let before = client.get::<reply::Policy>(path).await;
        let mut body = match before {
            Ok((policy, _)) if policy.own => json!({
                "ttl": policy.ttl,
                "answer_limit": policy.answer_limit,
                "when_none_healthy": policy.when_none_healthy,
                "min_healthy": policy.min_healthy,
            }),
            Ok(_) | Err(Failure::Refused { .. }) => json!({}),
            Err(failure) => return Err(failure),
        };
        for (field, value) in changes {
            body[field] = value;
        }
        client.send(Method::PUT, path, Some(body.to_string())).await?;
        Ok(())
    }

    fn changes(&self) -> Vec<(&'static str, Value)> {
        let fields = [
            ("ttl", self.ttl.map(|ttl| json!(format_duration(ttl)))),
            ("answer_limit", self.answer_limit.map(|limit| json!(limit))),
            ("when_none_healthy", self.when_none_healthy.as_ref().map(|answer| json!(answer))),
            ("min_healthy", self.min_healthy.map(|share| json!(share))),
        ];
        fields.into_iter().filter_map(|(field, value)| Some((field, value?))).collect()
    }
}

fn answers() -> PossibleValuesParser {
    PossibleValuesParser::new(WhenNoneHealthy::ALL.map(WhenNoneHealthy::as_str))
}

/// A share, which must be a number that JSON has a word for: NaN would be sent as null.
fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().map_err(|_| "is no number")?;
    Share::new(share).map(Share::as_f64).map_err(|invalid| invalid.problem)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::PolicyArgs;
    use crate::cli::testing::{Buffer, Stub};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        policy: PolicyArgs,
    }

    fn policy(own: bool, ttl: u32) -> (u16, String) {
        let policy = json!({"ttl": ttl, "answer_limit": 3, "when_none_healthy": "nodata",
                            "min_healthy": 0.25, "own": own, "revision": 2});
        (200, policy.to_string())
    }

    async fn run(line: &str, replies: Vec<(u16, String)>) -> (String, Stub) {
        let stub = Stub::replying(replies).await;
        let buffer = Buffer::default();
        let verb = Line::parse_from(line.split(' ')).policy;
        verb.run(&stub.client(), &mut buffer.output(false)).await.unwrap();
        (buffer.text(), stub)
    }

    #[tokio::test]
    async fn a_change_keeps_what_it_does_not_name() {
        let replies = vec![policy(true, 5), (200, "{}".into()), policy(true, 60)];
        let (text, stub) = run("policy web --ttl 1m", replies).await;
        let shown = "answer_limit 3, when_none_healthy nodata, min_healthy 0.25 (its own)";
        assert_eq!(text, format!("web: ttl 60s, {shown}\n"));
        let path = "/api/v1/services/web/policy";
        assert_eq!(
            stub.asked(),
            [format!("GET {path}"), format!("PUT {path}"), format!("GET {path}")]
        );
        let body: Value = serde_json::from_str(&stub.requests()[1].body).unwrap();
        let expected = json!({"ttl": "1m", "answer_limit": 3, "when_none_healthy": "nodata",
                              "min_healthy": 0.25});
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn the_default_is_not_made_a_services_own() {
        let replies = vec![policy(false, 5), (200, "{}".into()), policy(true, 5)];
        let (_, stub) = run("policy web --answer-limit 1", replies).await;
        assert_eq!(stub.requests()[1].body, "{\"answer_limit\":1}");
    }

    #[tokio::test]
    async fn a_policy_is_shown_and_unset() {
        let (text, stub) = run("policy web", vec![policy(false, 5)]).await;
        assert!(text.ends_with("(the server's default)\n"), "{text}");
        assert_eq!(stub.asked().len(), 1);
        let (text, stub) = run("policy web --unset", vec![(204, String::new())]).await;
        assert_eq!(text, "policy of web unset (revision 7)\n");
        assert_eq!(stub.asked(), ["DELETE /api/v1/services/web/policy"]);
    }
}
