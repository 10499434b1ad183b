//! What Consul's names answer: as an agent does (1.8.7, asked the same), but where it says why not.

mod access;
mod answers;
mod edges;
mod names;
mod reverse;

use hickory_proto::{op::ResponseCode, rr::RecordType};

use crate::{
    dns::{
        ConsulSpec, Settings,
        testing::{Told, World, member, spec},
    },
    model::{Instance, InstanceId, ServiceName, Status},
    registry::Member,
};

const A: RecordType = RecordType::A;
const AAAA: RecordType = RecordType::AAAA;
const ANY: RecordType = RecordType::ANY;
const NXDOMAIN: ResponseCode = ResponseCode::NXDomain;
const SRV: RecordType = RecordType::SRV;
const TXT: RecordType = RecordType::TXT;

/// A service of an agent's, at an address of its own.
fn of_agent(name: &str, ip: &str, other_tags: &[&str]) -> Member {
    member(name, ip).on_node("Agent-1", "192.0.2.77", other_tags)
}

fn with_port(member: Member, port: u16) -> Member {
    member.with(|instance| instance.port = port)
}

fn warning(member: Member, weight: u16) -> Member {
    let member = member.with(|instance| instance.warning_weight = Some(weight));
    Member { status: Status::Warning, ..member }
}

/// A node with a registration of its own.
fn node(name: &str, ip: &str) -> Member {
    member("x/x", ip).on_node(name, ip, &[]).with(|instance: &mut Instance| {
        instance.service = ServiceName::nodes();
        instance.id = InstanceId::derived(name);
        let origin = std::sync::Arc::make_mut(instance.origin.as_mut().unwrap());
        origin.id = "".into();
    })
}

fn members() -> Vec<Member> {
    vec![
        with_port(of_agent("web/web-1", "10.0.0.1", &["a_b", "v1.2"]), 8080)
            .tags(&["v1", "primary"]),
        with_port(of_agent("web/web-2", "10.0.0.2", &[]), 8081).tags(&["v1"]).weight(5),
        with_port(of_agent("athost/a", "192.0.2.77", &[]), 9000),
        with_port(of_agent("athost/b", "192.0.2.77", &[]), 9001),
        of_agent("my-service-cf3d5dd8/ms", "10.0.0.3", &[]),
        of_agent("six/six", "10.0.0.9", &[]).at(&["fd00::6"]),
        of_agent("named/named", "10.0.0.9", &[]).host("db.example.com"),
        of_agent("sick/sick", "10.0.0.4", &["t.1"]).tags(&["t"]).critical(),
        warning(of_agent("warn/warn", "10.0.0.5", &[]).weight(7), 3),
        warning(member("mixed/a", "10.0.0.6"), 1),
        member("mixed/b", "10.0.0.7"),
        member("native/a", "10.0.0.8").at(&["fd00::8", "10.0.0.8"]).meta(&[("k", "v")]),
        member("outside/o", "10.2.0.1").on_node("Ext.Node", "10.2.0.1", &[]),
        node("Ext.Node", "10.2.0.1").meta(&[("rack", "7")]),
        node("far", "10.2.0.9").host("far.example.com"),
    ]
}

fn world() -> World {
    World::new(members())
}

fn with_consul(change: impl FnOnce(&mut ConsulSpec)) -> World {
    let mut spec = spec();
    change(spec.consul.as_mut().unwrap());
    World { settings: Settings::new(&spec).unwrap(), ..world() }
}

fn is_nxdomain(told: &Told) -> bool {
    told.rcode() == NXDOMAIN && told.has_soa_of("consul.") && told.message.metadata.authoritative
}

fn is_nodata(told: &Told) -> bool {
    told.rcode() == ResponseCode::NoError
        && told.message.answers.is_empty()
        && told.has_soa_of("consul.")
        && told.message.metadata.authoritative
}
