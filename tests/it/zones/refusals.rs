//! Zones and files that are not taken, and what is said about them.

use super::{notes, put, wait_for, zone};
use crate::support::{Node, eventually};

#[test]
fn nothing_outside_the_folder_is_included() {
    let builder = Node::builder();
    std::fs::write(builder.path("secret"), "secret TXT \"of another\"\n").unwrap();
    let absolute = builder.path("secret");
    let node = builder.zone("good.test.zone", &zone(1, "192.0.2.1", "")).start();
    std::os::unix::fs::symlink(&absolute, node.path("zones/link")).unwrap();
    for outside in
        ["../secret", "./../secret", "x/../../secret", absolute.to_str().unwrap(), "link"]
    {
        put(&node, "a.test.zone", &zone(1, "192.0.2.1", &format!("$INCLUDE {outside}\n")));
        node.signal("HUP");
        let expected = format!("zone a.test.zone: a.test.zone:6: `{outside}` ");
        eventually(&format!("{outside} is refused"), || {
            notes(&node).first()?.starts_with(&expected).then_some(())
        });
        let told = notes(&node);
        assert!(told[0].contains("out of the zone folder"), "{told:?}");
        assert!(!told[0].contains("of another"), "nothing of it is shown: {told:?}");
    }
    assert_eq!(node.resolver().rcode("www.a.test."), super::ResponseCode::ServFail);
    wait_for(&node, "www.good.test.", Some("192.0.2.1"));
}

#[test]
fn a_zone_that_the_registry_answers_is_refused() {
    let node = Node::builder()
        .zone("service.internal.zone", &zone(1, "192.0.2.1", ""))
        .zone("web.service.internal.zone", &zone(1, "192.0.2.2", ""))
        .zone("named.zone", &format!("$ORIGIN x.service.internal.\n{}", zone(1, "192.0.2.3", "")))
        .zone("xservice.internal.zone", &zone(1, "192.0.2.4", ""))
        .start();
    let told = notes(&node);
    assert_eq!(told.len(), 3, "{told:?}");
    for (note, file) in told.iter().zip(["named", "service.internal", "web.service.internal"]) {
        assert!(note.starts_with(&format!("zone {file}.zone: ")), "{note}");
        assert!(note.contains("`service.internal`, which the registry answers"), "{note}");
    }
    wait_for(&node, "www.xservice.internal.", Some("192.0.2.4"));
    let reply = node.resolver().ask("www.service.internal.", super::RecordType::A);
    assert_eq!(super::whole(&reply)[0], "NXDOMAIN aa", "the registry's word stands");
}

#[test]
fn mistakes_are_told_by_file_and_line() {
    let node = Node::builder().zone("good.test.zone", &zone(1, "192.0.2.1", "")).start();
    for (rest, line, problem) in [
        ("a A 192.0.2.256\n", 6, "A record: "),
        ("a A\n", 6, "A record: "),
        ("\n; a comment\na NONSENSE x\n", 8, "not a record type"),
        ("$ORIGIN\n", 6, "$ORIGIN name."),
        ("$GENERATE 1-9 a$ A 192.0.2.$\n", 6, "$GENERATE is not supported"),
        ("$WHAT x\n", 6, "no directive"),
        ("a TXT ( \"x\"\n\n", 6, ""),
        ("a TXT \"x\n", 6, ""),
        ("a CNAME b\na A 192.0.2.1\n", 7, "stands alone"),
        ("a.elsewhere. A 192.0.2.1\n", 6, "outside the zone"),
        ("a 1w2 MX mail\n", 6, ""),
        ("a CH TXT x\n", 6, "class CH is not served"),
        ("a DNSKEY 256 3 8 AwEAAQ==\n", 6, "signed zones"),
        ("$INCLUDE missing.inc\n", 6, "cannot read `missing.inc`"),
        ("$INCLUDE a.test.zone\n", 6, ""),
        ("d DNAME e\nx.d A 192.0.2.1\n", 7, "below the DNAME at a.test.zone:6"),
        ("@ SOA ns1 hostmaster 2 1h 10m 1w 30s\n", 6, "a.test.zone:2"),
    ] {
        put(&node, "a.test.zone", &zone(1, "192.0.2.1", rest));
        let expected = format!("zone a.test.zone: a.test.zone:{line}: ");
        let is_told = |note: &String| note.starts_with(&expected) && note.contains(problem);
        node.signal("HUP");
        eventually(&format!("line {line} of {rest:?}, {:?}", notes(&node)), || {
            notes(&node).first().is_some_and(is_told).then_some(())
        });
        put(&node, "a.test.zone", &zone(1, "192.0.2.1", ""));
        node.signal("HUP");
        eventually("it is mended", || notes(&node).is_empty().then_some(()));
    }
    for (text, problem) in [("", "no SOA"), ("$TTL 1\n@ SOA a b 1 2 3 4 5\n", "no NS record")] {
        put(&node, "a.test.zone", text);
        node.signal("HUP");
        eventually(problem, || notes(&node).first()?.contains(problem).then_some(()));
    }
}

#[test]
fn of_a_zone_in_two_files_only_the_one_that_is_served_is_said_to_be_loaded() {
    let same = format!("$ORIGIN same.test.\n{}", zone(1, "192.0.2.1", ""));
    let builder = Node::builder().zone("a.zone", &same).zone("b.zone", &same);
    let builder = builder.zone("c.zone", "a A 192.0.2.256\n");
    let mut server = builder.command_in_text().spawn().unwrap();
    let banner = std::io::BufReader::new(server.stdout.take().unwrap());
    let line = std::io::BufRead::lines(banner)
        .map_while(Result::ok)
        .find(|line| line.starts_with("  zones "));
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(line.as_ref().is_some_and(|line| line.ends_with("(1 zone, 2 refused)")), "{line:?}");
    let node = builder.start();
    assert_eq!(node.count_log("zone loaded"), 1);
    node.wait_for_log("zone file refused");
    std::fs::remove_file(node.path("zones/a.zone")).unwrap();
    eventually("the other is served", || (node.count_log("zone loaded") == 2).then_some(()));
    assert!(node.find_log("zone loaded").unwrap().to_string().contains("a.zone"));
}
