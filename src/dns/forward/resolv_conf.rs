//! Upstreams from a resolv.conf: its `nameserver` lines, and no more of it. Search lists and
//! options are for those who ask us, who have their own.

use std::{
    io::ErrorKind,
    net::{Ipv6Addr, SocketAddr},
    path::Path,
};

use super::UpstreamSpec;
use crate::util::{FileStamp, read_file};

/// Octets of the file: a thousand times what such a file has.
const OCTETS_MAX: usize = 1 << 20;

/// Servers that are taken from it; libraries take three.
const SERVERS_MAX: usize = 16;

/// The file as it was found.
#[derive(Debug)]
pub(super) struct Look {
    /// Before it was read.
    pub stamp: FileStamp,
    /// What it says.
    pub servers: Result<Vec<UpstreamSpec>, Unread>,
}

/// Reads the file, unless its stamp is the `known` one still. This can take as long as whatever it
/// lies on takes, for ever at the worst, so nobody is to wait for it.
pub(super) fn look(path: &Path, known: Option<FileStamp>) -> Option<Look> {
    let stamp = FileStamp::of(path);
    (known != Some(stamp)).then(|| Look { stamp, servers: read(path) })
}

/// Why there are no servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unread {
    /// The file, the line and the reason.
    pub problem: String,
    /// Whether it may be another time although the file is the same.
    pub may_pass: bool,
}

/// Checks that the file names servers.
///
/// # Errors
/// With the file, the line and the reason.
pub fn check(path: &Path) -> Result<(), String> {
    read(path).map(drop).map_err(|unread| unread.problem)
}

/// Reads the servers that the file names.
///
/// # Errors
/// With the file, the line and the reason.
fn read(path: &Path) -> Result<Vec<UpstreamSpec>, Unread> {
    let shown = path.display();
    let text = read_file(path, OCTETS_MAX).map_err(|error| {
        use ErrorKind::{FileTooLarge, InvalidInput, NotFound};
        let may_pass = !matches!(error.kind(), FileTooLarge | InvalidInput | NotFound);
        Unread { problem: format!("cannot read `{shown}`: {error}"), may_pass }
    })?;
    let wrong = |problem: String| Unread { problem, may_pass: false };
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
        if !server.is_usable() {
            let problem = format!("`{address}` is no address that a server could answer at");
            return Err((number, problem));
        }
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
            ("nameserver 192.0.2.53\nnameserver 0.0.0.0\n", 2),
            ("nameserver ::\n", 1),
            ("nameserver 224.0.0.1\n", 1),
            ("nameserver 192.0.2.1%eth0\n", 1),
            ("search example.com\n", 0),
            ("", 0),
        ] {
            assert_eq!(parse(text).unwrap_err().0, line, "{text}");
        }
    }
}
