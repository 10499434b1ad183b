//! Any changes in any order come to what an agent would have, which is a map of services and a map
//! of checks.

use std::collections::BTreeMap;

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::testing::Rig;

/// What clients may send. Two of the ids come to the same label.
#[derive(Debug, Clone)]
enum Change {
    Register { id: &'static str, name: &'static str, checks: Vec<Listed>, replaces: bool },
    Deregister(&'static str),
    RegisterCheck { id: &'static str, service: Option<&'static str>, status: &'static str },
    DeregisterCheck(&'static str),
    Say(&'static str, &'static str),
    Maintain(&'static str, bool),
    MaintainNode(bool),
}

/// A check in a service's registration, with an id of its own or without.
type Listed = (Option<&'static str>, &'static str);

const SERVICES: &[&str] = &["s0", "S0", "host:s:1"];
const NAMES: &[&str] = &["web", "My_API"];
const CHECKS: &[&str] =
    &["c0", "c1", "service:s0", "service:s0:1", "service:S0:2", "service:host:s:1"];
const STATES: &[&str] = &["passing", "warning", "critical"];

#[derive(Debug, Default)]
struct Agent {
    /// By id: name, and whether in maintenance.
    services: BTreeMap<&'static str, (&'static str, bool)>,
    checks: BTreeMap<String, Check>,
    is_in_maintenance: bool,
}

#[derive(Debug)]
struct Check {
    service: &'static str,
    status: &'static str,
    output: &'static str,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let (service, check, state) = (|| select(SERVICES), || select(CHECKS), || select(STATES));
    let listed = vec((option::of(select(CHECKS)), state()), 0..3);
    let change = prop_oneof![
        4 => (service(), select(NAMES), listed, any::<bool>()).prop_map(
            |(id, name, checks, replaces)| Change::Register { id, name, checks, replaces }
        ),
        1 => service().prop_map(Change::Deregister),
        2 => (check(), option::of(service()), state()).prop_map(
            |(id, service, status)| Change::RegisterCheck { id, service, status }
        ),
        1 => check().prop_map(Change::DeregisterCheck),
        4 => (check(), state()).prop_map(|(id, status)| Change::Say(id, status)),
        1 => (service(), any::<bool>()).prop_map(|(id, on)| Change::Maintain(id, on)),
        1 => any::<bool>().prop_map(Change::MaintainNode),
    ];
    vec(change, 1..25)
}

// === impl Agent ===

impl Agent {
    /// Makes the change, and gives the status of the reply.
    fn apply(&mut self, change: &Change) -> u16 {
        match change {
            Change::Register { id, name, checks, replaces } => {
                self.register(id, name, checks, *replaces);
                200
            }
            Change::Deregister(id) => {
                self.checks.retain(|_, check| check.service != *id);
                found(self.services.remove(id).is_some())
            }
            Change::RegisterCheck { service: Some(service), .. }
                if !self.services.contains_key(service) =>
            {
                404
            }
            Change::RegisterCheck { id, service, status } => {
                self.put((*id).to_owned(), service.unwrap_or(""), status);
                200
            }
            Change::DeregisterCheck(id) => found(self.checks.remove(*id).is_some()),
            Change::Say(id, status) => {
                let check = self.checks.get_mut(*id);
                // What it says is kept with a change of its state, and for the first time.
                let Some(check) = check else { return 404 };
                if check.status != *status || check.output.is_empty() {
                    (check.status, check.output) = (status, "said");
                }
                200
            }
            Change::Maintain(id, on) => {
                let Some((_, is_in_maintenance)) = self.services.get_mut(id) else { return 404 };
                *is_in_maintenance = *on;
                200
            }
            Change::MaintainNode(on) => {
                self.is_in_maintenance = *on;
                200
            }
        }
    }

    fn register(
        &mut self,
        id: &'static str,
        name: &'static str,
        listed: &[Listed],
        replaces: bool,
    ) {
        let was_in_maintenance = self.services.get(id).is_some_and(|(_, on)| *on);
        self.services.insert(id, (name, was_in_maintenance));
        let made = |at: usize| match listed.len() {
            1 => format!("service:{id}"),
            _ => format!("service:{id}:{}", at + 1),
        };
        let full = |(at, (own, _)): (usize, &Listed)| own.map_or_else(|| made(at), str::to_owned);
        let ids: Vec<String> = listed.iter().enumerate().map(full).collect();
        for (check, (_, status)) in ids.iter().zip(listed) {
            self.put(check.clone(), id, status);
        }
        if replaces {
            self.checks.retain(|check, known| known.service != id || ids.contains(check));
        }
    }

    /// One that is there keeps its state, whosever it was.
    fn put(&mut self, id: String, service: &'static str, status: &'static str) {
        let check = self.checks.entry(id).or_insert(Check { service, status, output: "" });
        check.service = service;
    }

    /// As [`Rig::checks`] shows them.
    fn shown_checks(&self) -> Vec<String> {
        let shown = self.checks.iter().map(|(id, Check { service, status, output })| {
            format!("{id}={status} {output:?} {service}").trim_end().to_owned()
        });
        let in_maintenance = self.services.iter().filter(|(_, (_, on))| *on);
        let in_maintenance =
            in_maintenance.map(|(id, _)| format!("_service_maintenance:{id}=critical \"\" {id}"));
        let node = self.is_in_maintenance.then(|| "_node_maintenance=critical \"\"".to_owned());
        let mut all: Vec<_> = shown.chain(in_maintenance).chain(node).collect();
        all.sort();
        all
    }

    /// The services, and whether they are answered.
    fn shown_services(&self) -> Vec<(String, bool)> {
        let is_up = |id: &str| {
            !self.is_in_maintenance
                && self.checks.values().all(|check| {
                    check.status != "critical" || (check.service != id && !check.service.is_empty())
                })
        };
        let services = self.services.iter();
        services.map(|(id, (_, off))| ((*id).to_owned(), !off && is_up(id))).collect()
    }
}

fn found(is_there: bool) -> u16 {
    if is_there { 200 } else { 404 }
}

/// The path and the body that ask for a change.
fn request(change: &Change) -> (String, String) {
    let quoted = |key: &str, text: Option<&str>| {
        text.map_or_else(String::new, |text| format!("{key:?}:{text:?},"))
    };
    let none = String::new();
    match change {
        Change::Register { id, name, checks, replaces } => {
            let checks = checks.iter().map(|(id, status)| {
                let id = quoted("CheckID", *id);
                format!(r#"{{{id}"TTL":"1h","Status":"{status}"}}"#)
            });
            let checks = checks.collect::<Vec<_>>().join(",");
            let path = format!("agent/service/register?replace-existing-checks={replaces}");
            (path, format!(r#"{{"ID":"{id}","Name":"{name}","Checks":[{checks}]}}"#))
        }
        Change::Deregister(id) => (format!("agent/service/deregister/{id}"), none),
        Change::RegisterCheck { id, service, status } => {
            let service = quoted("ServiceID", *service);
            let body =
                format!(r#"{{{service}"ID":"{id}","Name":"n","TTL":"1h","Status":"{status}"}}"#);
            ("agent/check/register".into(), body)
        }
        Change::DeregisterCheck(id) => (format!("agent/check/deregister/{id}"), none),
        Change::Say(id, status) => {
            let body = format!(r#"{{"Status":"{status}","Output":"said"}}"#);
            (format!("agent/check/update/{id}"), body)
        }
        Change::Maintain(id, on) => (format!("agent/service/maintenance/{id}?enable={on}"), none),
        Change::MaintainNode(on) => (format!("agent/maintenance?enable={on}"), none),
    }
}

async fn is_as_an_agent(changes: &[Change]) -> Result<(), TestCaseError> {
    let (rig, mut agent) = (Rig::new(), Agent::default());
    for change in changes {
        let (path, body) = request(change);
        let reply = rig.send(&format!("/v1/{path}"), &body).await;
        prop_assert_eq!(reply.status.as_u16(), agent.apply(change), "{} {}", path, reply.text);
        prop_assert_eq!(rig.checks(), agent.shown_checks(), "after {} {}", path, body);
        let services: Vec<_> = rig
            .services()
            .iter()
            .map(|shown| (shown.split(' ').next().unwrap().to_owned(), shown.ends_with(" up")))
            .collect();
        prop_assert_eq!(services, agent.shown_services(), "after {} {}", path, body);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn changes_in_any_order_come_to_what_an_agent_has(changes in changes()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(is_as_an_agent(&changes))?;
    }
}
