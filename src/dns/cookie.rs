//! Server cookies (RFC 7873), interoperable as RFC 9018 has them: servers that share a secret
//! accept each other's.
//!
//! A cookie that comes back proves that the client gets what is sent to its address, so a reply to
//! it is no means of flooding somebody else. Nothing is kept for that: the cookie carries its time
//! and a keyed hash of it, of the client's part and of the client's address.

use std::{fmt, hash::Hasher, io, net::IpAddr, path::Path};

use siphasher::sip::SipHasher24;

use super::query::{CLIENT_COOKIE_OCTETS, Cookie, SERVER_COOKIE_OCTETS};
use crate::{model::Invalid, util::read_file};

/// Octets of a secret: a key of SipHash.
const SECRET_OCTETS: usize = 16;

/// The only version there is, and the three reserved octets (RFC 9018 §4.1, §4.2).
const VERSION: [u8; 4] = [1, 0, 0, 0];

/// For how long a cookie is accepted, seconds (RFC 9018 §4.3).
const AGE_MAX: i32 = 3_600;

/// By how much another server's clock may be ahead, seconds (RFC 9018 §4.3).
const AHEAD_MAX: i32 = 300;

/// The age from which a cookie is replaced, seconds (RFC 9018 §4.3).
const RENEWAL_AGE: i32 = 1_800;

/// Octets of a file of secrets: three of them with room for remarks.
const FILE_OCTETS_MAX: usize = 4_096;

/// What a server cookie is.
type ServerCookie = [u8; SERVER_COOKIE_OCTETS];

/// The secrets of a server, or of several that answer at one address.
#[derive(Clone, PartialEq, Eq)]
pub struct CookieSecrets {
    /// The first one makes cookies, all of them are tried on those that come.
    secrets: Box<[[u8; SECRET_OCTETS]]>,
}

/// What a client is told, and what its cookie was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checked {
    /// Whether the client has shown that it gets what is sent to its address.
    pub is_proven: bool,
    /// The server's part of the reply's cookie.
    pub server: ServerCookie,
}

// === impl CookieSecrets ===

impl CookieSecrets {
    /// How many there may be: the present one, the next one while it is spread over the servers,
    /// and the one before; each costs a hash for every wrong cookie.
    pub const COUNT_MAX: usize = 3;

    /// Reads the secrets in a file; see [`CookieSecrets::parse`].
    ///
    /// # Errors
    /// Names the file, and what is wrong with it.
    pub fn read(file: &Path) -> Result<Self, Invalid> {
        let refused = |problem: String| Invalid::new("", file.display(), problem);
        let text = read_file(file, FILE_OCTETS_MAX)
            .and_then(|octets| String::from_utf8(octets).map_err(io::Error::other))
            .map_err(|error| refused(format!("cannot be read: {error}")))?;
        Self::parse(&text).map_err(|invalid| Invalid {
            value: format!("{}{}", file.display(), invalid.value),
            ..invalid
        })
    }

    /// Secrets as a file has them: 32 hexadecimal digits a line; empty lines and those that begin
    /// with `#` mean nothing. The first makes cookies, all are accepted.
    ///
    /// # Errors
    /// Names the line that is none (`:2`), or says that there are none or too many. A secret
    /// itself is never shown.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let lines = text.lines().map(str::trim).zip(1..);
        let lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
        let secrets = lines.map(|(line, number)| {
            secret(line).ok_or_else(|| {
                let problem = "is not 32 hexadecimal digits (`openssl rand -hex 16` makes some)";
                Invalid::new("", format!(":{number}"), problem)
            })
        });
        let secrets = secrets.collect::<Result<Box<[_]>, _>>()?;
        if !(1..=Self::COUNT_MAX).contains(&secrets.len()) {
            let (count, limit) = (secrets.len(), Self::COUNT_MAX);
            let problem = format!("has {count} secrets, outside the limits of 1 to {limit}");
            return Err(Invalid::new("", "", problem));
        }
        Ok(Self { secrets })
    }

    /// One that nobody knows: for a server that answers alone.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn random() -> Result<Self, Invalid> {
        let mut secret = [0; SECRET_OCTETS];
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.secure_random.fill(&mut secret).map_err(|_| {
            Invalid::new("cookie secret", "random", "is not to be had from the system")
        })?;
        Ok(Self { secrets: [secret].into() })
    }

    /// Looks at a cookie that `client` sent at `now` (seconds since the epoch modulo 2³²), and has
    /// the server's part of the reply's: the same, if it is good and not old, else a new one.
    pub(super) fn check(&self, cookie: &Cookie, client: IpAddr, now: u32) -> Checked {
        if let Some(server) = cookie.server
            && let Some(age) = self.age(&cookie.client, &server, client, now)
        {
            let server = match age < RENEWAL_AGE {
                true => server,
                false => self.make(&cookie.client, client, now),
            };
            return Checked { is_proven: true, server };
        }
        Checked { is_proven: false, server: self.make(&cookie.client, client, now) }
    }

    /// The server's part for a client.
    fn make(&self, of: &[u8; CLIENT_COOKIE_OCTETS], client: IpAddr, now: u32) -> ServerCookie {
        let mut cookie = [0; SERVER_COOKIE_OCTETS];
        cookie[..4].copy_from_slice(&VERSION);
        cookie[4..8].copy_from_slice(&now.to_be_bytes());
        let hash = hash(&self.secrets[0], of, &cookie, client);
        cookie[8..].copy_from_slice(&hash);
        cookie
    }

    /// How old a cookie is, seconds; `None` when it was not made with one of the secrets for this
    /// client, or not within the time for which it is accepted.
    fn age(
        &self,
        of: &[u8; CLIENT_COOKIE_OCTETS],
        cookie: &ServerCookie,
        client: IpAddr,
        now: u32,
    ) -> Option<i32> {
        let made = u32::from_be_bytes([cookie[4], cookie[5], cookie[6], cookie[7]]);
        // Serial number arithmetic (RFC 1982): right also when the seconds run over in 2106.
        let age = now.wrapping_sub(made).cast_signed();
        let is_good = cookie[0] == VERSION[0]
            && (-AHEAD_MAX..=AGE_MAX).contains(&age)
            && self.secrets.iter().any(|secret| hash(secret, of, cookie, client) == cookie[8..]);
        is_good.then_some(age)
    }
}

/// Without the secrets, which have no business in a log.
impl fmt::Debug for CookieSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CookieSecrets({})", self.secrets.len())
    }
}

/// The hash of RFC 9018 §4.4, of everything in front of it and of the client's address.
fn hash(
    secret: &[u8; SECRET_OCTETS],
    of: &[u8; CLIENT_COOKIE_OCTETS],
    cookie: &ServerCookie,
    client: IpAddr,
) -> [u8; 8] {
    let mut input = [0; CLIENT_COOKIE_OCTETS + 8 + 16];
    input[..8].copy_from_slice(of);
    input[8..16].copy_from_slice(&cookie[..8]);
    let octets = match client {
        IpAddr::V4(address) => {
            input[16..20].copy_from_slice(&address.octets());
            20
        }
        IpAddr::V6(address) => {
            input[16..].copy_from_slice(&address.octets());
            32
        }
    };
    let mut hasher = SipHasher24::new_with_key(secret);
    hasher.write(&input[..octets]);
    hasher.finish().to_le_bytes()
}

/// Reads 32 hexadecimal digits.
fn secret(digits: &str) -> Option<[u8; SECRET_OCTETS]> {
    let is_hex = digits.bytes().all(|octet| octet.is_ascii_hexdigit());
    let number = u128::from_str_radix(digits, 16).ok().filter(|_| is_hex && digits.len() == 32)?;
    Some(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::{CookieSecrets, secret};
    use crate::dns::query::Cookie;

    const KEY: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
    const OLD_KEY: &str = "dd3bdf9344b678b185a6f5cb60fca715";
    const NEW_KEY: &str = "445536bcd2513298075a5d379663c962";
    const HOST: &str = "2001:db8:220:1:59de:d0f4:8769:82b8";

    /// A client's part, its address, the server's part and the secret (RFC 9018, Appendix A). The
    /// third has something in its reserved octets, which are no reason to refuse it.
    const VECTORS: [(u64, &str, u128, &str); 5] = [
        (0x2464c4abcf10c957, "198.51.100.100", 0x010000005cf79f111f8130c3eee29480, KEY),
        (0x2464c4abcf10c957, "198.51.100.100", 0x010000005cf7a871d4a564a1442aca77, KEY),
        (0xfc93fc62807ddb86, "203.0.113.203", 0x01abcdef5cf78f71a314227b6679ebf5, KEY),
        (0x22681ab97d52c298, HOST, 0x010000005cf7c57926556bd0934c72f8, OLD_KEY),
        (0x22681ab97d52c298, HOST, 0x010000005cf7c609a6bb79d16625507a, NEW_KEY),
    ];

    fn secrets(lines: &str) -> CookieSecrets {
        CookieSecrets::parse(lines).unwrap()
    }

    #[test]
    fn cookies_are_those_of_rfc_9018() {
        for (client, address, server, key) in VECTORS {
            let (client, server) = (client.to_be_bytes(), server.to_be_bytes());
            let made = u32::from_be_bytes(server[4..8].try_into().unwrap());
            let address = address.parse().unwrap();
            if server[1..4] == [0; 3] {
                assert_eq!(secrets(key).make(&client, address, made), server);
            }
            let cookie = Cookie { client, server: Some(server) };
            let checked = secrets(key).check(&cookie, address, made + 60);
            assert!(checked.is_proven && checked.server == server, "echoed while it is young");
        }
    }

    #[test]
    fn a_cookie_is_for_one_client_and_for_an_hour() {
        let ours = secrets(KEY);
        let (client, now) = ([7; 8], 1_800_000_000);
        let address = "192.0.2.1".parse().unwrap();
        let server = ours.make(&client, address, now);
        let proven = |cookie: Cookie, address: &str, now: u32| {
            ours.check(&cookie, address.parse().unwrap(), now).is_proven
        };
        let good = Cookie { client, server: Some(server) };
        assert!(proven(good, "192.0.2.1", now) && proven(good, "192.0.2.1", now + 3_600));
        assert!(proven(good, "192.0.2.1", now - 300), "from a clock that is ahead");
        assert!(!proven(good, "192.0.2.1", now + 3_601) && !proven(good, "192.0.2.1", now - 301));
        assert!(!proven(good, "192.0.2.2", now) && !proven(good, "2001:db8::1", now));
        assert!(!proven(Cookie { client: [8; 8], ..good }, "192.0.2.1", now));
        assert!(!proven(Cookie { server: None, ..good }, "192.0.2.1", now));
        for place in 0..server.len() {
            let mut forged = server;
            forged[place] ^= 1;
            let forged = Cookie { server: Some(forged), ..good };
            assert!(!proven(forged, "192.0.2.1", now), "octet {place}");
        }
        let renewed = ours.check(&good, address, now + 1_800);
        assert!(renewed.is_proven && renewed.server != server);
    }

    #[test]
    fn a_secret_is_changed_by_way_of_both() {
        let (old, new) = (OLD_KEY, NEW_KEY);
        let (client, now, address) = ([7; 8], 1_800_000_000, "192.0.2.1".parse().unwrap());
        let server = secrets(old).make(&client, address, now);
        let cookie = Cookie { client, server: Some(server) };
        let both = secrets(&format!("# since yesterday\n{new}\n\n{old}\n"));
        assert!(both.check(&cookie, address, now).is_proven);
        let made = both.check(&Cookie { client, server: None }, address, now).server;
        assert_eq!(made, secrets(new).make(&client, address, now), "the first one makes cookies");
        assert!(!secrets(new).check(&cookie, address, now).is_proven);
        assert_ne!(secrets(new).make(&client, address, now), server);
    }

    #[test]
    fn what_is_no_secret_is_refused_by_its_line() {
        let good = KEY;
        for (text, expected) in [
            ("", "has 0 secrets, outside"),
            ("# nothing", "has 0 secrets, outside"),
            (&format!("{good}\n{good}x"), "`:2` is not 32"),
            (&good[1..], "`:1` is not 32"),
            (&format!("+{}", &good[1..]), "`:1` is not 32"),
            (&[good; 4].join("\n"), "limits of 1 to 3"),
        ] {
            let error = CookieSecrets::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains(&good[4..]), "{text}: {error}");
        }
        assert!(secret(good).is_some());
        assert_eq!(format!("{:?}", secrets(good)), "CookieSecrets(1)");
    }
}
