//! What the tests of the store share: any member, any policy, any sequence of changes, and stores
//! on files to hold against a state in memory.

use std::{collections::BTreeMap, net::IpAddr, path::Path, sync::Arc, time::Duration};

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{
    Store,
    disk::Disk,
    record::{self, RecordError, seal_member, seal_policy},
};
use crate::{
    model::{
        Addresses, AliasCheck, CheckKind, CheckSpec, CheckState, DnsName, Expect, GrpcCheck,
        H2pingCheck, HttpCheck, HttpExtra, Instance, InstanceId, InstanceKey, Meta, Node, Origin,
        Policy, Revision, Scope, ServiceName, Share, Status, Tag, Target, TcpCheck, Thresholds,
        Timestamp, UdpCheck, WhenNoneHealthy,
    },
    registry::{Change, Journal, JournalError, Loaded, Member},
};

/// The state in memory, against which stores are held.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Model {
    pub revision: Revision,
    pub members: BTreeMap<InstanceKey, Member>,
    pub policies: BTreeMap<ServiceName, Policy>,
}

impl Model {
    pub(crate) fn apply(&mut self, revision: Revision, changes: &[Change]) {
        self.revision = revision;
        for change in changes.iter().cloned() {
            match change {
                Change::DeleteMember(key) => {
                    self.members.remove(&key);
                }
                Change::DeletePolicy(service) => {
                    self.policies.remove(&service);
                }
                Change::PutMember(member) => {
                    self.members.insert(member.key(), Member::clone(&member));
                }
                Change::PutPolicy(service, policy) => {
                    self.policies.insert(service, policy);
                }
            }
        }
    }
}

impl From<Loaded> for Model {
    fn from(loaded: Loaded) -> Self {
        let count = loaded.members.len() + loaded.policies.len();
        let model = Self {
            revision: loaded.revision,
            members: loaded.members.into_iter().map(|member| (member.key(), member)).collect(),
            policies: loaded.policies.into_iter().collect(),
        };
        assert_eq!(model.members.len() + model.policies.len(), count, "a row is there twice");
        model
    }
}

/// Commits, as a caller without a runtime would.
pub(super) fn commit(
    store: &mut Store,
    revision: u64,
    changes: Vec<Change>,
) -> Result<(), JournalError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.commit(Revision(revision), changes))
}

/// The system's disk with logs that are folded after a commit or two.
#[derive(Debug)]
pub(super) struct SmallLogs;

impl Disk for SmallLogs {
    fn fold_octets(&self) -> u64 {
        8_192
    }
}

/// Opens a store on `disk`.
pub(super) fn open_on(dir: &Path, disk: impl Disk + 'static) -> (Store, Loaded) {
    Store::open_with(dir, Arc::new(disk)).unwrap()
}

/// A scratch directory, in memory where the system has one there: hundreds of stores are made and
/// damaged, and none of that needs a disk. What does (crashes), uses a disk.
pub(super) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

pub(super) fn load(dir: &Path) -> Model {
    Store::open(dir).unwrap().1.into()
}

/// A store with some of everything, closed; and what is in it.
pub(super) fn sample(dir: &Path) -> Model {
    let (mut store, _) = Store::open(dir).unwrap();
    let mut model = Model::default();
    for batch in 0..4 {
        let mut changes: Vec<Change> = (batch * 10..batch * 10 + 15).map(put).collect();
        changes.push(Change::DeleteMember(plain(batch * 10 + 7).key()));
        let revision = u64::from(batch) + 1;
        commit(&mut store, revision, changes.clone()).unwrap();
        model.apply(Revision(revision), &changes);
    }
    model
}

/// The key of an instance's row.
pub(super) fn member_key(key: &InstanceKey) -> Vec<u8> {
    let mut out = Vec::new();
    record::member_key(key, &mut out);
    out
}

/// The value of a policy's row.
pub(super) fn encode_policy(service: &ServiceName, policy: &Policy) -> Vec<u8> {
    let mut out = service.as_bytes().to_vec();
    seal_policy(policy, &mut out, 0);
    out.split_off(service.as_bytes().len())
}

/// The value of an instance's row.
pub(super) fn encode_member(key: &[u8], member: &Member) -> Result<Vec<u8>, RecordError> {
    let mut out = key.to_vec();
    seal_member(member, &mut out, 0)?;
    Ok(out.split_off(key.len()))
}

/// A plain member; `number` is its name, and shows in its content.
pub(crate) fn plain(number: u16) -> Member {
    let instance = Instance {
        service: ServiceName::parse(&format!("service-{}", number % 7)).unwrap(),
        id: InstanceId::parse(&format!("i-{number}")).unwrap(),
        addresses: Addresses::ips(vec![IpAddr::from([10, 1, 2, 3])]).unwrap(),
        port: 8080,
        weight: number,
        warning_weight: None,
        priority: 1,
        tags: [Tag::parse("v1").unwrap()].into(),
        meta: Meta::new(vec![("version".into(), "1.4.2".into())]).unwrap(),
        checks: [CheckSpec::new(CheckKind::Ttl { ttl: Duration::from_secs(15) })].into(),
        deregister_after: Some(Duration::from_secs(600)),
        initial_status: None,
        origin: None,
    };
    Member::new(Arc::new(instance), Revision(number.into()), Timestamp(1_795_000_000_000))
}

pub(super) fn put(number: u16) -> Change {
    Change::PutMember(plain(number).into())
}

/// Batches of changes among a few services and instances, so that they meet.
pub(crate) fn batches() -> impl Strategy<Value = Vec<Vec<Change>>> {
    vec(vec(change(), 0..8), 1..8)
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => member().prop_map(|member| Change::PutMember(Arc::new(member))),
        2 => key().prop_map(Change::DeleteMember),
        1 => (service(), policy()).prop_map(|(service, policy)| Change::PutPolicy(service, policy)),
        1 => service().prop_map(Change::DeletePolicy),
    ]
}

fn service() -> impl Strategy<Value = ServiceName> {
    select(vec!["a", "web", "web-a"]).prop_map(|name| ServiceName::parse(name).unwrap())
}

fn key() -> impl Strategy<Value = InstanceKey> {
    let id = select(vec!["1", "a", "web", "z9"]).prop_map(|name| InstanceId::parse(name).unwrap());
    (service(), id).prop_map(|(service, id)| InstanceKey { service, id })
}

pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    let when = select(WhenNoneHealthy::ALL.to_vec());
    (0_u32..=86_400, 1_u16..=1_000, when, 0_u32..=1_000_000).prop_map(
        |(ttl_seconds, answer_limit, when_none_healthy, millionths)| {
            let min_healthy = Share::from_millionths(millionths);
            Policy { ttl_seconds, answer_limit, when_none_healthy, min_healthy }
        },
    )
}

pub(crate) fn member() -> impl Strategy<Value = Member> {
    let checks = vec((check(), status(), text(), instant()), 0..3);
    let known = (instant(), any::<bool>(), any::<u64>(), instant(), any::<u64>());
    (instance(), checks, known).prop_map(|(mut instance, checks, known)| {
        instance.checks = checks.iter().map(|(spec, ..)| spec.clone()).collect();
        let states = checks.into_iter().map(|(_, status, output, since)| CheckState {
            status,
            output,
            since,
        });
        let checks: Box<[CheckState]> = states.collect();
        // Kept of those only that came by another door.
        let created = if instance.origin.is_some() { known.4 / 2 } else { known.2 };
        Member {
            status: Status::worst(checks.iter().map(|check| check.status)),
            checks,
            instance: Arc::new(instance.checked().unwrap()),
            node_status: Status::Passing,
            since: known.0,
            drained: known.1,
            suspect: false,
            created: Revision(created),
            registered: Revision(known.2),
            registered_at: known.3,
            modified: Revision(known.4),
        }
    })
}

fn instance() -> impl Strategy<Value = Instance> {
    let tags = proptest::collection::btree_set("[a-z]{1,3}", 0..4);
    let meta = proptest::collection::btree_map("[a-z]{1,8}", "\\PC{0,12}", 0..4);
    let settings = (option::of(period()), option::of(status()));
    let rare = (option::of(any::<u16>()), option::of(origin()));
    (key(), addresses(), any::<[u16; 3]>(), tags, meta, settings, rare).prop_map(
        |(key, addresses, [port, weight, priority], tags, meta, settings, rare)| Instance {
            service: key.service,
            id: key.id,
            addresses,
            port: port.max(1),
            weight,
            warning_weight: rare.0,
            priority,
            tags: tags.iter().map(|tag| Tag::parse(tag).unwrap()).collect(),
            meta: Meta::new(
                meta.iter().map(|(k, v)| (k.as_str().into(), v.as_str().into())).collect(),
            )
            .unwrap(),
            checks: Arc::default(),
            deregister_after: settings.0,
            initial_status: settings.1,
            origin: rare.1.map(Arc::new),
        },
    )
}

fn origin() -> impl Strategy<Value = Origin> {
    let tags = proptest::collection::btree_set("[a-z.]{1,5}", 0..3);
    let node = option::of((addresses(), any::<bool>()));
    let node = node
        .prop_map(|node| node.map(|(addresses, lends_address)| Node { addresses, lends_address }));
    let service = option::of("\\PC{0,12}");
    ("[a-z]{1,5}", "\\PC{6,12}", "\\PC{0,40}", tags, any::<bool>(), (service, node)).prop_map(
        |(scope, id, document, tags, is_node, (service, node))| Origin {
            scope: if is_node { Scope::node(&scope) } else { Scope::application(&scope) },
            id: id.into(),
            document: document.into(),
            other_tags: tags.into_iter().map(Into::into).collect(),
            service: service.map(Into::into),
            node,
        },
    )
}

fn addresses() -> impl Strategy<Value = Addresses> {
    let usable = |ip: &IpAddr| !ip.is_unspecified() && !ip.is_multicast();
    let ip = any::<IpAddr>().prop_filter("an address of a host", usable);
    prop_oneof![
        5 => proptest::collection::hash_set(ip, 1..4).prop_filter_map("addresses", |ips| {
            Addresses::ips(ips.into_iter().collect()).ok()
        }),
        1 => "[a-z]{1,20}(\\.[a-z0-9]{1,20}){0,3}\\.[a-z]{2,9}"
            .prop_map(|name| Addresses::Host(DnsName::parse_host(&name).unwrap())),
    ]
}

fn check() -> impl Strategy<Value = CheckSpec> {
    let kind = prop_oneof![
        Just(CheckKind::Manual),
        (word(), word(), any::<bool>()).prop_map(|(scope, id, is_node)| {
            let scope = if is_node { Scope::node(&scope) } else { Scope::application(&scope) };
            CheckKind::Alias(Box::new(AliasCheck::new(scope, id).unwrap()))
        }),
        period().prop_map(|ttl| CheckKind::Ttl { ttl }),
        (target(), thresholds()).prop_map(|(target, thresholds)| {
            CheckKind::Udp(Box::new(UdpCheck { target, thresholds }))
        }),
        tls_kind(),
        http(),
    ];
    (kind, option::of(status()), option::of(period()))
        .prop_map(|(kind, start, deregister_after)| CheckSpec { kind, start, deregister_after })
}

/// Of the kinds that differ in little but what they say over TLS.
fn tls_kind() -> impl Strategy<Value = CheckKind> {
    let tls = (any::<(bool, bool)>(), option::of(word()));
    (0..3, target(), tls, word(), thresholds()).prop_map(
        |(kind, target, ((tls, tls_skip_verify), tls_name), service, thresholds)| match kind {
            0 => CheckKind::Tcp(Box::new(TcpCheck {
                target,
                tls,
                tls_skip_verify,
                tls_name,
                thresholds,
            })),
            1 => CheckKind::H2ping(Box::new(H2pingCheck {
                target,
                tls,
                tls_skip_verify,
                tls_name,
                thresholds,
            })),
            _ => CheckKind::Grpc(Box::new(GrpcCheck {
                target,
                tls,
                tls_skip_verify,
                tls_name,
                service,
                thresholds,
            })),
        },
    )
}

fn http() -> impl Strategy<Value = CheckKind> {
    let name = "x-[a-z]{1,8}".prop_map(Arc::<str>::from);
    let request = (word(), vec((name, word()), 0..3), "[A-Z]{1,6}");
    let flags = any::<(bool, bool, bool)>();
    let rare = (option::of(text()), option::of(word()), option::of(codes()));
    (target(), flags, request, codes(), rare, thresholds()).prop_map(
        |(target, flags, (word, headers, method), expect, (body, tls_name, warn), thresholds)| {
            let (tls, tls_skip_verify, follow_redirects) = flags;
            CheckKind::Http(Box::new(HttpCheck {
                target,
                tls,
                tls_skip_verify,
                follow_redirects,
                method: method.into(),
                path: format!("/{word}").into(),
                headers: headers.into(),
                expect,
                warn,
                extra: HttpExtra::new(body, tls_name),
                thresholds,
            }))
        },
    )
}

fn codes() -> impl Strategy<Value = Expect> {
    vec((100_u16..300, 300_u16..600), 1..4).prop_map(|ranges| Expect::new(ranges).unwrap())
}

fn word() -> impl Strategy<Value = Arc<str>> {
    "[!-~]{1,12}".prop_map(Arc::from)
}

fn target() -> impl Strategy<Value = Target> {
    (option::of("[a-z]{1,9}".prop_map(Arc::<str>::from)), option::of(any::<u16>()))
        .prop_map(|(host, port)| Target { host, port })
}

fn thresholds() -> impl Strategy<Value = Thresholds> {
    (period(), period(), 1_u16..=100, 1_u16..=100).prop_map(|(interval, timeout, rise, fall)| {
        let warn_after = if fall % 3 == 0 { fall - 1 } else { 0 };
        Thresholds { interval, timeout, rise, fall, warn_after }
    })
}

fn period() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (100_u64..86_400_000).prop_map(Duration::from_millis),
        (100_000_000_u64..10_000_000_000).prop_map(Duration::from_nanos),
    ]
}

fn status() -> impl Strategy<Value = Status> {
    select(Status::ALL.to_vec())
}

/// Up to the year 9999.
fn instant() -> impl Strategy<Value = Timestamp> {
    (0..253_000_000_000_000_u64).prop_map(Timestamp)
}

fn text() -> impl Strategy<Value = Arc<str>> {
    "\\PC{0,30}".prop_map(Arc::from)
}
