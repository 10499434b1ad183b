//! What an answer costs before and behind the sockets: a packet read, its name found, its reply
//! written. `cargo bench --bench answer` prints times; under `valgrind --tool=callgrind` the same
//! program counts instructions, which are the same on every run.
//!
//! The registry is the one of the server's own start, so that names, pools and shards lie in memory
//! as they do there. Questions come in random order: a service that was not asked for lately is
//! not in a cache near the core.

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    sync::Arc,
};

use divan::{Bencher, black_box, counter::ItemsCount};
use rollcall::{
    dns::{
        Answered, Caller, Parsed, Settings, SettingsSpec, Sources, Transport, answer, parse,
        zone::ZonesHandle,
    },
    model::{
        Addresses, DnsName, Instance, InstanceId, Meta, Revision, ServiceName, Tag, Timestamp,
    },
    registry::{
        self, Change, Journal, JournalError, Keeping, Loaded, Member, Options, Registry, Setup,
        Snapshot,
    },
    telemetry::{Board, Metrics},
    util::Clock,
};

/// Instances of one service.
const INSTANCES: u32 = 5;

/// Questions of one round.
const QUESTIONS: usize = 4_096;

/// Numbers of services: what a cache holds, and what it does not.
const SERVICES: [u32; 2] = [1_000, 200_000];

const UDP: Caller = Caller::new(IpAddr::V4(Ipv4Addr::LOCALHOST), Transport::Udp, 0);

fn main() {
    divan::main();
}

/// A store for a registry that does not change.
struct Unused;

impl Journal for Unused {
    fn commit<'a>(
        &'a mut self,
        _: Revision,
        _: Vec<Change>,
    ) -> Pin<Box<dyn Future<Output = Result<(), JournalError>> + Send + 'a>> {
        Box::pin(async { Err(JournalError::Failed("nothing changes here".into())) })
    }
}

/// What questions are put to.
struct World {
    snapshot: Arc<Snapshot>,
    settings: Settings,
    zones: ZonesHandle,
}

impl World {
    fn new(services: u32) -> Self {
        let domain = DnsName::parse("internal").expect("a name");
        let settings = Settings::new(&SettingsSpec::new(domain)).expect("the usual settings");
        Self { snapshot: registry(services).snapshot(), settings, zones: ZonesHandle::default() }
    }

    /// Answers each question once.
    fn bench(&self, bencher: Bencher<'_, '_>, questions: &[Vec<u8>]) {
        let (mut zones, mut rng) = (self.zones.reader(), fastrand::Rng::with_seed(7));
        let mut reply = [0; 4_096];
        let (snapshot, settings) = (&*self.snapshot, &self.settings);
        let sources = Sources { snapshot, zones: zones.load(), settings, forward: None };
        bencher.counter(ItemsCount::new(questions.len())).bench_local(|| {
            for question in questions {
                let Parsed::Query(query) = parse(black_box(question)) else {
                    panic!("a plain query");
                };
                match answer(&sources, &query, UDP, &mut rng, &mut reply) {
                    Answered::Reply(summary) => black_box(summary.octets),
                    Answered::Limited | Answered::NeedsForward | Answered::NeedsFull => {
                        panic!("a simple answer")
                    }
                };
            }
        });
    }
}

fn member(number: u32) -> Member {
    let [_, a, b, c] = number.to_be_bytes();
    let (high, low) = (number >> 16, number & 0xFFFF);
    let ips = [format!("10.{a}.{b}.{c}"), format!("fd00::{high:x}:{low:x}")].map(|ip| ip.parse());
    let instance = Instance {
        service: ServiceName::parse(&format!("svc{}", number / INSTANCES)).expect("a name"),
        id: InstanceId::parse(&format!("i{}", number % INSTANCES)).expect("a name"),
        addresses: Addresses::ips(ips.map(|ip| ip.expect("an address")).to_vec())
            .expect("two addresses"),
        port: 8080,
        weight: 10,
        warning_weight: None,
        priority: 1,
        tags: [Tag::parse("v1").expect("a tag")].into(),
        meta: Meta::default(),
        checks: Arc::default(),
        deregister_after: None,
        initial_status: None,
        origin: None,
    };
    Member::new(Arc::new(instance), Revision::default(), Timestamp::default())
}

fn registry(services: u32) -> Registry {
    let mut members: Vec<Member> = (0..services * INSTANCES).map(member).collect();
    members.sort_by_key(Member::key);
    let (_, options) = tokio::sync::watch::channel(Options::default());
    let setup = Setup {
        loaded: Loaded { members, ..Loaded::default() },
        keeping: Keeping::Own(Box::new(Unused)),
        options,
        clock: Clock::system(),
        board: Board::default(),
        metrics: Metrics::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let _inside = runtime.enter();
    registry::start(setup).expect("the members are in order").0
}

/// A query in the simple form.
fn query(name: &str, qtype: u8) -> Vec<u8> {
    let name = DnsName::parse(name).expect("a name");
    let question = [name.as_wire(), &[0, qtype, 0, 1]].concat();
    [&[7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], &question[..]].concat()
}

/// Questions for services in random order.
fn questions(services: u32, of: impl Fn(u32) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut rng = fastrand::Rng::with_seed(services.into());
    (0..QUESTIONS).map(|_| of(rng.u32(0..services))).collect()
}

#[divan::bench(args = SERVICES)]
fn a(bencher: Bencher<'_, '_>, services: u32) {
    let asked = questions(services, |n| query(&format!("svc{n}.service.internal"), 1));
    World::new(services).bench(bencher, &asked);
}

#[divan::bench(args = SERVICES)]
fn aaaa(bencher: Bencher<'_, '_>, services: u32) {
    let asked = questions(services, |n| query(&format!("svc{n}.service.internal"), 28));
    World::new(services).bench(bencher, &asked);
}

#[divan::bench(args = SERVICES)]
fn srv(bencher: Bencher<'_, '_>, services: u32) {
    let asked = questions(services, |n| query(&format!("svc{n}.service.internal"), 33));
    World::new(services).bench(bencher, &asked);
}

#[divan::bench(args = SERVICES)]
fn nxdomain(bencher: Bencher<'_, '_>, services: u32) {
    let asked = questions(services, |n| query(&format!("nobody{n}.service.internal"), 1));
    World::new(services).bench(bencher, &asked);
}
