//! Headers and hosts of a check: as all doors have them, and no header twice, no host that is none.

use std::{collections::BTreeMap, sync::Arc};

use crate::model::{DnsName, Invalid, check_text, limit};

/// Header names in lower case, and values.
pub(super) type Headers = Box<[(Arc<str>, Arc<str>)]>;

pub(super) fn headers(headers: BTreeMap<String, String>) -> Result<Headers, Invalid> {
    if headers.len() > limit::CHECK_HEADERS_MAX {
        let problem = format!("entries are above the limit of {}", limit::CHECK_HEADERS_MAX);
        return Err(Invalid::new("headers", headers.len(), problem));
    }
    let mut seen: Vec<(Arc<str>, Arc<str>)> = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let header = check_text::header(&name, &value)?;
        if seen.iter().any(|(known, _)| *known == header.0) {
            return Err(Invalid::new("headers", name, "is there twice"));
        }
        seen.push(header);
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
