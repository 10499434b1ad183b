//! Forwarding as it is told to a person: a part of a line of the banner, and a line of the log.

use std::fmt::Display;

use tracing::info;

use crate::dns::forward::{ForwardSpec, UpstreamSpec};

/// Of so many names each is shown; of more it is said how many there are.
const SHOWN_MAX: usize = 4;

/// Who is asked, and for whom; nothing when nobody is.
pub(super) fn shown(spec: &ForwardSpec) -> Option<String> {
    if !spec.is_enabled() {
        return None;
    }
    let file = spec.resolv_conf.as_ref().map(|path| format!("those in {}", path.display()));
    let zones = zones(spec).map(|zones| format!("others for {zones}"));
    let parts: Vec<String> = [upstreams(spec), file, zones].into_iter().flatten().collect();
    Some(format!("{} (for {})", parts.join(", "), clients(spec)))
}

/// Tells it to the log: at the start, and when a reload has changed it.
pub(super) fn tell(spec: &ForwardSpec) {
    if !spec.is_enabled() {
        info!("names that are not ours are not forwarded");
        return;
    }
    let (upstreams, zones, allow) = (upstreams(spec), zones(spec), clients(spec));
    let resolv_conf = spec.resolv_conf.as_ref().map(|path| path.display().to_string());
    info!(upstreams, resolv_conf, zones, allow, "names that are not ours are forwarded");
}

/// Who is asked for all names, if anybody is named.
fn upstreams(spec: &ForwardSpec) -> Option<String> {
    let all = &spec.upstreams;
    (!all.is_empty()).then(|| few(all.iter().map(brief), all.len(), "upstreams"))
}

/// The zones with upstreams of their own, if there are any.
fn zones(spec: &ForwardSpec) -> Option<String> {
    let all = &spec.zones;
    (!all.is_empty()).then(|| few(all.iter().map(|zone| &zone.suffix), all.len(), "zones"))
}

/// Whose questions are forwarded.
fn clients(spec: &ForwardSpec) -> String {
    if spec.allow.is_empty() {
        "nobody".to_owned()
    } else if spec.allow == ForwardSpec::private_networks() {
        "local networks".to_owned()
    } else {
        few(spec.allow.iter(), spec.allow.len(), "networks")
    }
}

fn few(items: impl Iterator<Item = impl Display>, count: usize, noun: &str) -> String {
    if count > SHOWN_MAX {
        return format!("{count} {noun}");
    }
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// An upstream as most write it: without the port of DNS.
fn brief(upstream: &UpstreamSpec) -> String {
    if *upstream == UpstreamSpec::new((upstream.address.ip(), 53).into()) {
        upstream.address.ip().to_string()
    } else {
        upstream.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::shown;
    use crate::dns::forward::{ForwardSpec, ForwardZone};

    #[test]
    fn it_is_told_who_is_asked_and_for_whom() {
        assert_eq!(shown(&ForwardSpec::default()), None);
        let upstream = |text: &str| text.parse().unwrap();
        let mut spec = ForwardSpec {
            upstreams: vec![upstream("192.0.2.53"), upstream("[2001:db8::53]:5353")],
            ..ForwardSpec::default()
        };
        let told = "192.0.2.53, [2001:db8::53]:5353 (for local networks)";
        assert_eq!(shown(&spec).unwrap(), told);
        spec.upstreams.clear();
        spec.resolv_conf = Some("/etc/resolv.conf".into());
        spec.allow = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let told = "those in /etc/resolv.conf (for 10.0.0.0/8, fd00::/8)";
        assert_eq!(shown(&spec).unwrap(), told);
        spec.allow.clear();
        let zone = |n: usize| ForwardZone {
            suffix: crate::model::DnsName::parse(&format!("corp{n}")).unwrap(),
            upstreams: vec![upstream("tcp://192.0.2.53")],
        };
        spec.zones = vec![zone(1)];
        assert!(shown(&spec).unwrap().ends_with(", others for corp1 (for nobody)"));
        spec.zones = (0..5).map(zone).collect();
        assert!(shown(&spec).unwrap().ends_with(", others for 5 zones (for nobody)"));
    }
}
