//! The UDP path allocates nothing per packet: the whole of it, from the socket and back, counted by
//! an allocator of our own while a real server answers.
//!
//! The test is a program of its own, because an allocator is the whole program's.
#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    future::Future,
    net::{SocketAddr, UdpSocket},
    num::NonZeroUsize,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use rollcall::{
    dns::{
        AccessRule, ConsulSpec, CookieSecrets, DnsConfig, DnsServer, EncryptedListen, Limits,
        RateLimit, Settings, SettingsSpec, Wiring,
        forward::{ForwardHandle, ForwardSpec},
        zone::{ZoneFolder, ZoneWatcher, ZonesHandle},
    },
    model::{
        Addresses, DnsName, Instance, InstanceId, Meta, Node, Origin, Revision, Scope, ServiceName,
        Tag, Timestamp,
    },
    registry::{
        self, Change, Journal, JournalError, Keeping, Loaded, Member, Options, Registry, Setup,
    },
    telemetry::{Board, Metrics},
    util::Clock,
};
use tokio_util::sync::CancellationToken;

/// The system's allocator, counting.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes on to the system's allocator as it came; counting touches no memory that
// is given out, and does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, SeqCst);
        // SAFETY: the caller keeps the contract of `alloc`, which is that of the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: `memory` came from `alloc` or `realloc` above, and so from the system's.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, SeqCst);
        // SAFETY: as for `dealloc`, and the caller keeps the contract of `realloc`.
        unsafe { System.realloc(memory, layout, size) }
    }
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

/// `web` with ten instances of both families, each with a tag and its own weight; `db` and `alias`
/// behind a host name each, elsewhere and here.
fn members() -> Vec<Member> {
    let member = |n: u16| {
        let ips = vec![
            format!("10.0.0.{n}").parse().expect("an address"),
            format!("fd00::{n}").parse().expect("an address"),
        ];
        let instance = Instance {
            service: ServiceName::parse("web").expect("a name"),
            id: InstanceId::parse(&format!("i{n}")).expect("a name"),
            addresses: Addresses::ips(ips).expect("two addresses"),
            port: 8080,
            weight: n,
            warning_weight: None,
            priority: 1,
            tags: [Tag::parse("v1").expect("a tag")].into(),
            meta: Meta::new(vec![("version".into(), "1".into())]).expect("a pair"),
            checks: Arc::default(),
            deregister_after: None,
            initial_status: None,
            origin: None,
        };
        Member::new(Arc::new(instance), Revision::default(), Timestamp::default())
    };
    let at_host = |service: &str, host: &str| {
        let mut instance = Instance::clone(&member(1).instance);
        instance.service = ServiceName::parse(service).expect("a name");
        instance.addresses = Addresses::Host(DnsName::parse(host).expect("a name"));
        Member::new(Arc::new(instance), Revision::default(), Timestamp::default())
    };
    let hosts = [at_host("alias", "web.service.internal"), at_host("db", "db.example.net")];
    // A service on a node of Consul's, at an address of its own.
    let mut elsewhere = Instance::clone(&member(60).instance);
    elsewhere.service = ServiceName::parse("elsewhere").expect("a name");
    let addresses = Addresses::parse(&["10.0.0.50"]).expect("an address");
    elsewhere.origin = Some(Arc::new(Origin {
        scope: Scope::node("n.1"),
        id: "e".into(),
        document: "{}".into(),
        other_tags: Box::default(),
        service: None,
        node: Some(Node { addresses, lends_address: false }),
    }));
    let elsewhere = Member::new(Arc::new(elsewhere), Revision::default(), Timestamp::default());
    (1..=10).map(member).chain(hosts).chain([elsewhere]).collect()
}

/// `example.com` from a file.
fn zones() -> ZonesHandle {
    const TEXT: &str = "$ORIGIN example.com.\n$TTL 60\n@ SOA ns m 1 2 3 4 5\n@ NS ns\n\
        ns A 192.0.2.53\nwww CNAME ns\n*.any A 192.0.2.1\n\
        set A 192.0.2.2\nset A 192.0.2.3\nsrv SRV 1 1 80 i3.instance.web.service.internal.\n\
        site HTTPS 1 web.service.internal. alpn=h2\nout CNAME web.service.internal.\n";
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.zone"), TEXT).expect("a file");
    let path = folder.path().to_owned();
    let reserved = vec![DnsName::parse("service.internal").expect("a name")];
    let folder = ZoneFolder { path, is_required: true, reserved };
    let watcher = ZoneWatcher::open(folder, Board::default(), &Metrics::new());
    watcher.expect("the folder is there").handle()
}

fn registry(clock: Clock) -> Registry {
    let (_, options) =
        tokio::sync::watch::channel(Options { index_addresses: true, ..Options::default() });
    let loaded = Loaded { members: members(), ..Loaded::default() };
    let (board, metrics) = (Board::default(), Metrics::new());
    let keeping = Keeping::Own(Box::new(Unused));
    let setup = Setup { loaded, keeping, options, clock, board, metrics };
    registry::start(setup).expect("the members are in order").0
}

/// A query in the simple form, with an OPT record of 1,232 octets.
fn query(name: &str, qtype: u8) -> Vec<u8> {
    let mut query = bare(name, qtype);
    query[11] = 1;
    query.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    query
}

/// The same with a cookie of the client's, NSID, and an option that means nothing.
fn with_options(name: &str, qtype: u8) -> Vec<u8> {
    let mut query = query(name, qtype);
    let options = b"\x00\x0A\x00\x08abcdefgh\x00\x03\x00\x00\xFD\xE9\x00\x02xy";
    let length = query.len() - 1;
    query[length] = u8::try_from(options.len()).expect("they are few");
    query.extend(options);
    query
}

/// A question about the server itself: TXT in the class CHAOS.
fn chaos(name: &str) -> Vec<u8> {
    let mut query = bare(name, 16);
    let class = query.len() - 1;
    query[class] = 3;
    query
}

/// The same without an OPT record: the reply has 512 octets at the most.
fn bare(name: &str, qtype: u8) -> Vec<u8> {
    let name = DnsName::parse(name).expect("a name");
    [&[7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], name.as_wire(), &[0, qtype, 0, 1]].concat()
}

/// What a reply says: the number of its answers, its code, whether it was cut.
type Says = (u16, u8, bool);

/// Questions that the fast path answers, one of each kind.
fn questions() -> Vec<(&'static str, Vec<u8>, Says)> {
    let found = |count: u16| (count, 0, false);
    vec![
        ("A", query("web.service.internal", 1), found(8)),
        ("A without OPT", bare("web.service.internal", 1), found(8)),
        ("AAAA", query("web.service.internal", 28), found(8)),
        ("SRV", query("_web._tcp.service.internal", 33), found(10)),
        ("SRV, cut", bare("web.service.internal", 33), (9, 0, true)),
        ("SRV to a host", query("db.service.internal", 33), found(1)),
        ("PTR to browse", query("_web._tcp.service.internal", 12), found(10)),
        ("SRV as browsed", query("i3._web._tcp.service.internal", 33), found(1)),
        ("TXT, which all have alike", query("web.service.internal", 16), found(1)),
        ("A by tag", query("v1.web.service.internal", 1), found(8)),
        ("A of an instance", query("i3.instance.web.service.internal", 1), found(1)),
        ("A of a host elsewhere", query("db.service.internal", 1), found(1)),
        ("A of a host that is ours", query("alias.service.internal", 1), found(9)),
        ("CNAME of a host", query("db.service.internal", 5), found(1)),
        ("PTR", query("3.0.0.10.in-addr.arpa", 12), found(1)),
        ("PTR of a node", query("50.0.0.10.in-addr.arpa", 12), found(1)),
        ("PTR of a service on it", query("60.0.0.10.in-addr.arpa", 12), found(2)),
        ("PTR of nobody", query("99.0.0.10.in-addr.arpa", 12), (0, 3, false)),
        ("static A", query("ns.example.com", 1), found(1)),
        ("static alias", query("www.example.com", 1), found(2)),
        ("static alias to a service", query("out.example.com", 1), found(9)),
        ("static wildcard", query("x.any.example.com", 1), found(1)),
        ("static set", query("set.example.com", 1), found(2)),
        ("static SRV to an instance", query("srv.example.com", 33), found(1)),
        ("static HTTPS to a service", query("site.example.com", 65), found(1)),
        ("static NXDOMAIN", query("nobody.example.com", 1), (0, 3, false)),
        ("SOA", query("service.internal", 6), found(1)),
        ("NODATA", query("web.service.internal", 15), found(0)),
        ("NXDOMAIN", query("nobody.service.internal", 1), (0, 3, false)),
        ("REFUSED", query("example.net", 1), (0, 5, false)),
        ("A, options", with_options("web.service.internal", 1), found(8)),
        ("SRV, options", with_options("_web._tcp.service.internal", 33), found(10)),
        ("NXDOMAIN, options", with_options("nobody.service.internal", 1), (0, 3, false)),
        ("A by Consul's name", query("web.service.consul", 1), found(10)),
        ("the same without OPT", bare("web.service.dc1.consul", 1), found(3)),
        ("SRV by Consul's name", query("_web._tcp.consul", 33), found(10)),
        ("A by Consul's name and tag", query("v1.web.service.consul", 1), found(10)),
        ("A of digits", query("0a000003.addr.dc1.consul", 1), found(1)),
        ("Consul's NXDOMAIN", query("nobody.service.consul", 1), (0, 3, false)),
        ("CHAOS", chaos("version.bind"), found(1)),
    ]
}

/// Starts a server of one worker, and returns its address and what must outlive the test.
fn start(stop: &CancellationToken) -> (SocketAddr, impl Future<Output = ()>) {
    let listen = vec!["127.0.0.1:0".parse().expect("an address")];
    let server = DnsServer::bind(&DnsConfig {
        listen,
        workers: NonZeroUsize::new(1),
        encrypted: EncryptedListen::default(),
    });
    let server = server.expect("the port is the system's choice");
    let address = server.local_addrs()[0];
    let domain = DnsName::parse("internal").expect("a name");
    let mut spec = SettingsSpec::new(domain);
    spec.consul = Some(ConsulSpec::new(DnsName::parse("consul").expect("a name")));
    spec.reverse = vec!["10.0.0.0/8".parse().expect("a prefix")];
    // Everybody is a stranger whose replies are counted, and every name meets a rule.
    spec.cookies = Some(CookieSecrets::random().expect("the system has randomness"));
    spec.identity.nsid = b"here"[..].into();
    spec.identity.version = "Rollcall".into();
    let allow = vec!["127.0.0.0/8".parse().expect("a prefix")];
    let zone = DnsName::parse(".").expect("the root");
    spec.access = vec![AccessRule { zone, allow, deny: Vec::new() }];
    let (exempt, per_second) = (Vec::new(), RateLimit::PER_SECOND_MAX);
    spec.rate_limit = Some(RateLimit {
        responses_per_second: per_second,
        all_per_second: per_second,
        unproven_udp_size: 1_232,
        exempt,
        ..RateLimit::default()
    });
    let settings = Settings::new(&spec).expect("the usual settings");
    let (clock, metrics) = (Clock::system(), Metrics::new());
    // On, for others than this client: whom it is on for is looked at for each packet.
    let forward = ForwardHandle::new(Board::default(), &metrics, clock.clone());
    forward.configure(&ForwardSpec {
        upstreams: vec!["127.0.0.1:9".parse().expect("an upstream")],
        allow: vec!["203.0.113.0/24".parse().expect("a network")],
        ..ForwardSpec::default()
    });
    let running = server.start(&Wiring {
        registry: registry(clock.clone()),
        zones: zones(),
        settings: Arc::new(ArcSwap::from_pointee(settings)),
        forward,
        limits: Arc::new(ArcSwap::from_pointee(Limits::default())),
        encryption: None,
        metrics,
        clock,
        stop: stop.clone(),
    });
    (address, running.expect("it starts").stopped())
}

/// Asks, and returns what the reply says.
fn ask(client: &UdpSocket, query: &[u8], reply: &mut [u8; 1_232]) -> Says {
    client.send(query).expect("it is sent");
    client.recv(reply).expect("a reply in time");
    (u16::from_be_bytes([reply[6], reply[7]]), reply[3] & 0x0F, reply[2] & 2 != 0)
}

#[test]
fn a_plain_query_over_udp_is_answered_without_an_allocation() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let stop = CancellationToken::new();
    let (address, stopped) = runtime.block_on(async { start(&stop) });
    let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    client.connect(address).expect("an address");
    client.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let mut reply = [0; 1_232];
    for (what, query, expected) in &questions() {
        assert_eq!(ask(&client, query, &mut reply), *expected, "{what}");
        // Other threads of the server are still starting, and allocate for themselves; what a query
        // costs, it costs each time.
        let least = (0..10).map(|_| {
            let before = ALLOCATIONS.load(SeqCst);
            for _ in 0..100 {
                ask(&client, query, &mut reply);
            }
            ALLOCATIONS.load(SeqCst) - before
        });
        assert_eq!(least.min(), Some(0), "allocations in 100 queries: {what}");
    }
    stop.cancel();
    runtime.block_on(stopped);
}
