//! How an upstream is named: `192.0.2.53`, `192.0.2.53:5353`, `[2001:db8::53]:5353`, and the same
//! behind `tcp://`.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use crate::model::Invalid;

/// The port of DNS (RFC 1035 §4.2).
const PORT: u16 = 53;

/// A server that is asked what we do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpstreamSpec {
    /// Where it is.
    pub address: SocketAddr,
    /// Whether it is asked over TCP only; else over UDP, and over TCP what was cut.
    pub tcp_only: bool,
}

// === impl UpstreamSpec ===

impl UpstreamSpec {
    /// A server that is asked over UDP first.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, tcp_only: false }
    }

    /// Whether a server could answer there.
    pub(super) fn is_usable(&self) -> bool {
        let ip = self.address.ip();
        self.address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast()
    }
}

impl FromStr for UpstreamSpec {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refuse = |problem: &str| Invalid::new("upstream", text, problem);
        let (tcp_only, place) = match text.split_once("://") {
            Some(("tcp", place)) => (true, place),
            Some(("udp", place)) => (false, place),
            Some(_) => return Err(refuse("has a scheme other than `udp://` and `tcp://`")),
            None => (false, text),
        };
        let bare = place.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(place);
        let address = match (place.parse(), bare.parse::<IpAddr>()) {
            (Ok(address), _) => address,
            (_, Ok(ip)) => SocketAddr::new(ip, PORT),
            _ => {
                let problem = "is no address, as in `192.0.2.53`, `192.0.2.53:5353` or \
                               `[2001:db8::53]:5353`; a name would have to be resolved first";
                return Err(refuse(problem));
            }
        };
        let new = Self { address, tcp_only };
        if !new.is_usable() {
            return Err(refuse("is no address that a server could answer at"));
        }
        Ok(new)
    }
}

impl fmt::Display for UpstreamSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tcp_only {
            f.write_str("tcp://")?;
        }
        write!(f, "{}", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::UpstreamSpec;

    #[test]
    fn an_upstream_is_an_address_with_or_without_a_port() {
        for (text, shown) in [
            ("192.0.2.53", "192.0.2.53:53"),
            ("192.0.2.53:5353", "192.0.2.53:5353"),
            ("2001:db8::53", "[2001:db8::53]:53"),
            ("[2001:db8::53]", "[2001:db8::53]:53"),
            ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
            ("udp://192.0.2.53", "192.0.2.53:53"),
            ("tcp://192.0.2.53", "tcp://192.0.2.53:53"),
        ] {
            let spec: UpstreamSpec = text.parse().unwrap();
            assert_eq!(spec.to_string(), shown);
            assert_eq!(shown.parse::<UpstreamSpec>().unwrap(), spec, "what is shown is read back");
        }
        for text in ["", "dns.example.com", "192.0.2.53:", "192.0.2.53:0", "0.0.0.0", "224.0.0.1"] {
            text.parse::<UpstreamSpec>().unwrap_err();
        }
        let refusal = "https://192.0.2.53".parse::<UpstreamSpec>().unwrap_err().to_string();
        assert!(refusal.contains("`udp://` and `tcp://`"), "{refusal}");
    }
}
