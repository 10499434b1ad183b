//! What goes wrong with certificates, in an operator's words.

use std::{io, path::PathBuf};

use jiff::Timestamp;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, pki_types::UnixTime};

use crate::util::Validity;

/// What our own certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Own {
    /// Where it was read.
    pub(super) file: PathBuf,
    /// Seconds since the Unix epoch.
    pub(super) not_before: i64,
    /// Seconds since the Unix epoch.
    pub(super) not_after: i64,
}

// === impl Own ===

impl Own {
    /// What is wrong with its time, or will soon be; nothing when all is well.
    pub(super) fn problem(&self, now: i64) -> Option<String> {
        let what =
            format!("`store.certificate`: the certificate for etcd, `{}`,", self.file.display());
        let times = (self.not_before, self.not_after);
        Validity::at(now, times.0, times.1).problem(&what, times)
    }

    /// When it is valid, if that is not now.
    pub(super) fn expiry(&self, now: i64) -> Option<String> {
        let file = self.file.display();
        if now > self.not_after {
            Some(format!(
                "our certificate `{file}` (`store.certificate`) expired {}",
                date(self.not_after)
            ))
        } else if now < self.not_before {
            Some(format!(
                "our certificate `{file}` (`store.certificate`) is valid from {} on",
                date(self.not_before)
            ))
        } else {
            None
        }
    }
}

/// rustls's error if that is what it is.
pub(super) fn of_tls(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref::<Error>()
}

/// What is wrong, whose fault it is, and the way out.
pub(super) fn plainly(error: &Error, own: Option<&Own>, now: i64) -> String {
    match error {
        Error::InvalidCertificate(fault) => of_theirs(fault),
        Error::AlertReceived(alert) => of_ours(*alert, own, now),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "it does not speak TLS; is its URL http, not https?".to_owned()
        }
        other => format!("TLS: {other}"),
    }
}

/// Of the server's certificate, which we refuse.
fn of_theirs(fault: &CertificateError) -> String {
    let at = |time: &UnixTime| date(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    match fault {
        CertificateError::ExpiredContext { time, not_after } => {
            format!("its certificate expired {}; here it is {}", at(not_after), at(time))
        }
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "its certificate is valid from {} on; here it is {}: is this machine's clock right?",
            at(not_before),
            at(time)
        ),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
            let expected = expected.to_str();
            format!(
                "its certificate is for {}, not for `{expected}`; if it is the right server, set \
                 `store.server_name` to a name that it has",
                if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") }
            )
        }
        // The latter of an authority that has the name of a trusted one, and another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate was issued by nobody who is trusted here; let `store.ca_file` name \
             the authority's certificate"
                .to_owned()
        }
        // rustls passes on what webpki says, and has no name of its own for it.
        other if format!("{other:?}").contains("UnsupportedCertVersion") => {
            format!("its certificate, or one that issued it, is {NOT_OF_VERSION_3}")
        }
        other => format!("its certificate is refused: {other}"),
    }
}

/// Of our certificate, which the server refuses. Which of these it says depends on its version.
fn of_ours(alert: AlertDescription, own: Option<&Own>, now: i64) -> String {
    match (alert, own) {
        (AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure, _) => {
            format!("it knows no version of TLS, or no cipher, that is good enough ({alert:?})")
        }
        (AlertDescription::CertificateRequired, None) => WANTED.to_owned(),
        // Go calls a missing certificate a bad one.
        (AlertDescription::BadCertificate, None) => WANTED.to_owned(),
        (_, Some(own)) => match own.expiry(now) {
            Some(expiry) => format!("{expiry}; it was refused ({alert:?})"),
            None => format!(
                "it refuses our certificate `{}` (`store.certificate`; {alert:?}), which is valid \
                 until {}; does it trust the authority that issued it (--trusted-ca-file)?",
                own.file.display(),
                date(own.not_after)
            ),
        },
        (_, None) => format!("it refuses TLS with us: {alert:?}"),
    }
}

/// Behind "it is": `openssl x509 -req` makes such ones when it is given no extensions.
pub(super) const NOT_OF_VERSION_3: &str = "no X.509 certificate of version 3, but of version 1 or \
    2, which has no names and is not taken: have it issued with extensions (`openssl x509 -req \
    -extfile FILE`, `openssl req -x509 -addext subjectAltName=…`)";

const WANTED: &str = "it wants a client certificate (--client-cert-auth), and none is given: \
    set `store.certificate` and `store.key`";

/// `DnsName("localhost")` without what is around it.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"')
}

fn date(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |it| it.to_string())
}

#[cfg(test)]
mod tests {
    use super::{AlertDescription, CertificateError, Error, Own, UnixTime, plainly};

    /// 2026-01-01T00:00:00Z.
    const NEW_YEAR: i64 = 1_767_225_600;

    fn unix(seconds: i64) -> UnixTime {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds.cast_unsigned()))
    }

    #[test]
    fn each_fault_of_a_certificate_has_words_and_dates() {
        let own = Own { file: "us.pem".into(), not_before: 0, not_after: NEW_YEAR };
        let theirs = Error::InvalidCertificate;
        for (error, own, now, text) in [
            (
                theirs(CertificateError::ExpiredContext {
                    time: unix(NEW_YEAR + 60),
                    not_after: unix(NEW_YEAR),
                }),
                None,
                0,
                "its certificate expired 2026-01-01T00:00:00Z; here it is 2026-01-01T00:01:00Z",
            ),
            (
                theirs(CertificateError::NotValidYetContext {
                    time: unix(0),
                    not_before: unix(NEW_YEAR),
                }),
                None,
                0,
                "from 2026-01-01T00:00:00Z on; here it is 1970-01-01T00:00:00Z: is this machine's",
            ),
            (
                theirs(CertificateError::NotValidForNameContext {
                    expected: "etcd.example".try_into().unwrap(),
                    presented: vec!["DnsName(\"a.example\")".into(), "IpAddress(1.2.3.4)".into()],
                }),
                None,
                0,
                "not for `etcd.example`; if it is the right server, set `store.server_name` to",
            ),
            (theirs(CertificateError::UnknownIssuer), None, 0, "let `store.ca_file` name"),
            (
                Error::AlertReceived(AlertDescription::BadCertificate),
                None,
                0,
                "set `store.certificate` and `store.key`",
            ),
            (
                Error::AlertReceived(AlertDescription::BadCertificate),
                Some(&own),
                NEW_YEAR + 1,
                "`us.pem` (`store.certificate`) expired 2026-01-01T00:00:00Z; it was refused",
            ),
            (
                Error::AlertReceived(AlertDescription::UnknownCA),
                Some(&own),
                NEW_YEAR - 1,
                "`us.pem` (`store.certificate`; UnknownCA), which is valid until 2026",
            ),
        ] {
            let said = plainly(&error, own, now);
            assert!(said.contains(text), "{error:?}: {said}");
        }
    }
}
