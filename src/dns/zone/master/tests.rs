//! Files in, records or one mistake with its line out.

use std::collections::HashMap;

use proptest::prelude::*;

use super::{Master, read};
use crate::{
    dns::zone::{build, error::ZoneError, testing::Files},
    model::{DnsName, limit},
};

fn read_files(files: &[(&str, &str)]) -> Result<Master, ZoneError> {
    let texts = files.iter().map(|(name, text)| (*name, text.as_bytes().to_vec())).collect();
    read(&Files(texts), files[0].0, b"\x04file\x00")
}

/// Reads and builds, as the server does, and returns the mistake.
fn mistake(files: &[(&str, &str)]) -> String {
    let reserved = [DnsName::parse("service.internal").unwrap()];
    let built = read_files(files).and_then(|master| build::build(&master, &reserved));
    built.map(|(zone, _)| zone.origin().clone()).unwrap_err().to_string()
}

/// `owner ttl type data-in-hexadecimal`, one record per line.
fn records(files: &[(&str, &str)]) -> Vec<String> {
    let master = read_files(files).unwrap();
    let lines = master.records.iter().map(|record| {
        let owner = DnsName::from_wire(&record.owner).unwrap();
        let data = record.rdata.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
        format!("{owner} {} {} {data}", record.ttl, record.rtype)
    });
    lines.collect()
}

#[test]
fn owner_ttl_and_class_are_inherited_and_come_in_any_order() {
    let text = "\
        a 60 IN A 1.0.0.1\n\
        \tIN 61 A 1.0.0.2\n\
        \tA 1.0.0.3 ; the TTL written last\n\
        $TTL 1h30m\n\
        B (\n IN ; class\n A\n 1.0.0.4 )\n\
        b.other. 5 A 1.0.0.5\n\
        \ta 1.0.0.6\n\
        $ORIGIN sub\n\
        @ CLASS1 A 1.0.0.7\n\
        1w in A 1.0.0.8\n";
    assert_eq!(
        records(&[("z", text)]),
        [
            "a.file 60 1 01000001",
            "a.file 61 1 01000002",
            "a.file 61 1 01000003",
            "b.file 5400 1 01000004",
            "b.other 5 1 01000005",
            "b.other 5400 1 01000006",
            "sub.file 5400 1 01000007",
            "1w.sub.file 5400 1 01000008",
        ]
    );
}

#[test]
fn a_soa_without_any_ttl_takes_its_minimum() {
    let text = "@ SOA . . 1 2 3 4 77\n@ NS ns.a.\n";
    let lines = records(&[("z", text)]);
    assert!(lines.iter().all(|line| line.starts_with("file 77 ")), "{lines:?}");
}

#[test]
fn an_included_file_has_its_own_origin_and_owner() {
    let files = [
        ("z", "$TTL 1\na A 1.0.0.1\n$INCLUDE i/b sub\n A 1.0.0.4\nc A 1.0.0.5\n$INCLUDE \"i/c\"\n"),
        ("i/b", "x A 1.0.0.2\n$ORIGIN deep\ny A 1.0.0.3\n$TTL 9\n"),
        ("i/c", " A 1.0.0.6\n"),
    ];
    assert_eq!(
        records(&files),
        [
            "a.file 1 1 01000001",
            "x.sub.file 1 1 01000002",
            "y.deep.sub.file 1 1 01000003",
            "a.file 9 1 01000004",
            "c.file 9 1 01000005",
            "c.file 9 1 01000006",
        ]
    );
    assert_eq!(read_files(&files).unwrap().files, ["z", "i/b", "i/c"]);
}

#[test]
fn the_zone_is_what_the_origin_says_before_the_first_record() {
    for (text, expected) in [
        ("a 1 A 1.0.0.1", &b"\x04file\x00"[..]),
        ("$ORIGIN Other.\na 1 A 1.0.0.1\n$ORIGIN x.Other.", b"\x05other\x00"),
        ("$ORIGIN a.\n$ORIGIN b.\na 1 A 1.0.0.1", b"\x01b\x00"),
        ("$INCLUDE i x.\n", b"\x04file\x00"),
    ] {
        let files = [("z", text), ("i", "$ORIGIN y.\nb 1 A 1.0.0.1")];
        assert_eq!(read_files(&files).unwrap().origin, expected, "{text}");
    }
}

#[test]
fn a_mistake_is_reported_with_file_and_line() {
    const GOOD: &str = "$TTL 60\n@ SOA ns m 1 2 3 4 5\n@ NS ns\nns A 1.0.0.1\n";
    for (rest, expected) in [
        ("x A 1.0.0", "z:5: A record: "),
        ("\n\n x", "z:7: `x` is not a record type"),
        ("x", "z:5: a record has a type and data"),
        ("x 60 IN", "z:5: a record has a type and data"),
        ("x \"A\" 1.0.0.1", "z:5: expected a type, found \"A\""),
        ("x (\n A 1.0.0.1", "z:5: this `(` is never closed"),
        ("x A 1.0.0.1 )", "z:5: a `)` has no `(`"),
        ("x TXT \"a", "z:5: a quotation mark is not closed"),
        ("x CH A 1.0.0.1", "z:5: class CH is not served"),
        ("x CLASS3 A 1.0.0.1", "z:5: class CLASS3 is not served"),
        ("x 3000000000 A 1.0.0.1", "z:5: the TTL `3000000000` is no time"),
        ("x 5x A 1.0.0.1", "z:5: the TTL `5x` is no time"),
        ("a..b A 1.0.0.1", "z:5: the name `a..b` has an empty label"),
        ("$TTL soon", "z:5: `soon` is no time"),
        ("$TTL", "z:5: write `$ORIGIN name.`"),
        ("$GENERATE 1-9 h$ A 1.0.0.$", "z:5: $GENERATE is not supported"),
        ("$FOO", "z:5: `$FOO` is no directive"),
        ("$INCLUDE nope", "z:5: cannot read `nope`"),
        // Else a line of the log would be another's to write.
        ("$INCLUDE a\\010b", "z:5: cannot read `a\\010b`"),
        ("b 1 T\\\tXT a", "z:5: `T\\\\009XT` is not a record type"),
        ("b 1 \u{85}", "z:5: `\\194\\133` is not a record type"),
        ("$INCLUDE z", "z:5: $INCLUDE is nested above the limit of 8"),
        ("$INCLUDE inc", "inc:2: A record: "),
        ("other. A 1.0.0.1", "z:5: `other` is outside the zone `file`"),
        ("@ SOA ns m 2 2 3 4 5", "z:5: `file` has SOA here and SOA at z:2: there is only one"),
        ("x SOA ns m 2 2 3 4 5", "z:5: the SOA is of `x.file`, but the zone is `file`"),
        (
            "x CNAME y\nx A 1.0.0.1",
            "z:6: `x.file` has A here and CNAME at z:5: a CNAME stands alone",
        ),
        ("x A 1.0.0.1\nx CNAME y", "z:6: `x.file` has CNAME here and A at z:5: a CNAME stands"),
        ("@ CNAME y", "z:5: `file` has CNAME here and NS at z:3: a CNAME stands alone"),
        ("x CNAME y\nx CNAME z", "z:6: `x.file` has CNAME here and CNAME at z:5: there is"),
        ("x DNAME y\nx DNAME z", "z:6: `x.file` has DNAME here and DNAME at z:5: there is"),
        ("x DNAME y\nx NS y.a.", "z:6: `x.file` has NS here and DNAME at z:5: a DNAME does"),
        ("a.x A 1.0.0.1\nx DNAME y", "z:5: this name is below the DNAME at z:6"),
        ("*.x NS y.a.", "z:5: `*.x.file` has NS records, whose meaning at a wildcard"),
        ("*.x DNAME y", "z:5: `*.x.file` has DNAME records, whose meaning"),
    ] {
        let text = format!("{GOOD}{rest}\n");
        let refused = mistake(&[("z", &text), ("inc", "\nx A nonsense")]);
        assert!(refused.starts_with(expected), "{rest}: {refused}");
    }
}

#[test]
fn a_zone_that_is_not_one_is_refused_as_a_whole() {
    for (text, expected) in [
        ("", "z: the zone `file` has no SOA record"),
        ("$TTL 1\n@ NS ns", "z: the zone `file` has no SOA record"),
        ("$TTL 1\n@ SOA a b 1 2 3 4 5", "z: the zone `file` has no NS record at its apex"),
        (" A 1.0.0.1", "z:1: the first record of a file has no owner"),
        ("a A 1.0.0.1", "z:1: has no TTL; put a line such as `$TTL 1h`"),
        ("$ORIGIN example.org", "z:1: `example.org` names the zone and has no final dot"),
        (
            "$ORIGIN x.service.internal.\n@ 1 SOA a b 1 2 3 4 5\n@ NS ns.a.",
            "z: the zone `x.service.internal` is inside `service.internal`, which the registry",
        ),
        (
            "$ORIGIN Service.Internal.\n@ 1 SOA a b 1 2 3 4 5\n@ NS ns.a.",
            "z: the zone `service.internal` is inside `service.internal`",
        ),
    ] {
        let refused = mistake(&[("z", text)]);
        assert!(refused.starts_with(expected), "{text}: {refused}");
    }
    let above = "$ORIGIN internal.\n@ 1 SOA a b 1 2 3 4 5\n@ NS ns.a.";
    let (master, reserved) = (read_files(&[("z", above)]), DnsName::parse("service.internal"));
    assert!(build::build(&master.unwrap(), &[reserved.unwrap()]).is_ok(), "above is fine");
}

#[test]
fn limits_hold() {
    let include_many = "$INCLUDE i\n".repeat(limit::ZONE_FILES_MAX);
    let refused = mistake(&[("z", &include_many), ("i", "")]);
    assert!(refused.ends_with("is above the limit of 256 files"), "{refused}");
    let head = "$TTL 1\n@ SOA a b 1 2 3 4 5\n@ NS ns.a.\n";
    let large = format!("x TXT {}\n", "\"0123456789012345678901234567890\" ".repeat(1_800));
    let refused = mistake(&[("z", &(head.to_owned() + &large + &large.replace("89", "98")))]);
    assert!(refused.contains("z:5: the TXT records of `x.file` take 11"), "{refused}");
    let large = format!("x TXT {}\n", "\"0123456789012345678901234567890\" ".repeat(2_050));
    let refused = mistake(&[("z", &(head.to_owned() + &large))]);
    assert!(refused.contains("z:4: TXT record: maximum buffer size exceeded: 65535"), "{refused}");
}

#[test]
fn odd_but_usable_zones_are_warned_of() {
    let text = "$TTL 60\n@ SOA ns m 1 2 3 4 5\n@ NS ns\nns A 1.0.0.1\nns A 1.0.0.1\n\
        x 30 A 1.0.0.1\nx 20 A 1.0.0.2\nx 40 A 1.0.0.3\ncut NS a.cut\nb.cut TXT lost\n\
        reg A 1.0.0.1\na.reg A 1.0.0.1\n";
    let master = read_files(&[("z", text)]).unwrap();
    let reserved = DnsName::parse("a.reg.file").unwrap();
    let (zone, warnings) = build::build(&master, &[reserved]).unwrap();
    let warnings: Vec<_> =
        warnings.iter().map(|warning| format!("{}: {}", warning.place, warning.problem)).collect();
    let expected = [
        "z:7: the A records of `x.file` differ in TTL; the lowest, 20,",
        "z:8: the A records of `x.file` differ in TTL; the lowest, 20,",
        "z:10: this name is below a delegation",
        "z:9: the name server `a.cut.file` has no address here",
        "z:12: the registry answers for `a.reg.file`; this is never seen",
    ];
    assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
    for (warning, expected) in warnings.iter().zip(expected) {
        assert!(warning.starts_with(expected), "{warning}");
    }
    let node = zone.node(b"\x01x\x04file\x00").unwrap();
    assert_eq!(node.set(1).unwrap().ttl, 20);
    assert_eq!(zone.record_count(), 10, "the duplicate is dropped");
    assert_eq!((zone.serial(), zone.negative_ttl), (1, 5));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn random_octets_never_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&Files(HashMap::from([("z", text)])), "z", b"\x00");
    }

    #[test]
    fn random_words_never_panic(words in proptest::collection::vec(
        prop_oneof![
            Just("$INCLUDE z"), Just("$ORIGIN"), Just("$TTL"), Just("\n"), Just("\n"), Just(" "),
            Just("A"), Just("MX"), Just("TXT"), Just("SVCB 1 ."), Just("HTTPS"), Just("NAPTR"),
            Just("CAA 0 issue"), Just("SOA"), Just("DS"), Just("CSYNC"), Just("CERT 1 1 1"),
            Just("TLSA 1 1 1"), Just("SSHFP 1 1"), Just("OPENPGPKEY"), Just("\\#"), Just("IN"),
            Just("("), Just(")"), Just("\""), Just("\"\""), Just("\\"), Just("\\000"), Just("="),
            Just("1"), Just("00"), Just("1h"), Just("."), Just("@"), Just("a.b."), Just("alpn=\""),
            Just("alpn=a,\\,b,"), Just("mandatory=alpn"), Just("ipv4hint=1.2.3.4"), Just("port="),
            Just("ech=AA=="), Just("key1=\"\\\""), Just("no-default-alpn"), Just("u"), Just("é"),
        ],
        0..30,
    ), glue in prop_oneof![Just(""), Just(" ")]) {
        let text = words.join(glue).into_bytes();
        let _ = read(&Files(HashMap::from([("z", text)])), "z", b"\x00");
    }
}
