//! Upstreams from a resolv.conf: its `nameserver` lines, and no more of it. Search lists and
//! options are for those who ask us, who have their own.

use std::{
    fs,
    io::{ErrorKind, Read},
    net::{Ipv6Addr, SocketAddr},
    os::unix::fs::MetadataExt,
    path::Path,
};

use super::UpstreamSpec;

/// Octets of the file: a thousand times what such a file has.
const OCTETS_MAX: u64 = 1 << 20;

/// Servers that are taken from it; libraries take three.
const SERVERS_MAX: usize = 16;

/// What tells one state of the file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stamp(Option<(i64, i64, u64, u64)>);

/// The stamp of the file as it is now.
pub(super) fn stamp(path: &Path) -> Stamp {
    let known = fs::metadata(path).ok();
    Stamp(known.map(|known| (known.ctime(), known.ctime_nsec(), known.size(), known.ino())))
}

/// Why there are no servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unread {
    /// The file, the line and the reason.
    pub problem: String,
    /// Whether it may be another time although the file is the same.
    pub may_pass: bool,
}

/// Reads the servers that the file names.
///
/// # Errors
/// With the file, the line and the reason.
pub(super) fn read(path: &Path) -> Result<Vec<UpstreamSpec>, Unread> {
    let shown = path.display();
    let mut text = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(OCTETS_MAX + 1).read_to_end(&mut text))
        .map_err(|error| {
            let may_pass = error.kind() != ErrorKind::NotFound;
            Unread { problem: format!("cannot read `{shown}`: {error}"), may_pass }
        })?;
    let wrong = |problem: String| Unread { problem, may_pass: false };
    if text.len() as u64 > OCTETS_MAX {
        return Err(wrong(format!("`{shown}` is larger than the limit of {OCTETS_MAX} octets")));
    }
    parse(&String::from_utf8_lossy(&text)).map_err(|(line, problem)| match line {
        0 => wrong(format!("{shown}: {problem}")),
        line => wrong(format!("{shown}:{line}: {problem}")),
    })
}

/// The servers, or the line that is wrong and why.
fn parse(text: &str) -> Result<Vec<UpstreamSpec>, (usize, String)> {
    let mut servers = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let mut words = line.split_whitespace();
        if words.next() != Some("nameserver") {
            continue;
        }
        let Some(address) = words.next() else {
            return Err((number, "`nameserver` has no address".into()));
        };
        if is_of_a_link(address) {
            tracing::warn!(address, "a name server of one link cannot be asked; it is left out");
            continue;
        }
        let Ok(ip) = address.parse() else {
            let problem = format!("`{address}` is no address of a name server");
            return Err((number, problem));
        };
        let server = UpstreamSpec::new(SocketAddr::new(ip, 53));
        if !servers.contains(&server) && servers.len() < SERVERS_MAX {
            servers.push(server);
        }
    }
    if servers.is_empty() {
        return Err((0, "has no `nameserver` line that can be used".into()));
    }
    Ok(servers)
}

/// Whether it is an address together with a link (`fe80::1%eth0`, RFC 4007 §11), as routers
/// announce them: right for who asks by itself, but hickory knows of no links.
fn is_of_a_link(address: &str) -> bool {
    let ip = address.split_once('%').map(|(ip, _)| ip.parse::<Ipv6Addr>());
    matches!(ip, Some(Ok(_)))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_nameserver_lines_are_taken_in_their_order() {
        let text = "# resolver\nsearch example.com\nnameserver 192.0.2.53\n\
            nameserver\t2001:db8::53 # the second\nnameserver 192.0.2.53\noptions ndots:5\n\
            nameserver fe80::1%eth0\n";
        let servers = parse(text).unwrap();
        let shown: Vec<_> = servers.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["192.0.2.53:53", "[2001:db8::53]:53"]);
    }

    #[test]
    fn a_mistake_is_told_by_its_line() {
        for (text, line) in [
            ("nameserver 192.0.2.53\nnameserver 192.0.2.\n", 2),
            ("\nnameserver\n", 2),
            ("nameserver fe80::1%eth0\n", 0),
            ("nameserver 192.0.2.1%eth0\n", 1),
            ("search example.com\n", 0),
            ("", 0),
        ] {
            assert_eq!(parse(text).unwrap_err().0, line, "{text}");
        }
    }
}
