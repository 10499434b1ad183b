//! What we want to know of a certificate: until when it is valid, and which key it is for.
//!
//! rustls checks other people's certificates and shows ours as they are; neither needs to tell.

use yasna::{ASN1Result, BERReaderSeq, Tag, parse_der};

/// A certificate's facts (RFC 5280 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Valid from then on, seconds since the Unix epoch.
    pub not_before: i64,
    /// Valid until then, seconds since the Unix epoch.
    pub not_after: i64,
    /// The SubjectPublicKeyInfo, which is what pins are made of.
    pub public_key: Vec<u8>,
}

/// Reads a certificate; nothing if it is none.
pub(super) fn read(der: &[u8]) -> Option<Facts> {
    let read = parse_der(der, |certificate| {
        certificate.read_sequence(|parts| {
            let facts = parts.next().read_sequence(read_signed)?;
            let _algorithm = parts.next().read_der()?;
            let _signature = parts.next().read_der()?;
            Ok(facts)
        })
    });
    read.ok()
}

/// The part that is signed (RFC 5280 §4.1.2).
fn read_signed(parts: &mut BERReaderSeq<'_, '_>) -> ASN1Result<Facts> {
    let _version = parts.read_optional(|part| {
        part.read_tagged(Tag::context(0), |version| version.read_u8().map(drop))
    })?;
    let _serial = parts.next().read_der()?;
    let _algorithm = parts.next().read_der()?;
    let _issuer = parts.next().read_der()?;
    let validity = parts.next().read_sequence(|times| Ok((read_time(times)?, read_time(times)?)));
    let (not_before, not_after) = validity?;
    let _subject = parts.next().read_der()?;
    let public_key = parts.next().read_der()?;
    // Unique identifiers and extensions. Only these may be left out, and nothing comes after them.
    for tag in 1..=3 {
        let _part = parts.read_optional(|part| match part.lookahead_tag()? {
            found if found == Tag::context(tag) => part.read_tagged_der(),
            _other => Err(yasna::ASN1Error::new(yasna::ASN1ErrorKind::Invalid)),
        })?;
    }
    Ok(Facts { not_before, not_after, public_key })
}

/// A time in either of its two forms (RFC 5280 §4.1.2.5).
fn read_time(times: &mut BERReaderSeq<'_, '_>) -> ASN1Result<i64> {
    let short = times.read_optional(|time| Ok(time.read_utctime()?.datetime().unix_timestamp()))?;
    match short {
        Some(seconds) => Ok(seconds),
        None => Ok(times.next().read_generalized_time()?.datetime().unix_timestamp()),
    }
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
