//! The readings of `[forward]`.

use std::{ops::RangeInclusive, time::Duration};

use super::{
    given::{Given, Refusal},
    parse::{distinct, unknown_entry},
    spec_v1::{list, quote},
};
use crate::{
    dns::forward::{ForwardOrder, ForwardZone, UpstreamSpec},
    model::{DnsName, limit},
};

/// The shortest time that an upstream may be given: less is lost on the way to another town.
pub(super) const TIMEOUT_MIN: Duration = Duration::from_millis(100);

/// What the cache may take, octets: from a few thousand names to what no server needs.
pub(super) const CACHE_OCTETS: RangeInclusive<i128> = 1 << 20..=16 << 30;

/// Upstreams, each once.
pub(super) fn upstreams(given: &Given) -> Result<Vec<UpstreamSpec>, Refusal> {
    let list = limited(given, "upstreams", limit::FORWARD_UPSTREAMS_MAX)?;
    distinct(&list, |item| item.text()?.parse().map_err(|invalid| item.refused_as(invalid)))
}

/// Zones with upstreams of their own, each once.
pub(super) fn zones(given: &Given) -> Result<Vec<ForwardZone>, Refusal> {
    let list = limited(given, "zones", limit::FORWARD_ZONES_MAX)?;
    let mut zones: Vec<ForwardZone> = Vec::with_capacity(list.len());
    for (index, item) in list.iter().enumerate() {
        let zone = zone(item).map_err(|refusal| refusal.under(format!("[{index}]")))?;
        if zones.iter().any(|earlier| earlier.suffix == zone.suffix) {
            let problem = format!("has the suffix `{}`, which is there twice", zone.suffix);
            return Err(item.refuse(problem).under(format!("[{index}]")));
        }
        zones.push(zone);
    }
    Ok(zones)
}

fn zone(given: &Given) -> Result<ForwardZone, Refusal> {
    let (mut suffix, mut servers) = (None, None);
    for (key, span, value) in given.table()? {
        match key.as_str() {
            "suffix" => suffix = Some(self::suffix(value).map_err(|r| r.under("suffix"))?),
            "upstreams" => {
                let read = upstreams(value).map_err(|r| r.under("upstreams"))?;
                if read.is_empty() {
                    return Err(value.refuse("is empty; name who knows").under("upstreams"));
                }
                servers = Some(read);
            }
            _ => {
                let known = "is not known; a zone has `suffix` and `upstreams`";
                return Err(unknown_entry(given, key, span, known));
            }
        }
    }
    match (suffix, servers) {
        (Some(suffix), Some(upstreams)) => Ok(ForwardZone { suffix, upstreams }),
        (None, _) => Err(given.refuse("has no `suffix`")),
        (_, None) => Err(given.refuse("has no `upstreams`")),
    }
}

fn suffix(given: &Given) -> Result<DnsName, Refusal> {
    let name = DnsName::parse(given.text()?).map_err(|invalid| given.refused_as(invalid))?;
    if name.as_wire().len() == 1 {
        return Err(given.refuse("is the root; `upstreams` of `[forward]` are for all names"));
    }
    let (octets, limit) = (name.as_wire().len(), limit::FORWARD_SUFFIX_OCTETS_MAX);
    if octets > limit {
        let problem = format!("has {octets} octets on the wire, above the limit of {limit}");
        return Err(given.refuse(problem));
    }
    Ok(name)
}

/// The zones as TOML.
pub(super) fn show_zones(zones: &[ForwardZone]) -> String {
    let zones = zones.iter().map(|zone| {
        format!("{{ suffix = {}, upstreams = {} }}", quote(&zone.suffix), list(&zone.upstreams))
    });
    format!("[{}]", zones.collect::<Vec<_>>().join(", "))
}

/// In which order upstreams are asked.
pub(super) fn order(given: &Given) -> Result<ForwardOrder, Refusal> {
    let text = given.text()?;
    [ForwardOrder::Random, ForwardOrder::Sequential]
        .into_iter()
        .find(|order| text == order.as_str())
        .ok_or_else(|| given.refuse("is none of `random`, `sequential`"))
}

fn limited(given: &Given, what: &str, limit: usize) -> Result<Vec<Given>, Refusal> {
    let list = given.list()?;
    if list.len() > limit {
        let count = list.len();
        return Err(given.refuse(format!("has {count} {what}, above the limit of {limit}")));
    }
    Ok(list)
}
