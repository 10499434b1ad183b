//! From a check's target to a connected socket: names, addresses, and errors in plain words.

use std::{
    fmt,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::Arc,
};

use tokio::{net::TcpStream, sync::Semaphore};

use super::{ProbeError, prober::Progress};
use crate::model::{Addresses, Instance, Target};

/// Lookups at the same time. Each occupies a thread for as long as the system's resolver likes,
/// past the probe's timeout too; the store needs threads of the same pool, so a resolver that is
/// down must not take them all.
const LOOKUPS_MAX: usize = 32;
/// Addresses of one name that are tried in turn.
const ADDRESSES_MAX: usize = 4;

/// Where a probe goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Ip(IpAddr),
    Name(Arc<str>),
}

/// Looks up names by the system's resolver.
#[derive(Debug)]
pub(super) struct Resolver {
    lookups: Arc<Semaphore>,
}

// === impl Destination ===

impl Destination {
    /// The check's own target where it has one, the instance's first address and port otherwise.
    ///
    /// # Errors
    /// When the instance has neither address nor name, which none that was registered has.
    pub(super) fn of(instance: &Instance, target: &Target) -> Result<Self, ProbeError> {
        let port = target.port.unwrap_or(instance.port);
        let host = match (&target.host, &instance.addresses) {
            (Some(host), _) => return Ok(Self::at(host, port)),
            (None, Addresses::Host(name)) => Host::Name(name.to_string().into()),
            (None, ips) => match ips.as_ips().first() {
                Some(&ip) => Host::Ip(ip),
                None => return Err(ProbeError::NotRun("the instance has no address".into())),
            },
        };
        Ok(Self { host, port })
    }

    /// A host by its address, also in brackets, or by its name.
    pub(super) fn at(host: &str, port: u16) -> Self {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = match bare.unwrap_or(host).parse() {
            Ok(ip) => Host::Ip(ip),
            Err(_) => Host::Name(host.into()),
        };
        Self { host, port }
    }

    /// The same under another name of its host.
    pub(super) fn called(&self, name: &str) -> Self {
        Self::at(name, self.port)
    }

    /// Whether it is the host of `other`, or below its name: what is meant for that host only may
    /// be told to this one.
    pub(super) fn is_at_or_below(&self, other: &Self) -> bool {
        match (&self.host, &other.host) {
            (Host::Name(_), Host::Name(_)) => {
                let (own, others) = (self.host().to_lowercase(), other.host().to_lowercase());
                own.strip_suffix(&others).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (own, others) => own == others,
        }
    }

    /// The host as it stands in a certificate: an address or a name, without the port.
    pub(super) fn host(&self) -> String {
        match &self.host {
            Host::Ip(ip) => ip.to_string(),
            Host::Name(name) => name.trim_end_matches('.').to_owned(),
        }
    }

    /// The host as it stands in a `Host` header: with the port, unless it is the scheme's own
    /// (RFC 9110 §7.2).
    pub(super) fn authority(&self, default_port: u16) -> String {
        if self.port == default_port {
            match &self.host {
                Host::Ip(IpAddr::V6(ip)) => format!("[{ip}]"),
                _ => self.host(),
            }
        } else {
            self.to_string()
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(ip) => SocketAddr::new(*ip, self.port).fmt(f),
            Host::Name(name) => write!(f, "{}:{}", name.trim_end_matches('.'), self.port),
        }
    }
}

// === impl Resolver ===

impl Resolver {
    /// A resolver with no lookup under way.
    pub(super) fn new() -> Self {
        Self { lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }

    /// A connection to the first of the destination's addresses that takes one.
    ///
    /// # Errors
    /// When the name has no address or none of them takes a connection.
    pub(super) async fn connect(
        &self,
        to: &Destination,
        progress: &Progress,
    ) -> Result<TcpStream, ProbeError> {
        let addresses = self.addresses(to, progress).await?;
        progress.enter("connecting to");
        let mut refusal = nowhere(to);
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => refusal = refused("connect to", address, &error),
            }
        }
        Err(refusal)
    }

    /// The first few of the destination's addresses, in the order in which they are tried.
    ///
    /// # Errors
    /// When the name is not found.
    pub(super) async fn addresses(
        &self,
        to: &Destination,
        progress: &Progress,
    ) -> Result<Vec<SocketAddr>, ProbeError> {
        match &to.host {
            Host::Ip(ip) => Ok(vec![SocketAddr::new(*ip, to.port)]),
            Host::Name(name) => {
                progress.enter("looking up");
                self.look_up(Arc::clone(name), to.port).await
            }
        }
    }

    async fn look_up(&self, name: Arc<str>, port: u16) -> Result<Vec<SocketAddr>, ProbeError> {
        let stopping = || ProbeError::NotRun("the server is stopping".into());
        let lookups = Arc::clone(&self.lookups);
        let permit = lookups.acquire_owned().await.map_err(|_| stopping())?;
        let asked = Arc::clone(&name);
        let lookup = tokio::task::spawn_blocking(move || {
            // Held by the thread, not by the probe, which may have given up long before.
            let _permit = permit;
            (&*asked, port).to_socket_addrs().map(|found| found.take(ADDRESSES_MAX).collect())
        });
        let found = lookup.await.map_err(|_| stopping())?;
        found.map_err(|error| {
            let text = error.to_string();
            let cause = text.strip_prefix("failed to lookup address information: ");
            let failed = format!("look up `{name}`: {}", cause.unwrap_or(&text));
            if is_ours(&error) { ProbeError::NotRun(failed) } else { ProbeError::Failed(failed) }
        })
    }
}

/// What becomes of a probe when none of no addresses was tried.
pub(super) fn nowhere(to: &Destination) -> ProbeError {
    ProbeError::Failed(format!("look up {to}: the name has no address"))
}

/// What becomes of a probe that an error ended, `doing` this with an address: `connect to`.
pub(super) fn refused(doing: &str, address: SocketAddr, error: &io::Error) -> ProbeError {
    let text = format!("{doing} {address}: {}", plainly(error));
    if is_ours(error) { ProbeError::NotRun(text) } else { ProbeError::Failed(text) }
}

/// Whether an error says that this server is out of something, rather than the instance.
fn is_ours(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable
        || matches!(
            error.raw_os_error(),
            Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
        )
}

/// An error of the operating system in an operator's words, with the remedy where it is here.
pub(super) fn plainly(error: &io::Error) -> String {
    let known = match (error.kind(), error.raw_os_error()) {
        (_, Some(libc::EMFILE)) => "too many open files in this process (raise LimitNOFILE)",
        (_, Some(libc::ENFILE)) => "too many open files on this machine (raise fs.file-max)",
        (_, Some(libc::ENOBUFS | libc::ENOMEM)) => "no memory for sockets on this machine",
        (ErrorKind::AddrNotAvailable, _) => {
            "no free source address or port on this machine (see net.ipv4.ip_local_port_range)"
        }
        (ErrorKind::ConnectionRefused, _) => "connection refused",
        (ErrorKind::ConnectionReset, _) => "connection reset",
        (ErrorKind::HostUnreachable, _) => "no route to the host",
        (ErrorKind::NetworkUnreachable, _) => "no route to the network",
        (ErrorKind::TimedOut, _) => "connection timed out",
        (ErrorKind::UnexpectedEof, None) => "connection closed in the middle",
        _ => return error.to_string(),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{Destination, ProbeError, is_ours, plainly};
    use crate::{
        health::probe::testing::{destination, instance_at, tcp_check},
        model::{Addresses, DnsName, Target},
    };

    #[test]
    fn a_target_overrides_the_instance_part_by_part() {
        let mut instance = instance_at("10.0.0.1:80".parse().unwrap(), tcp_check());
        let to = |host: Option<&str>, port| {
            let target = Target { host: host.map(Into::into), port };
            Destination::of(&instance, &target).unwrap().to_string()
        };
        assert_eq!(to(None, None), "10.0.0.1:80");
        assert_eq!(to(None, Some(81)), "10.0.0.1:81");
        assert_eq!(to(Some("fd00::1"), None), "[fd00::1]:80");
        assert_eq!(to(Some("[fd00::1]"), None), "[fd00::1]:80");
        assert_eq!(to(Some("db.example."), Some(5432)), "db.example:5432");
        instance.addresses = Addresses::Host(DnsName::parse_host("Web.Example").unwrap());
        let own = Destination::of(&instance, &Target::default()).unwrap();
        assert_eq!(own.to_string(), "web.example:80");
    }

    #[test]
    fn the_schemes_own_port_is_left_out_of_the_authority() {
        assert_eq!(destination("10.0.0.1:80").authority(80), "10.0.0.1");
        assert_eq!(destination("10.0.0.1:8080").authority(80), "10.0.0.1:8080");
        assert_eq!(destination("[fd00::1]:443").authority(443), "[fd00::1]");
        assert_eq!(destination("[fd00::1]:443").authority(80), "[fd00::1]:443");
    }

    #[test]
    fn errors_are_told_apart_and_told_plainly() {
        let of = io::Error::from_raw_os_error;
        for (code, ours, text) in [
            (libc::ECONNREFUSED, false, "connection refused"),
            (libc::EHOSTUNREACH, false, "no route to the host"),
            (libc::EMFILE, true, "too many open files in this process"),
            (libc::ENFILE, true, "too many open files on this machine"),
            (libc::EADDRNOTAVAIL, true, "no free source address or port"),
        ] {
            assert_eq!(is_ours(&of(code)), ours, "{text}");
            assert!(plainly(&of(code)).starts_with(text), "{}", plainly(&of(code)));
        }
    }

    #[tokio::test]
    async fn a_name_without_address_is_the_targets_fault_and_is_named() {
        let to = Destination { host: super::Host::Name("no.such.invalid".into()), port: 80 };
        let progress = super::Progress::new();
        let error = super::Resolver::new().connect(&to, &progress).await.unwrap_err();
        assert!(matches!(error, ProbeError::Failed(_)), "{error:?}");
        assert!(error.to_string().starts_with("look up `no.such.invalid`: "), "{error}");
    }
}
