//! Names that are not ours, through real doors: what clients get, and what upstreams are asked.

mod answers;
mod cache;
mod failures;
mod limits;
mod loops;
mod names;
mod real;
mod upstreams;

use std::net::SocketAddr;

use crate::support::{Node, Upstream, node::Builder, raw};

/// A server that forwards to these upstreams.
fn forwarding(upstreams: &[&Upstream], more: &str) -> Builder {
    let upstreams: Vec<String> = upstreams.iter().map(|it| format!("\"{}\"", it.address)).collect();
    let config = format!("[forward]\nupstreams = [{}]\n{more}\n", upstreams.join(", "));
    Node::builder().config(&config)
}

/// The value of a metric, if it is shown.
fn metric(node: &Node, name: &str) -> Option<String> {
    let page = raw::call(node.http[0], ("GET", "/metrics"), &[], b"");
    page.text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
}

/// How often an upstream has been asked with this result, if ever.
fn requests(node: &Node, upstream: SocketAddr, result: &str) -> Option<String> {
    let labels = format!("{{upstream=\"{upstream}\",rcode=\"{result}\"}}");
    metric(node, &format!("rollcall_forward_requests_total{labels}"))
}

/// The gauge that says whether an upstream is asked.
fn is_up(node: &Node, upstream: &Upstream) -> bool {
    let name = format!("rollcall_forward_upstream_up{{upstream=\"{}\"}}", upstream.address);
    metric(node, &name).as_deref() == Some("1")
}
