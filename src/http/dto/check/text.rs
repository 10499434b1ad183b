//! The texts of a check: method, headers, hosts, each held to what the prober can send.

use std::{collections::BTreeMap, sync::Arc};

use axum::http::{HeaderName, HeaderValue, Method};

use crate::model::{DnsName, Invalid, limit};

/// Header names in lower case, and values.
pub(super) type Headers = Box<[(Arc<str>, Arc<str>)]>;

pub(super) fn method(method: Option<String>) -> Result<Arc<str>, Invalid> {
    let method = method.map_or_else(|| "GET".into(), |method| method.to_ascii_uppercase());
    let known = Method::from_bytes(method.as_bytes());
    if known.is_err() || method == "CONNECT" || method.len() > 32 {
        return Err(Invalid::new("method", method, "is no method of a request, such as GET"));
    }
    Ok(method.into())
}

pub(super) fn headers(headers: BTreeMap<String, String>) -> Result<Headers, Invalid> {
    /// What frames the message is the prober's own business.
    const FRAMING: [&str; 6] =
        ["connection", "content-length", "te", "trailer", "transfer-encoding", "upgrade"];

    if headers.len() > limit::CHECK_HEADERS_MAX {
        let problem = format!("entries are above the limit of {}", limit::CHECK_HEADERS_MAX);
        return Err(Invalid::new("headers", headers.len(), problem));
    }
    let mut seen: Vec<(Arc<str>, Arc<str>)> = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let lower = name.to_ascii_lowercase();
        if HeaderName::try_from(&*lower).is_err() || FRAMING.contains(&&*lower) {
            let problem = "is no name of a header that a check may send";
            return Err(Invalid::new("headers", name, problem));
        }
        if seen.iter().any(|(known, _)| **known == *lower) {
            return Err(Invalid::new("headers", name, "is there twice"));
        }
        let field = format!("headers.{name}");
        if HeaderValue::try_from(&*value).is_err() {
            return Err(Invalid::new(field, value, "is no value of a header: visible characters"));
        }
        within_text(&field, &value)?;
        within_text("headers", &name)?;
        seen.push((lower.into(), value.into()));
    }
    seen.sort();
    Ok(seen.into())
}

pub(super) fn host(field: &str, text: String) -> Result<Arc<str>, Invalid> {
    if text.parse::<std::net::IpAddr>().is_err() {
        DnsName::parse_host(&text).map_err(|refusal| Invalid { field: field.into(), ..refusal })?;
    }
    Ok(text.into())
}

pub(super) fn within_text(field: &str, text: &str) -> Result<(), Invalid> {
    if text.len() > limit::CHECK_TEXT_OCTETS_MAX {
        let problem = format!(
            "has {} octets, above the limit of {}",
            text.len(),
            limit::CHECK_TEXT_OCTETS_MAX
        );
        return Err(Invalid::new(field, text, problem));
    }
    Ok(())
}
