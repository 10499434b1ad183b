//! That the comparison can fail, and that it does not where it should not.

use super::{Case, Told};
use crate::differential::{
    data::{A, CNAME, NS, Type},
    name::Name,
    question::Question,
    reply::{AUTHORITATIVE, Reply, Set, TRUNCATED},
    zone::{World, Zone},
};

/// Zones `one` and `two` with an address each, and one at a name server.
fn world() -> World {
    let mut zones: Vec<Zone> = ["one", "two"].map(|name| Zone::new(Name::plain(name))).into();
    zones[0].add(Name::plain("www.one"), (A, 60), vec!["192.0.2.1".into()]);
    zones[0].add(Name::plain("ns.cut.one"), (A, 60), vec!["192.0.2.3".into()]);
    zones[1].add(Name::plain("www.two"), (A, 60), vec!["192.0.2.2".into()]);
    World { zones, targets: Vec::new() }
}

fn set(owner: &str, rtype: Type, data: &[u8]) -> Set {
    Set { owner: Name::plain(owner), rtype: rtype.0, ttl: 60, data: vec![data.to_vec()] }
}

fn glue() -> Set {
    set("ns.cut.one", A, &[192, 0, 2, 3])
}

/// A reply with an alias, an address, and a delegation with glue: one of each.
fn reply() -> Reply {
    let target = Name::plain("www.one").to_wire();
    let server = Name::plain("ns.cut.one").to_wire();
    Reply {
        flags: 0x8000 | AUTHORITATIVE,
        rcode: 0,
        question: Vec::new(),
        answer: vec![set("a.one", CNAME, &target), set("www.one", A, &[192, 0, 2, 1])],
        authority: vec![set("cut.one", NS, &server)],
        additional: vec![glue()],
        edns: None,
        octets: 200,
    }
}

/// The parts in which Rollcall differs, when the peers and it say this.
fn differences(peers: [Reply; 3], ours: Reply) -> Vec<&'static str> {
    parts(peers.map(told), told(ours))
}

fn told(first: Reply) -> Told {
    Told { first, whole: None }
}

fn parts(peers: [Told; 3], ours: Told) -> Vec<&'static str> {
    let question = Question::soa(&Name::plain("a.one"));
    let case = Case { world: &world(), question: &question, peers, ours, beyond: None };
    case.compare().differences.iter().map(|difference| difference.part).collect()
}

/// The reply with one thing changed.
fn but(change: impl FnOnce(&mut Reply)) -> Reply {
    let mut reply = reply();
    change(&mut reply);
    reply
}

#[test]
fn what_differs_from_three_that_agree_is_found_by_its_part() {
    let agreed = || [reply(), reply(), reply()];
    assert_eq!(differences(agreed(), reply()), [""; 0]);
    for (ours, part) in [
        (but(|r| r.flags ^= AUTHORITATIVE), "AA"),
        (but(|r| r.flags ^= 0x0080), "RA"),
        (but(|r| r.flags ^= TRUNCATED), "TC"),
        (but(|r| r.question.push(0)), "question"),
        (but(|r| r.rcode = 3), "response code"),
        (but(|r| r.answer[0].ttl = 0), "answer"),
        (but(|r| r.answer[1].data[0][3] = 9), "answer"),
        (but(|r| r.answer.reverse()), "answer"),
        (but(|r| r.answer.truncate(1)), "answer"),
        (but(|r| r.authority.clear()), "authority"),
        (but(|r| r.additional.clear()), "additional"),
        (but(|r| r.additional.push(set("ns.cut.one", A, &[192, 0, 2, 4]))), "additional"),
        (but(|r| r.additional.push(set("www.one", Type(28), &[0; 16]))), "additional"),
    ] {
        assert_eq!(differences(agreed(), ours.clone()), [part], "{ours}");
    }
}

#[test]
fn what_only_some_of_the_three_have_is_free_but_must_be_of_one_of_them() {
    let nodata = || but(|r| r.answer.clear());
    let other = || but(|r| r.answer.truncate(1));
    for ours in [reply(), nodata()] {
        assert_eq!(differences([reply(), reply(), nodata()], ours), [""; 0]);
    }
    assert_eq!(differences([reply(), reply(), nodata()], other()), ["answer"]);
    // Glue that one of them leaves out may be there or not.
    let bare = || but(|r| r.additional.clear());
    for ours in [reply(), bare()] {
        assert_eq!(differences([reply(), reply(), bare()], ours), [""; 0]);
    }
    // Unless it is of a name that nobody asked for.
    let peers = || [bare(), bare(), bare()];
    assert_eq!(differences(peers(), reply()), [""; 0]);
    assert_eq!(differences(peers(), but(|r| r.authority.clear())), ["authority", "additional"]);
}

#[test]
fn who_truncates_is_free_where_only_one_side_fits_into_a_datagram() {
    let of = |octets| but(|r| r.octets = octets);
    let cut = |octets| {
        let first = but(|r| r.flags |= TRUNCATED);
        Told { first, whole: Some(of(octets)) }
    };
    let (short, long) = (|| [400; 3].map(|n| told(of(n))), || [600; 3].map(cut));
    assert_eq!(parts(long(), told(of(512))), [""; 0]);
    assert_eq!(parts(short(), cut(513)), [""; 0]);
    assert_eq!(parts(short(), cut(512)), ["TC"]);
    let one_fits = [told(of(400)), cut(600), cut(600)];
    assert_eq!(parts(one_fits, told(of(512))), [""; 0]);
    assert_eq!(parts([400; 3].map(cut), told(of(400))), ["TC"]);
}

#[test]
fn addresses_beside_the_delegated_zone_are_required_where_there_is_room() {
    // A server with an address, and how long the reply is without it.
    let of = |server: &str, octets| {
        but(|r| {
            r.authority = vec![set("cut.one", NS, &Name::plain(server).to_wire())];
            (r.additional, r.octets) = (vec![set(server, A, &[192, 0, 2, 3])], octets);
        })
    };
    let bare = |server, octets| {
        let mut reply = of(server, octets);
        reply.additional.clear();
        reply
    };
    for (server, octets, parts) in [
        ("ns.cut.one", 500, &["additional"][..]),
        ("www.one", 400, &["additional"]),
        ("www.one", 500, &[]),
    ] {
        let peers = [(); 3].map(|()| of(server, 450));
        assert_eq!(differences(peers, bare(server, octets)), parts, "{server} {octets}");
    }
}

#[test]
fn a_chain_that_leaves_the_zone_goes_on_as_it_is_there() {
    let target = Name::plain("www.two").to_wire();
    let stays = || {
        but(|r| {
            r.answer = vec![set("a.one", CNAME, &target)];
            r.authority.clear();
            r.additional.clear();
        })
    };
    let address = |octet| set("www.two", A, &[192, 0, 2, octet]);
    let goes_on = |octet| {
        let mut reply = stays();
        reply.answer.push(address(octet));
        reply
    };
    let beyond = || {
        but(|r| {
            *r = stays();
            r.answer = vec![address(2)];
        })
    };
    assert_eq!(differences([goes_on(2), stays(), stays()], goes_on(2)), [""; 0]);
    let (world, question) = (world(), Question::soa(&Name::plain("a.one")));
    for (octet, parts) in [(2, &[][..]), (3, &["beyond the zone"])] {
        let (peers, ours) = ([stays(), stays(), stays()].map(told), told(goes_on(octet)));
        let beyond = Some(beyond());
        let case = Case { world: &world, question: &question, peers, ours, beyond };
        let differences = case.compare().differences;
        let found: Vec<_> = differences.iter().map(|difference| difference.part).collect();
        assert_eq!(found, parts);
    }
}
