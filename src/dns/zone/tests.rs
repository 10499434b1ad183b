//! The zone as a whole: the example that is shipped, and random zones against the RFCs' words.

use std::{collections::HashMap, path::Path, sync::Arc};

use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    ZoneFolder, ZoneWatcher, build, master,
    set::Zones,
    testing::{Files, ask_within},
};
use crate::{
    model::DnsName,
    telemetry::{Board, Metrics},
};

#[test]
fn the_shipped_example_loads_and_answers_as_it_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("zones");
    let reserved = vec![DnsName::parse("service.internal").unwrap()];
    let folder = ZoneFolder { path, is_required: true, reserved };
    let board = Board::default();
    let watcher = ZoneWatcher::open(folder, board.clone(), &Metrics::new()).unwrap();
    assert_eq!(board.conditions(), [], "no mistake in what is shipped");
    let zones = watcher.handle().load();
    for (question, expected) in [
        ("example.internal. SOA", "NoError aa/an example.internal. 300 SOA"),
        ("www.example.internal. A", "an web1.example.internal. 300 A 192.0.2.10"),
        ("example.internal. MX", "ar mail.example.internal. 300 A 192.0.2.25"),
        ("example.internal. CAA", "an example.internal. 300 CAA"),
        ("example.internal. TXT", "an example.internal. 300 TXT v=spf1 mx -all"),
        ("db.old.example.internal. A", "an db.lab.example.internal. 300 A 192.0.2.40"),
        ("lab.example.internal. A", "NoError aa/ns example.internal. 30 SOA"),
        ("_ldap._tcp.example.internal. SRV", "ar web1.example.internal. 300 AAAA 2001:db8::10"),
        ("y.x.dev.example.internal. A", "an y.x.dev.example.internal. 60 A 192.0.2.80"),
        ("api.dev.example.internal. TXT", "NoError aa/ns example.internal. 30 SOA"),
        ("v1.api.dev.example.internal. A", "NXDomain aa/ns example.internal. 30 SOA"),
        ("x.branch.example.internal. A", "NoError/ns branch.example.internal. 300 NS ns1.branch"),
        ("x.branch.example.internal. A", "ar ns1.branch.example.internal. 300 AAAA"),
        (
            "sensor.example.internal. 65280",
            "NoError aa/an sensor.example.internal. 300 Unknown CgAAAQ==",
        ),
        ("nothing.example.internal. A", "NXDomain aa"),
    ] {
        let reply = ask_within(&zones, question, 1232).replace('\n', "/");
        assert!(reply.contains(expected), "{question}: {reply}");
    }
}

/// One record of a random zone: the labels of its owner, its type, the labels it points to.
type Line = (Vec<&'static str>, &'static str, Vec<&'static str>);

/// The names of the random zone are made of few labels, so that they meet.
fn labels() -> impl Strategy<Value = Vec<&'static str>> {
    vec(select(&["a", "b", "*"][..]), 0..4)
}

fn line() -> impl Strategy<Value = Line> {
    let types = ["A", "A", "TXT", "CNAME", "CNAME", "DNAME", "NS"];
    (labels(), select(types.to_vec()), labels())
}

fn absolute(labels: &[&str]) -> String {
    labels.iter().map(|label| format!("{label}.")).collect::<String>() + "example."
}

/// The text of the data of a record, which is also how hickory shows it.
fn data((_, rtype, target): &Line) -> String {
    match *rtype {
        "A" => format!("192.0.2.{}", target.len()),
        "TXT" => format!("t{}", target.len()),
        _ => absolute(target),
    }
}

/// The zone of as many of the lines as go together, and those lines.
fn random_zone(candidates: Vec<Line>) -> (Zones, Vec<Line>) {
    let mut kept: Vec<Line> = Vec::new();
    let mut built = None;
    let apex = "$TTL 300\n@ SOA ns. m. 1 2 3 4 5\n@ NS ns.\n";
    for candidate in std::iter::once(None).chain(candidates.into_iter().map(Some)) {
        let mut lines = kept.clone();
        lines.extend(
            candidate.filter(|new| {
                kept.iter().all(|k| (&k.0, k.1, data(k)) != (&new.0, new.1, data(new)))
            }),
        );
        let text = lines.iter().map(|l| format!("{} {} {}\n", absolute(&l.0), l.1, data(l)));
        let text = apex.to_owned() + &text.collect::<String>();
        let files = Files(HashMap::from([("z", text.into_bytes())]));
        let master = master::read(&files, "z", b"\x07example\x00").expect("the text is right");
        if let Ok((zone, _)) = build::build(&master, &[]) {
            built = Some(zone);
            kept = lines;
        }
    }
    let zone = Arc::new(built.expect("the apex alone is a zone"));
    (Zones::new([zone], Arc::default()), kept)
}

/// RFC 1034 §4.3.2 word for word, with RFC 4592 and RFC 6672, over a list of records: no table, no
/// wire form, nothing in common with the code under test. Additional records are left out. One word
/// is added, as NSD, Knot and BIND do: to a question for CNAME, the one that a DNAME makes is the
/// answer, and nothing follows.
fn by_the_book(lines: &[Line], name: &[&str], qtype: &str) -> String {
    let at = |name: &[&str], rtype: &str| -> Vec<&Line> {
        lines.iter().filter(|(owner, own, _)| *owner == name && *own == rtype).collect()
    };
    let exists = |name: &[&str]| name.is_empty() || lines.iter().any(|l| l.0.ends_with(name));
    let (mut out, mut rcode, mut aa) = (Vec::new(), "NoError", " aa");
    let mut name = name.to_vec();
    let mut seen: Vec<Vec<&str>> = Vec::new();
    let soa = "ns example. 5 SOA ns. m. 1 2 3 4 5";
    'restart: loop {
        // Step 3, matching down, label by label: b. a cut or a DNAME on the way.
        for depth in (0..=name.len()).rev() {
            let here = &name[depth..];
            let servers = at(here, "NS");
            let is_cut = !here.is_empty() && !servers.is_empty();
            if is_cut && (depth > 0 || qtype != "DS") {
                aa = if out.is_empty() { "" } else { aa };
                let line = |l: &&Line| format!("ns {} 300 NS {}", absolute(here), data(l));
                out.extend(servers.iter().map(line));
                break 'restart;
            }
            if depth > 0
                && let Some(dname) = at(here, "DNAME").first()
            {
                if seen.contains(&name) || seen.len() == 16 {
                    break 'restart;
                }
                let tree = format!("an {} 300 DNAME {}", absolute(here), data(dname));
                if !out.contains(&tree) {
                    out.push(tree);
                }
                let target = [&name[..depth], &dname.2].concat();
                out.push(format!("an {} 300 CNAME {}", absolute(&name), absolute(&target)));
                seen.push(std::mem::replace(&mut name, target));
                if qtype == "CNAME" {
                    break 'restart;
                }
                continue 'restart;
            }
        }
        // a. the name is there; c. it is not, but the wildcard at its closest encloser may be.
        let source = if exists(&name) {
            name.clone()
        } else {
            let encloser = (0..=name.len()).map(|depth| &name[depth..]).find(|n| exists(n));
            let wildcard = [&["*"], encloser.expect("the apex exists")].concat();
            if !exists(&wildcard) {
                rcode = "NXDomain";
                out.push(soa.into());
                break;
            }
            wildcard
        };
        let (found, alias) = (at(&source, qtype), at(&source, "CNAME"));
        if !found.is_empty() {
            let line = |l: &&Line| format!("an {} 300 {qtype} {}", absolute(&name), data(l));
            out.extend(found.iter().map(line));
        } else if let Some(alias) = alias.first() {
            if !seen.contains(&name) && seen.len() < 16 {
                out.push(format!("an {} 300 CNAME {}", absolute(&name), data(alias)));
                seen.push(std::mem::replace(&mut name, alias.2.clone()));
                continue;
            }
        } else {
            out.push(soa.into());
        }
        break;
    }
    std::iter::once(format!("{rcode}{aa}")).chain(out).collect::<Vec<_>>().join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn random_zones_answer_by_the_book(
        candidates in vec(line(), 0..12),
        questions in vec((labels(), select(&["A", "TXT", "CNAME", "DS"][..])), 1..12),
    ) {
        let (zones, lines) = random_zone(candidates);
        for (name, qtype) in questions {
            let reply = ask_within(&zones, &format!("{} {qtype}", absolute(&name)), 65_535);
            let without_additional =
                reply.lines().filter(|l| !l.starts_with("ar ")).collect::<Vec<_>>().join("\n");
            let expected = by_the_book(&lines, &name, qtype);
            prop_assert_eq!(without_additional, expected, "{:?} {} in {:?}", name, qtype, lines);
        }
    }
}
