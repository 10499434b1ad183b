//! Zone text and question in, whole message out, as hickory decodes it.

use hickory_proto::op::Message;

use crate::dns::zone::testing::{ask_wire, ask_within, zones};

/// Holds every question to its expected reply, given in lines.
fn expect(texts: &[&str], table: &[(&str, &[&str])]) {
    let zones = zones(texts);
    for (question, expected) in table {
        assert_eq!(ask_within(&zones, question, 65_535), expected.join("\n"), "{question}");
    }
}

const APEX: &str = "@ 600 SOA ns mail 7 2 3 4 60\n@ NS ns\nns A 192.0.2.53\n";
const SOA: &str = "ns example. 60 SOA ns.example. mail.example. 7 2 3 4 60";

fn example(records: &str) -> String {
    format!("{APEX}{records}")
}

#[test]
fn a_name_answers_what_it_has_and_nothing_else() {
    expect(
        &[&example("www A 192.0.2.1\nwww A 192.0.2.2\nwww TXT hi\na.b.c A 192.0.2.3")],
        &[
            (
                "www.example. A",
                &[
                    "NoError aa",
                    "an www.example. 300 A 192.0.2.1",
                    "an www.example. 300 A 192.0.2.2",
                ],
            ),
            ("wWw.Example. TXT", &["NoError aa", "an wWw.Example. 300 TXT hi"]),
            ("www.example. AAAA", &["NoError aa", SOA]),
            ("www.example. 65280", &["NoError aa", SOA]),
            ("nope.example. A", &["NXDomain aa", SOA]),
            ("x.www.example. A", &["NXDomain aa", SOA]),
            // Empty non-terminals are there (RFC 8020, RFC 4592 §2.2.2).
            ("b.c.example. A", &["NoError aa", SOA]),
            ("c.example. A", &["NoError aa", SOA]),
            ("x.b.c.example. A", &["NXDomain aa", SOA]),
            (
                "example. SOA",
                &["NoError aa", "an example. 600 SOA ns.example. mail.example. 7 2 3 4 60"],
            ),
            (
                "example. NS",
                &[
                    "NoError aa",
                    "an example. 300 NS ns.example.",
                    "ar ns.example. 300 A 192.0.2.53",
                ],
            ),
            ("example. DS", &["NoError aa", SOA]),
            ("example. A", &["NoError aa", SOA]),
        ],
    );
}

#[test]
fn records_whose_names_differ_in_case_only_are_one() {
    let text = example(
        "p PTR Host\np PTR host\nn NAPTR 1 2 s x \"\" Host\nn NAPTR 1 2 s x \"\" host\n\
         n NAPTR 1 2 s X \"\" host\n",
    );
    let (wire, _) = ask_wire(&zones(&[&text]), "n.example.", "NAPTR", 512);
    assert_eq!(Message::from_vec(&wire).unwrap().answers.len(), 2, "strings do have a case");
    let ptr: &[&str] = &["NoError aa", "an p.example. 300 PTR Host.example."];
    expect(&[&text], &[("p.example. PTR", ptr)]);
}

#[test]
fn a_wildcard_counts_only_right_below_the_closest_encloser() {
    // The zone of RFC 4592 §2.2.1 and its questions.
    let text = example(
        "*.w TXT wild\n*.w MX 10 host1\nsub.*.w TXT s\nhost1 A 192.0.2.1\n_ssh._tcp.host1 SRV 0 0 \
         22 host1\nsubdel NS ns.elsewhere.\n* TXT top\n*.al CNAME host1\n",
    );
    expect(
        &[&text],
        &[
            (
                "x.w.example. MX",
                &[
                    "NoError aa",
                    "an x.w.example. 300 MX 10 host1.example.",
                    "ar host1.example. 300 A 192.0.2.1",
                ],
            ),
            ("x.w.example. A", &["NoError aa", SOA]),
            ("y.x.w.example. TXT", &["NoError aa", "an y.x.w.example. 300 TXT wild"]),
            ("*.w.example. TXT", &["NoError aa", "an *.w.example. 300 TXT wild"]),
            ("w.example. TXT", &["NoError aa", SOA]),
            ("sub.*.w.example. TXT", &["NoError aa", "an sub.*.w.example. 300 TXT s"]),
            ("other.*.w.example. TXT", &["NXDomain aa", SOA]),
            ("ghost.example. TXT", &["NoError aa", "an ghost.example. 300 TXT top"]),
            ("host1.example. TXT", &["NoError aa", SOA]),
            ("_tcp.host1.example. TXT", &["NoError aa", SOA]),
            ("_telnet._tcp.host1.example. SRV", &["NXDomain aa", SOA]),
            ("host.subdel.example. A", &["NoError", "ns subdel.example. 300 NS ns.elsewhere."]),
            (
                "x.al.example. A",
                &[
                    "NoError aa",
                    "an x.al.example. 300 CNAME host1.example.",
                    "an host1.example. 300 A 192.0.2.1",
                ],
            ),
            ("x.al.example. CNAME", &["NoError aa", "an x.al.example. 300 CNAME host1.example."]),
        ],
    );
}

#[test]
fn aliases_are_followed_and_the_last_name_decides() {
    let text = example(
        "www A 192.0.2.1\na CNAME b\nb CNAME WWW\ngone CNAME nope\nnodata CNAME ns\n\
         l1 CNAME l2\nl2 CNAME l1\nme CNAME me\n*.wl CNAME x.wl\n",
    );
    expect(
        &[&text],
        &[
            (
                "a.example. A",
                &[
                    "NoError aa",
                    "an a.example. 300 CNAME b.example.",
                    "an b.example. 300 CNAME WWW.example.",
                    "an WWW.example. 300 A 192.0.2.1",
                ],
            ),
            ("a.example. CNAME", &["NoError aa", "an a.example. 300 CNAME b.example."]),
            ("gone.example. A", &["NXDomain aa", "an gone.example. 300 CNAME nope.example.", SOA]),
            (
                "nodata.example. TXT",
                &["NoError aa", "an nodata.example. 300 CNAME ns.example.", SOA],
            ),
            (
                "l1.example. A",
                &[
                    "NoError aa",
                    "an l1.example. 300 CNAME l2.example.",
                    "an l2.example. 300 CNAME l1.example.",
                ],
            ),
            ("me.example. A", &["NoError aa", "an me.example. 300 CNAME me.example."]),
            (
                "q.wl.example. A",
                &[
                    "NoError aa",
                    "an q.wl.example. 300 CNAME x.wl.example.",
                    "an x.wl.example. 300 CNAME x.wl.example.",
                ],
            ),
        ],
    );
}

#[test]
fn aliases_are_followed_as_far_as_the_data_is_ours() {
    let text = example(
        "out CNAME else.where.\nto CNAME web.other.\ncut NS ns.cut\nns.cut A 192.0.2.9\n\
         intocut CNAME h.cut\nreg CNAME web.service\n",
    );
    let other = "@ SOA ns mail 1 2 3 4 5\n@ NS ns.elsewhere.\nweb A 192.0.2.7\n";
    let zones = zones(&[&text, other]);
    expect(
        &[&text, other],
        &[
            ("out.example. A", &["NoError aa", "an out.example. 300 CNAME else.where."]),
            (
                "to.example. A",
                &[
                    "NoError aa",
                    "an to.example. 300 CNAME web.other.",
                    "an web.other. 300 A 192.0.2.7",
                ],
            ),
            (
                "intocut.example. A",
                &[
                    "NoError aa",
                    "an intocut.example. 300 CNAME h.cut.example.",
                    "ns cut.example. 300 NS ns.cut.example.",
                    "ar ns.cut.example. 300 A 192.0.2.9",
                ],
            ),
            (
                "reg.example. A",
                &[
                    "NoError aa",
                    "an reg.example. 300 CNAME web.service.example.",
                    "an web.service.example. 5 A 10.0.0.1",
                ],
            ),
        ],
    );
    assert!(ask_wire(&zones, "reg.example.", "A", 512).1, "the chain leaves for the registry");
}

#[test]
fn a_chain_ends_at_its_limit() {
    let links = (0..20).map(|n| format!("c{n} CNAME c{}\n", n + 1)).collect::<String>();
    let zones = zones(&[&example(&links)]);
    let lines = ask_within(&zones, "c0.example. A", 65_535);
    assert!(lines.starts_with("NoError aa\n"), "{lines}");
    assert_eq!(lines.lines().count(), 1 + super::CHAIN_MAX, "{lines}");
}

#[test]
fn a_dname_stands_for_all_names_below_it() {
    let text = example(
        "old 30 DNAME new\nnew A 192.0.2.1\nwww.new A 192.0.2.2\nd.new CNAME www.old\nlong DNAME \
         a23456789012345678901234567890123456789012345678901234567890123.\
         b23456789012345678901234567890123456789012345678901234567890123.\
         c23456789012345678901234567890123456789012345678901234567890123.other.\n",
    );
    let long_dname = "an long.example. 300 DNAME \
        a23456789012345678901234567890123456789012345678901234567890123.\
        b23456789012345678901234567890123456789012345678901234567890123.\
        c23456789012345678901234567890123456789012345678901234567890123.other.";
    let label = "x".repeat(60);
    expect(
        &[&text],
        &[
            (
                "www.old.example. A",
                &[
                    "NoError aa",
                    "an old.example. 30 DNAME new.example.",
                    "an www.old.example. 30 CNAME www.new.example.",
                    "an www.new.example. 300 A 192.0.2.2",
                ],
            ),
            (
                "nope.old.example. A",
                &[
                    "NXDomain aa",
                    "an old.example. 30 DNAME new.example.",
                    "an nope.old.example. 30 CNAME nope.new.example.",
                    SOA,
                ],
            ),
            // The name itself is not redirected (RFC 6672 §2.3).
            ("old.example. A", &["NoError aa", SOA]),
            ("old.example. DNAME", &["NoError aa", "an old.example. 30 DNAME new.example."]),
            (
                "d.old.example. A",
                &[
                    "NoError aa",
                    "an old.example. 30 DNAME new.example.",
                    "an d.old.example. 30 CNAME d.new.example.",
                    "an d.new.example. 300 CNAME www.old.example.",
                    "an www.old.example. 30 CNAME www.new.example.",
                    "an www.new.example. 300 A 192.0.2.2",
                ],
            ),
            (&format!("{label}.long.example. A"), &["YXDomain aa", long_dname]),
        ],
    );
}

#[test]
fn the_alias_that_a_dname_makes_is_the_whole_answer_to_who_asks_for_it() {
    let text = example("old DNAME new\nwww.new CNAME ns\n");
    let answer = |target: &str, owner: &str| format!("an {owner} 300 CNAME {target}.new.example.");
    let dname = "an old.example. 300 DNAME new.example.";
    let (there, gone) = (answer("www", "www.old.example."), answer("no", "no.old.example."));
    expect(
        &[&text],
        &[
            ("www.old.example. CNAME", &["NoError aa", dname, &there]),
            ("no.old.example. CNAME", &["NoError aa", dname, &gone]),
            ("no.old.example. DNAME", &["NXDomain aa", dname, &gone, SOA]),
        ],
    );
}

#[test]
fn a_chain_that_comes_to_its_own_dname_has_it_once() {
    let answer: &[&str] = &[
        "NoError aa",
        "an old.example. 300 DNAME new.example.",
        "an www.old.example. 300 CNAME www.new.example.",
        "an www.new.example. 300 CNAME old.example.",
    ];
    let text = example("old DNAME new\nwww.new CNAME old\n");
    expect(&[&text], &[("www.old.example. DNAME", answer)]);
}

/// The client that asks again over TCP sees the same code; BIND and NSD do it so.
#[test]
fn a_chain_that_is_cut_has_the_response_code_of_its_last_name() {
    let long = ["x"; 110].join(".");
    let text = example(&format!(
        "gone.{long} CNAME nope.{long}\ntree.{long} DNAME nope.{long}\n\
         cname CNAME gone.{long}\ndname CNAME a.tree.{long}\n\
         there CNAME a.{long}\na.{long} CNAME b.{long}\nb.{long} CNAME ns\n\
         out CNAME c.{long}\nc.{long} CNAME d.{long}\nd.{long} CNAME web.service\n"
    ));
    let zones = zones(&[&text]);
    for (question, code) in [
        ("cname.example. A", "NXDomain aa tc"),
        ("dname.example. A", "NXDomain aa tc"),
        ("there.example. A", "NoError aa tc"),
        ("out.example. A", "NoError aa tc"),
    ] {
        let cut = ask_within(&zones, question, 512);
        assert_eq!(cut.lines().next(), Some(code), "{question}: {cut}");
        assert!(cut.lines().skip(1).all(|line| line.starts_with("an ")), "{question}: {cut}");
    }
}

#[test]
fn a_delegation_is_handed_on_without_authority() {
    let text = example(
        "cut NS ns.cut\ncut NS ns.sib\ncut NS far.away.\ncut DS 1 8 2 00ff\nns.cut A \
         192.0.2.9\nns.cut AAAA 2001:db8::9\nsib NS ns.sib\nns.sib A 192.0.2.8\n",
    );
    let referral: &[&str] = &[
        "NoError",
        "ns cut.example. 300 NS ns.cut.example.",
        "ns cut.example. 300 NS ns.sib.example.",
        "ns cut.example. 300 NS far.away.",
        "ar ns.cut.example. 300 A 192.0.2.9",
        "ar ns.cut.example. 300 AAAA 2001:db8::9",
        "ar ns.sib.example. 300 A 192.0.2.8",
    ];
    expect(
        &[&text],
        &[
            ("cut.example. A", referral),
            ("cut.example. NS", referral),
            ("cut.example. ANY", referral),
            ("x.y.cut.example. TXT", referral),
            // Glue is the child's data: asked for, it is a referral like all below the cut.
            ("ns.cut.example. A", referral),
            ("x.cut.example. DS", referral),
            ("sib.example. DS", &["NoError aa", SOA]),
        ],
    );
    let (wire, _) = ask_wire(&zones(&[&text]), "cut.example.", "DS", 512);
    let ds = Message::from_vec(&wire).unwrap();
    assert!(ds.metadata.authoritative, "the parent answers for DS (RFC 4035 §3.1.4.1)");
    assert_eq!((ds.answers.len(), ds.authorities.len()), (1, 0));
    assert!(wire.ends_with(&[0, 6, 0, 1, 8, 2, 0x00, 0xff]), "{wire:?}");
}

#[test]
fn the_closest_zone_answers_but_ds_comes_from_the_parent() {
    let text = example("sub NS ns.sub\nns.sub A 192.0.2.9\nwww.sub TXT parent\n");
    let other = "@ SOA ns mail 1 2 3 4 5\n@ NS ns.elsewhere.\n";
    let sub = "@ SOA ns mail 9 2 3 4 5\n@ NS ns\nns A 192.0.2.9\nwww TXT child\n";
    expect(
        &[&text, other, sub],
        &[
            ("www.sub.example. TXT", &["NoError aa", "an www.sub.example. 300 TXT child"]),
            ("sub.example. DS", &["NoError aa", SOA]),
        ],
    );
}

#[test]
fn glue_is_of_the_zone_that_delegates_also_where_another_zone_has_the_name() {
    let text = example("sub NS ns.sub\nns.sub A 192.0.2.9\ncut NS ns.sub\ncut NS www.sub\n");
    let other = "@ SOA ns mail 1 2 3 4 5\n@ NS ns.elsewhere.\n";
    let sub = "@ SOA ns mail 9 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\n";
    let referral: &[&str] = &[
        "NoError",
        "ns cut.example. 300 NS ns.sub.example.",
        "ns cut.example. 300 NS www.sub.example.",
        "ar ns.sub.example. 300 A 192.0.2.9",
        "ar www.sub.example. 300 A 192.0.2.2",
    ];
    expect(&[&text, other, sub], &[("x.cut.example. A", referral)]);
}

#[test]
fn targets_bring_their_addresses_once_and_completely() {
    let text = example(
        "_a._tcp SRV 0 1 1 h1\n_a._tcp SRV 0 1 2 h1\n_a._tcp SRV 0 1 3 h2\n_a._tcp SRV 0 1 4 \
         x.wild\n_a._tcp SRV 0 1 5 out.side.\nh1 A 192.0.2.1\nh1 AAAA 2001:db8::1\nh2 A \
         192.0.2.2\n*.wild A 192.0.2.3\n",
    );
    let whole: &[&str] = &[
        "NoError aa",
        "an _a._tcp.example. 300 SRV 0 1 1 h1.example.",
        "an _a._tcp.example. 300 SRV 0 1 2 h1.example.",
        "an _a._tcp.example. 300 SRV 0 1 3 h2.example.",
        "an _a._tcp.example. 300 SRV 0 1 4 x.wild.example.",
        "an _a._tcp.example. 300 SRV 0 1 5 out.side.",
        "ar h1.example. 300 A 192.0.2.1",
        "ar h1.example. 300 AAAA 2001:db8::1",
        "ar h2.example. 300 A 192.0.2.2",
        "ar x.wild.example. 300 A 192.0.2.3",
    ];
    expect(&[&text], &[("_a._tcp.example. SRV", whole)]);
    // What is only helpful may be missing from a small reply without its being cut.
    let zones = zones(&[&text]);
    let size = ask_wire(&zones, "_a._tcp.example.", "SRV", 65_535).0.len();
    let small = ask_within(&zones, "_a._tcp.example. SRV", size - 1);
    assert_eq!(small, whole[..whole.len() - 1].join("\n"));
}

#[test]
fn a_binding_to_its_own_name_repeats_nothing() {
    let text = example("b HTTPS 0 b\nb HTTPS 1 .\nb A 192.0.2.1\n");
    let (wire, _) = ask_wire(&zones(&[&text]), "b.example.", "HTTPS", 512);
    let reply = Message::from_vec(&wire).unwrap();
    assert_eq!(reply.answers.len(), 2);
    assert_eq!(reply.additionals.len(), 1, "its address once: {:?}", reply.additionals);
}

#[test]
fn what_is_required_and_does_not_fit_marks_the_reply_as_cut() {
    let many = (0..60).map(|n| format!("many A 10.0.0.{n}\n")).collect::<String>();
    let glue = (0..8).map(|n| format!("cut NS n{n}.cut\nn{n}.cut A 10.0.0.{n}\n"));
    let text = example(&(many + &glue.collect::<String>()));
    let zones = zones(&[&text]);
    assert!(ask_within(&zones, "many.example. A", 512).starts_with("NoError aa tc\n"));
    assert!(ask_within(&zones, "many.example. A", 1232).starts_with("NoError aa\n"));
    let whole = ask_wire(&zones, "x.cut.example.", "A", 65_535).0.len();
    assert!(ask_within(&zones, "x.cut.example. A", whole).starts_with("NoError\n"));
    // RFC 9471 §3.1: a referral without all its glue is cut.
    assert!(ask_within(&zones, "x.cut.example. A", whole - 1).starts_with("NoError tc\n"));
}
