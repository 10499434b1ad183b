//! A small world to ask: of all that makes answers differ, one.

use std::{net::IpAddr, sync::LazyLock};

use crate::{
    dns::{
        Caller, CookieSecrets, Identity, RateLimit, Settings, SettingsSpec, Transport,
        testing::{NOW, World, member, spec},
        zone::Zones,
    },
    model::{Policy, WhenNoneHealthy},
    registry::Member,
};

/// A static zone with whatever master files can say of names.
const EXAMPLE: &str = "@ SOA ns m 1 2 3 4 5\n@ NS ns\n@ MX 5 mail\nns A 192.0.2.53\n\
    mail A 192.0.2.25\nmail AAAA 2001:db8::25\nwww CNAME ns\nloop CNAME pool\npool CNAME loop\n\
    far CNAME www.example.net.\nshop CNAME web.service.internal.\n*.any TXT \"any\" \"thing\"\n\
    a.b.c A 192.0.2.9\nold DNAME new\nx.new A 192.0.2.10\nsub NS ns.sub\nns.sub A 192.0.2.54\n\
    sub DS 1 8 2 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n\
    _http._tcp SRV 1 2 80 www\n_http._tcp SRV 1 2 80 mail\nsvc HTTPS 1 . alpn=h2 port=8443\n\
    info CAA 0 issue \"ca.example.net\"\nodd TYPE65280 \\# 3 010203\n\
    browse PTR _services._dns-sd._udp.service.internal.\n";

/// What is registered, in zones, and configured.
pub(in crate::dns) static WORLD: LazyLock<World> = LazyLock::new(|| {
    let policy = |when_none_healthy| Policy { when_none_healthy, ..Policy::default() };
    let policies = [
        ("planned", Policy::default()),
        ("gone", policy(WhenNoneHealthy::Nxdomain)),
        ("lost", policy(WhenNoneHealthy::Servfail)),
        ("open", policy(WhenNoneHealthy::All)),
        ("crowd", Policy { answer_limit: 1_000, ..Policy::default() }),
    ];
    let mut world = World::with_policies(members(), &policies);
    world.settings = settings(None);
    world.zones = Zones::of_texts(&[("example", EXAMPLE)], &["service.internal"]);
    world
});

/// The same choices of an operator who holds strangers to a size; but to no rate, for what is
/// counted is not repeated.
pub(in crate::dns) static WARY: LazyLock<Settings> = LazyLock::new(|| {
    let none = RateLimit { responses_per_second: 0, all_per_second: 0, ..RateLimit::default() };
    settings(Some(RateLimit { exempt: Vec::new(), ..none }))
});

fn settings(rate_limit: Option<RateLimit>) -> Settings {
    let secret = "000102030405060708090a0b0c0d0e0f";
    let cookies = Some(CookieSecrets::parse(secret).expect("it is a secret"));
    let identity =
        Identity { nsid: (*b"one").into(), server: "one".into(), version: "some".into() };
    let spec = SettingsSpec { identity, cookies, rate_limit, ..spec() };
    Settings::new(&spec).expect("they are in their ranges")
}

/// The instances.
pub(in crate::dns) fn members() -> Vec<Member> {
    let crowd = (1..=99).map(|n| member(&format!("crowd/i{n}"), &format!("fd00::{n}")));
    let web = |id: &str| member(&format!("web/{id}"), "10.0.0.1");
    let more = [
        web("a").at(&["10.0.0.1", "fd00::1"]).tags(&["v1", "eu"]).weight(7),
        web("b").at(&["10.0.0.2", "fd00::2"]).tags(&["v1"]).meta(&[("version", "1")]),
        web("c").at(&["10.0.0.3"]).tags(&["eu"]).priority(2).meta(&[("k", "v"), ("x", "")]),
        web("d").at(&["10.0.0.4"]).weight(0).critical(),
        member("alike/a", "10.0.0.1").meta(&[("k", "v")]),
        member("alike/b", "10.0.0.1").meta(&[("k", "v")]),
        member("out/a", "10.0.0.9").host("www.example.net"),
        member("in/a", "10.0.0.9").host("web.service.internal"),
        member("zone/a", "10.0.0.9").host("www.example"),
        member("self/a", "10.0.0.9").host("self.service.internal"),
        member("gone/a", "10.0.0.5").critical(),
        member("lost/a", "10.0.0.6").critical(),
        member("open/a", "10.0.0.7").critical(),
        member("off/a", "10.0.0.8").drained(),
    ];
    crowd.chain(more).collect()
}

/// Who asks.
pub(in crate::dns) fn caller(transport: Transport, over_v6: bool) -> Caller {
    let client: IpAddr = match over_v6 {
        false => [192, 0, 2, 99].into(),
        true => [0x2001, 0xDB8, 0, 0, 0, 0, 0, 0x99].into(),
    };
    Caller::new(client, transport, NOW)
}

/// Chance that repeats itself.
pub(in crate::dns) fn rng() -> fastrand::Rng {
    fastrand::Rng::with_seed(7)
}
