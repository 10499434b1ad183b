//! `rollcall register`: registers an instance, or replaces it.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::{
    cli::{
        args::duration,
        client::{Client, Path},
        exit::Failure,
        output::Output,
    },
    util::format_duration,
};

/// What is registered: by options, or by a file.
#[derive(Debug, Args)]
pub(in crate::cli) struct RegisterArgs {
    /// The service
    service: String,
    /// The instance
    instance: String,
    /// Its IP address, or a single host name in place of addresses; may be repeated [default: the
    /// address that the request comes from]
    #[arg(long = "address", value_name = "IP")]
    addresses: Vec<String>,
    /// Its port
    #[arg(long, value_name = "N", required_unless_present = "file")]
    port: Option<u16>,
    /// Its share of the answers, 0 to 65535; 0 is a stand-by [default: 1]
    #[arg(long, value_name = "N")]
    weight: Option<u16>,
    /// Its share while it is warning, 0 to 65535 [default: --weight]
    #[arg(long, value_name = "N")]
    warning_weight: Option<u16>,
    /// Its failover tier, 0 to 65535; the lowest with a healthy instance is answered [default: 1]
    #[arg(long, value_name = "N")]
    priority: Option<u16>,
    /// A tag, which makes the name TAG.SERVICE; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Metadata, one string of the TXT record; may be repeated
    #[arg(long = "meta", value_name = "KEY=VALUE", value_parser = pair)]
    meta: Vec<(String, String)>,
    /// Remove it after it was critical for so long
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    deregister_after: Option<Duration>,
    /// Take the registration from a file of JSON instead, `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "addresses", "port", "weight", "warning_weight", "priority", "tags", "meta",
        "deregister_after", "CheckArgs",
    ])]
    file: Option<PathBuf>,
    #[command(flatten)]
    checks: CheckArgs,
}

/// What is checked. Interval and the like hold for all active checks of the command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Checks")]
struct CheckArgs {
    /// Check by a GET of this path, which must be answered with 200 to 299; may be repeated
    #[arg(long, value_name = "PATH")]
    http: Vec<String>,
    /// Check by a TCP connection
    #[arg(long)]
    tcp: bool,
    /// Check by a UDP datagram, which must not be refused
    #[arg(long)]
    udp: bool,
    /// Check by grpc.health.v1, of the server as a whole or of one of its services
    #[arg(long, value_name = "SERVICE", num_args = 0..=1, default_missing_value = "")]
    grpc: Option<String>,
    /// Check by an HTTP/2 PING over TLS
    #[arg(long)]
    h2ping: bool,
    /// Expect a heartbeat at least so often
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    ttl: Option<Duration>,
    /// From one check's start to the next one's [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    interval: Option<Duration>,
    /// After which an unanswered check has failed [default: 2s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    check_timeout: Option<Duration>,
    /// Successes in a row that turn a critical check [default: 1]
    #[arg(long, value_name = "N")]
    rise: Option<u16>,
    /// Failures in a row that turn a check critical [default: 2]
    #[arg(long, value_name = "N")]
    fall: Option<u16>,
    /// Failures in a row that turn a passing check warning, fewer than --fall [default: none do]
    #[arg(long, value_name = "N")]
    warn_after: Option<u16>,
}

// === impl RegisterArgs ===

impl RegisterArgs {
    /// Asks for it, and says at which revision it is so.
    pub(in crate::cli) async fn run(
        self,
        client: &Client,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let body = match &self.file {
            Some(file) => read_registration(file)?,
            None => self.registration()?.to_string(),
        };
        let Self { service, instance, .. } = &self;
        let path = Path::new(&["services", service, "instances", instance]);
        let reply = client.send(Method::PUT, &path, Some(body)).await?;
        if output.json {
            return Ok(output.json(&reply.json())?);
        }
        let done = if reply.status == StatusCode::CREATED { "registered" } else { "updated" };
        let revision = reply.at();
        Ok(output.line(&format!("{done} {service}/{instance}{revision}"))?)
    }

    /// The body of the request: only what was given, so that the server's defaults hold.
    fn registration(&self) -> Result<Value, Failure> {
        let mut body = Map::new();
        let mut put = |field: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(field.to_owned(), value);
            }
        };
        let some = |list: &[String]| (!list.is_empty()).then(|| json!(list));
        put("addresses", some(&self.addresses));
        put("port", self.port.map(Value::from));
        put("weight", self.weight.map(Value::from));
        put("warning_weight", self.warning_weight.map(Value::from));
        put("priority", self.priority.map(Value::from));
        put("tags", some(&self.tags));
        let mut meta = Map::new();
        for (key, value) in &self.meta {
            if meta.insert(key.clone(), json!(value)).is_some() {
                return Err(Failure::Usage(format!("--meta: the key `{key}` is there twice")));
            }
        }
        put("meta", (!meta.is_empty()).then_some(Value::Object(meta)));
        let checks = self.checks.checks()?;
        put("checks", (!checks.is_empty()).then_some(Value::Array(checks)));
        put("deregister_after", self.deregister_after.map(period));
        Ok(Value::Object(body))
    }
}

// === impl CheckArgs ===

impl CheckArgs {
    fn checks(&self) -> Result<Vec<Value>, Failure> {
        let mut active = Vec::new();
        active.extend(self.http.iter().map(|path| json!({"type": "http", "path": path})));
        active.extend(self.tcp.then(|| json!({"type": "tcp"})));
        active.extend(self.udp.then(|| json!({"type": "udp"})));
        active.extend(self.h2ping.then(|| json!({"type": "h2ping"})));
        active.extend(self.grpc.as_ref().map(|service| match service.as_str() {
            "" => json!({"type": "grpc"}),
            service => json!({"type": "grpc", "service": service}),
        }));
        let settings = [
            ("--interval", "interval", self.interval.map(period)),
            ("--check-timeout", "timeout", self.check_timeout.map(period)),
            ("--rise", "rise", self.rise.map(Value::from)),
            ("--fall", "fall", self.fall.map(Value::from)),
            ("--warn-after", "warn_after", self.warn_after.map(Value::from)),
        ];
        for (flag, field, value) in settings {
            let Some(value) = value else { continue };
            if active.is_empty() {
                let problem = "means nothing without --http, --tcp, --udp, --grpc or --h2ping";
                return Err(Failure::Usage(format!("{flag} {problem}")));
            }
            for check in &mut active {
                check[field] = value.clone();
            }
        }
        active.extend(self.ttl.map(|ttl| json!({"type": "ttl", "ttl": period(ttl)})));
        Ok(active)
    }
}

fn period(duration: Duration) -> Value {
    format_duration(duration).into()
}

/// `KEY=VALUE`; the value may have further `=`.
fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("there is no `=` between key and value")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// The file as it is, so that the server sees what would be lost by reading it here (a field that
/// is there twice) and names the line of a mistake. Only JSON is sent.
fn read_registration(file: &std::path::Path) -> Result<String, Failure> {
    let name = file.display();
    let refuse = |problem: String| Failure::Usage(format!("--file: `{name}` {problem}"));
    let read = match file.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin()),
        _ => std::fs::read_to_string(file),
    };
    let text = read.map_err(|error| refuse(format!("cannot be read: {error}")))?;
    let value: Value =
        serde_json::from_str(&text).map_err(|error| refuse(format!("is no JSON: {error}")))?;
    if !value.is_object() {
        return Err(refuse("is no registration, which is a JSON object".into()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
