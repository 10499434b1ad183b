//! What is looked at of proxies. They are kept as they were sent and given back so; there is no
//! service mesh here.

use serde_json::Value;

/// The kind of service that stands before another one.
const CONNECT_PROXY: &str = "connect-proxy";

/// Consul's own checks of a service of kind `connect-proxy`.
///
/// # Errors
/// The faults, a line each, in the shape that Consul gives them.
pub(super) fn validate(kind: &str, proxy: Option<&Value>, port: i64) -> Result<(), String> {
    if kind != CONNECT_PROXY {
        return Ok(());
    }
    let mut faults = Vec::new();
    let destination = proxy.and_then(|proxy| member(proxy, "DestinationServiceName"));
    if destination.and_then(Value::as_str).is_none_or(|name| name.trim().is_empty()) {
        faults.push("Proxy.DestinationServiceName must be non-empty for Connect proxy services");
    }
    if port == 0 {
        faults.push("Port must be set for a Connect proxy");
    }
    match faults.len() {
        0 => Ok(()),
        count => {
            let noun = if count == 1 { "error" } else { "errors" };
            let lines: String = faults.iter().map(|fault| format!("\t* {fault}\n")).collect();
            Err(format!("{count} {noun} occurred:\n{lines}\n"))
        }
    }
}

/// A sidecar is a second service, which an agent registers beside this one and gives a port. There
/// is none here, and who asks for one would wait for it.
///
/// # Errors
/// The text.
pub(super) fn validate_connect(connect: Option<&Value>) -> Result<(), &'static str> {
    let sidecar = connect.and_then(|connect| member(connect, "SidecarService"));
    match sidecar.is_none_or(Value::is_null) {
        true => Ok(()),
        false => Err("Invalid service: Connect.SidecarService is not available: this server is \
                      Rollcall, which has no service mesh; register without it"),
    }
}

/// The member of an object, its name in any case.
fn member<'v>(object: &'v Value, name: &str) -> Option<&'v Value> {
    let mut members = object.as_object()?.iter();
    members.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
