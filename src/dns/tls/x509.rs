//! What we want to know of a certificate: until when it is valid, and which key it is for.
//!
//! rustls checks other people's certificates and shows ours as they are; neither needs to tell.

use x509_parser::{certificate::X509Certificate, prelude::FromDer as _, public_key::PublicKey};

/// A certificate's facts (RFC 5280 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Valid from then on, seconds since the Unix epoch.
    pub not_before: i64,
    /// Valid until then, seconds since the Unix epoch.
    pub not_after: i64,
    /// The SubjectPublicKeyInfo, which is what pins are made of.
    pub public_key: Vec<u8>,
    /// Bits of the key, if it is one of RSA.
    pub rsa_bits: Option<usize>,
}

/// Reads a certificate; nothing if it is none, or if anything comes behind it.
pub(super) fn read(der: &[u8]) -> Option<Facts> {
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    let validity = certificate.validity();
    rest.is_empty().then(|| Facts {
        not_before: validity.not_before.timestamp(),
        not_after: validity.not_after.timestamp(),
        public_key: certificate.public_key().raw.to_vec(),
        rsa_bits: match certificate.public_key().parsed() {
            Ok(PublicKey::RSA(key)) => Some(bits(key.modulus)),
            _ => None,
        },
    })
}

/// Bits of a number, the most significant octet first.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    let leading = number.get(zeros).map_or(0, |octet| octet.leading_zeros() as usize);
    (number.len() - zeros) * 8 - leading
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::read;

    #[test]
    fn the_times_and_the_key_are_read_and_what_is_none_is_refused() {
        let key = KeyPair::generate().unwrap();
        for (until, seconds) in [
            (date_time_ymd(2030, 1, 1), 1_893_456_000),
            // From 2050 on times have the longer form.
            (date_time_ymd(2050, 1, 1) + Duration::from_secs(59), 2_524_608_059),
        ] {
            let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
            (params.not_before, params.not_after) = (date_time_ymd(1999, 12, 31), until);
            let der = params.self_signed(&key).unwrap().der().to_vec();
            let facts = read(&der).unwrap();
            assert_eq!((facts.not_before, facts.not_after), (946_598_400, seconds));
            assert_eq!(
                facts.public_key,
                rustls::pki_types::SubjectPublicKeyInfoDer::from(
                    rcgen::PublicKeyData::subject_public_key_info(&key)
                )
                .as_ref()
            );
            for end in 0..der.len() {
                assert_eq!(read(&der[..end]), None, "cut after {end}");
            }
        }
    }
}
