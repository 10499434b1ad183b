//! `rollcall resolve`: asks the server's DNS, as any client would.

use std::net::{IpAddr, SocketAddr};

use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{args::ClientArgs, exit::Failure, output::Output, table},
    dns::client::{AnswerRecord, Lookup, LookupError, Question},
};

/// The port of DNS (RFC 1035 §4.2).
const DNS_PORT: u16 = 53;

/// What is asked, and whom.
#[derive(Debug, Args)]
pub(in crate::cli) struct ResolveArgs {
    /// A name; without a dot it is a service, and an address is asked for its name
    name: String,
    /// The records to ask for: A, AAAA, SRV, TXT, PTR, SOA, NS …; may be repeated [default: A and
    /// AAAA]
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Where DNS is answered; without a port it is port 53
    #[arg(long, value_name = "ADDR[:PORT]", default_value = "127.0.0.1:8600", value_parser = place)]
    dns: SocketAddr,
    /// The domain above `service`, for a name without a dot
    #[arg(long, default_value = "internal", env = "ROLLCALL_SERVER_DOMAIN")]
    domain: String,
    /// Ask over TCP only
    #[arg(long)]
    tcp: bool,
}

// === impl ResolveArgs ===

impl ResolveArgs {
    /// Prints each reply. It is a negative result when none has an answer.
    pub(in crate::cli) async fn run(
        self,
        client: &ClientArgs,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let (name, types) = self.questions();
        let mut replies = Vec::with_capacity(types.len());
        for record_type in types {
            let question = Question::new(&name, &record_type).map_err(failure)?;
            let asked = question.ask(self.dns, client.timeout(), self.tcp).await;
            replies.push((record_type, asked.map_err(failure)?));
        }
        if output.json {
            let replies: Vec<_> =
                replies.iter().map(|(t, reply)| to_json(&name, t, reply)).collect();
            output.json(&json!({"server": self.dns.to_string(), "replies": replies}))?;
        } else {
            print(&name, &replies, output)?;
        }
        if replies.iter().all(|(_, reply)| reply.answers.is_empty()) {
            let mut reason = nothing(&name, &replies);
            if replies.iter().any(|(_, reply)| reply.rcode == "REFUSED") {
                reason.push_str(&self.advice());
            }
            return Err(Failure::Negative(reason));
        }
        Ok(())
    }

    /// What may be meant by a name that is nobody's there.
    fn advice(&self) -> String {
        let Self { name, domain, .. } = self;
        let under = |zone: &str| name.trim_end_matches('.').ends_with(zone);
        if name.parse::<IpAddr>().is_ok() {
            return "; `dns.reverse` of the server's configuration names the networks that are"
                .into();
        }
        if !name.contains('.') || name.ends_with('.') || under(domain) {
            return String::new();
        }
        format!("; a name with a dot is asked for as it is: is `{name}.service.{domain}` meant?")
    }

    /// The name as it is asked for, and the types.
    fn questions(&self) -> (String, Vec<String>) {
        let types = |default: &[&str]| match self.types.as_slice() {
            [] => default.iter().map(ToString::to_string).collect(),
            types => types.iter().map(|t| t.to_ascii_uppercase()).collect(),
        };
        if let Ok(ip) = self.name.parse::<IpAddr>() {
            return (reverse_name(ip), types(&["PTR"]));
        }
        let name = if self.name.contains('.') {
            self.name.clone()
        } else {
            format!("{}.service.{}", self.name, self.domain)
        };
        (name, types(&["A", "AAAA"]))
    }
}

fn print(name: &str, replies: &[(String, Lookup)], output: &mut Output) -> Result<(), Failure> {
    let mut rows = table::Rows::new(output, &["NAME", "TTL", "TYPE", "DATA"], &["TTL"]);
    for (record_type, reply) in replies {
        let transport = if reply.tcp { "tcp" } else { "udp" };
        let flags = reply.flags.join(" ");
        output.line(&format!(";; {name} {record_type}: {} ({flags}) {transport}", reply.rcode))?;
        // The addresses of SRV targets and the like: who asked for the one needs the other.
        for record in reply.answers.iter().chain(&reply.additionals) {
            rows.add(vec![
                table::cell(&record.name),
                table::cell(&record.ttl),
                table::cell(&record.record_type),
                table::cell(&record.data),
            ]);
        }
    }
    if !rows.is_empty() {
        output.table(rows)?;
    }
    Ok(())
}

/// Why there is nothing to show: the worst code, or that the name has no such records.
fn nothing(name: &str, replies: &[(String, Lookup)]) -> String {
    let failed = replies.iter().find(|(_, reply)| reply.rcode != "NOERROR");
    match failed {
        Some((_, reply)) if reply.rcode == "NXDOMAIN" => {
            format!("there is no name `{name}` (NXDOMAIN)")
        }
        Some((_, reply)) => format!("`{name}` is not answered ({})", reply.rcode),
        None => {
            let types: Vec<_> = replies.iter().map(|(t, _)| t.as_str()).collect();
            format!("`{name}` has no records of type {} (NODATA)", types.join(" or "))
        }
    }
}

fn to_json(name: &str, record_type: &str, reply: &Lookup) -> Value {
    let section = |records: &[AnswerRecord]| {
        let record = |record: &AnswerRecord| {
            let AnswerRecord { name, ttl, record_type, data } = record;
            json!({"name": name, "ttl": ttl, "type": record_type, "data": data})
        };
        records.iter().map(record).collect::<Vec<_>>()
    };
    json!({
        "name": name,
        "type": record_type,
        "rcode": reply.rcode,
        "flags": reply.flags,
        "transport": if reply.tcp { "tcp" } else { "udp" },
        "answers": section(&reply.answers),
        "authorities": section(&reply.authorities),
        "additionals": section(&reply.additionals),
    })
}

/// Where DNS is answered: an address and a port, or an address, whose port 53 is then meant.
fn place(text: &str) -> Result<SocketAddr, &'static str> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let at_53 = || bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT));
    let wanted = "it takes an IP address, with or without a port: 127.0.0.1:8600, [::1]:8600, ::1";
    text.parse().or_else(|_| at_53()).map_err(|_| wanted)
}

fn failure(error: LookupError) -> Failure {
    match error {
        LookupError::BadQuestion(problem) => Failure::Usage(problem),
        LookupError::BadReply(..) => Failure::Negative(error.to_string()),
        LookupError::TimedOut(..) | LookupError::Unreachable(..) => Failure::Unreachable(format!(
            "{error}; is `rollcall serve` answering DNS there? --dns names another place"
        )),
    }
}

/// The name under which an address has its PTR records (RFC 1035 §3.5, RFC 3596 §2.5).
fn reverse_name(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let nibbles = ip.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            let labels: String = nibbles.map(|nibble| format!("{nibble:x}.")).collect();
            format!("{labels}ip6.arpa")
        }
    }
}

#[cfg(test)]
mod tests;
