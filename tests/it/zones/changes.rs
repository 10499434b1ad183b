//! Files that come, change and go while the server runs.

use std::fs;

use super::{ResponseCode, file, has_metric, notes, put, wait_for, zone};
use crate::support::{Node, eventually};

#[test]
fn files_are_taken_over_when_they_come_change_and_go() {
    let node = Node::builder().zone("a.test.zone", &zone(1, "192.0.2.1", "")).start();
    let resolver = node.resolver();
    assert_eq!(resolver.addresses("www.a.test.", super::RecordType::A).len(), 1, "at the start");
    wait_for(&node, "www.b.test.", None);
    put(&node, "b.test.zone", &zone(1, "192.0.2.2", ""));
    wait_for(&node, "www.b.test.", Some("192.0.2.2"));
    // Moved into place, and written in place.
    put(&node, "a.test.zone", &zone(2, "192.0.2.3", ""));
    wait_for(&node, "www.a.test.", Some("192.0.2.3"));
    fs::write(file(&node, "a.test.zone"), zone(3, "192.0.2.4", "")).unwrap();
    wait_for(&node, "www.a.test.", Some("192.0.2.4"));
    assert!(has_metric(&node, "rollcall_zones_loaded 2"));
    fs::remove_file(file(&node, "b.test.zone")).unwrap();
    wait_for(&node, "www.b.test.", None);
    wait_for(&node, "www.a.test.", Some("192.0.2.4"));
    assert!(has_metric(&node, "rollcall_zones_loaded 1"));
    assert_eq!(notes(&node), [] as [&str; 0]);
}

#[test]
fn a_change_of_an_included_file_is_taken_over() {
    let outer = zone(1, "192.0.2.1", "$INCLUDE hosts/more.inc\n");
    let builder = Node::builder();
    fs::create_dir_all(builder.path("zones/hosts")).unwrap();
    fs::write(builder.path("zones/hosts/more.inc"), "db A 192.0.2.7\n").unwrap();
    let node = builder.zone("a.test.zone", &outer).start();
    wait_for(&node, "db.a.test.", Some("192.0.2.7"));
    put(&node, "hosts/more.inc", "db A 192.0.2.8\n");
    wait_for(&node, "db.a.test.", Some("192.0.2.8"));
    // A mistake in it is the zone's, and is told by the place where it is.
    put(&node, "hosts/more.inc", "\n\ndb A 192.0.2.nine\n");
    eventually("the mistake is noted", || {
        let notes = notes(&node);
        notes.first()?.starts_with("zone a.test.zone: hosts/more.inc:3: ").then_some(())
    });
    let metric = "rollcall_zone_mistake_line{zone=\"a.test.zone\",file=\"hosts/more.inc\"} 3";
    assert!(has_metric(&node, metric));
    node.wait_for_log("hosts/more.inc:3: ");
    wait_for(&node, "db.a.test.", Some("192.0.2.8"));
    put(&node, "hosts/more.inc", "db A 192.0.2.9\n");
    wait_for(&node, "db.a.test.", Some("192.0.2.9"));
    assert_eq!(notes(&node), [] as [&str; 0]);
}

#[test]
fn a_broken_file_leaves_the_zone_as_it_was_and_says_where_until_it_is_mended() {
    let node = Node::builder()
        .zone("a.test.zone", &zone(1, "192.0.2.1", ""))
        .zone("b.test.zone", &zone(1, "192.0.2.2", ""))
        .start();
    put(&node, "a.test.zone", &zone(2, "192.0.2.3", "oops IN A not-an-address\n"));
    eventually("the mistake is noted", || (!notes(&node).is_empty()).then_some(()));
    let told = notes(&node);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("zone a.test.zone: a.test.zone:6: A record: "), "{told:?}");
    assert!(told[0].ends_with("the zone stays as it was"), "{told:?}");
    let line = node.wait_for_log("a.test.zone:6: ");
    assert_eq!(line["level"], "ERROR", "{line}");
    assert!(has_metric(&node, "rollcall_zone_load_failures_total 1"));
    assert!(has_metric(&node, "rollcall_zone_last_load_successful{file=\"a.test.zone\"} 0"));
    let at = "rollcall_zone_mistake_line{zone=\"a.test.zone\",file=\"a.test.zone\"} 6";
    assert!(has_metric(&node, at));
    // It is served as before, and the other one is not touched.
    wait_for(&node, "www.a.test.", Some("192.0.2.1"));
    put(&node, "b.test.zone", &zone(2, "192.0.2.4", ""));
    wait_for(&node, "www.b.test.", Some("192.0.2.4"));
    assert_eq!(node.count_log("a.test.zone:6: "), 1, "it is said once");
    put(&node, "a.test.zone", &zone(3, "192.0.2.5", ""));
    wait_for(&node, "www.a.test.", Some("192.0.2.5"));
    assert_eq!(notes(&node), [] as [&str; 0]);
    assert!(has_metric(&node, "rollcall_zone_last_load_successful{file=\"a.test.zone\"} 1"));
    assert!(!has_metric(&node, at), "no mistake, no line");
}

#[test]
fn a_broken_file_at_the_start_keeps_nobody_from_being_served() {
    let node = Node::builder()
        .zone("a.test.zone", "$TTL 1m\n@ SOA ns1 hostmaster 1 1h 10m 1w 30s\n@ TXT \"no end\n")
        .zone("b.test.zone", &zone(1, "192.0.2.2", "alias CNAME www.c\n"))
        .zone("5.0.10.in-addr.arpa.zone", "1 PTR what is this\n")
        .config("[dns]\nreverse = [\"10.0.0.0/8\"]")
        .zone("file.zone", "$ORIGIN c.b.test.\n@ SOA what is this\n")
        .start();
    wait_for(&node, "www.b.test.", Some("192.0.2.2"));
    let rcode = |name: &str| node.resolver().rcode(name);
    // Nothing is known of these names, and resolvers are to ask another server for them; that this
    // one is not in charge would be another answer.
    let inside = ["www.a.test.", "a.test.", "www.c.b.test.", "1.5.0.10.in-addr.arpa."];
    for name in inside {
        assert_eq!(rcode(name), ResponseCode::ServFail, "{name}");
    }
    for name in ["x.b.test.", "1.6.0.10.in-addr.arpa."] {
        assert_eq!(rcode(name), ResponseCode::NXDomain, "{name}");
    }
    // What an alias leads to is no less unknown (RFC 6604 §2.1).
    let reply = node.resolver().ask("alias.b.test.", super::RecordType::A);
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
    assert!(reply.metadata.authoritative && reply.answers.len() == 1, "{reply}");
    assert_eq!(rcode("test."), ResponseCode::Refused);
    fs::remove_file(file(&node, "file.zone")).unwrap();
    eventually("it is forgotten", || (rcode("c.b.test.") == ResponseCode::NXDomain).then_some(()));
    fs::remove_file(file(&node, "5.0.10.in-addr.arpa.zone")).unwrap();
    eventually("one note is left", || (notes(&node).len() == 1).then_some(()));
    let told = notes(&node);
    assert!(told[0].starts_with("zone a.test.zone: a.test.zone:3: "), "{told:?}");
    assert!(told[0].ends_with("the zone is not served"), "{told:?}");
    put(&node, "a.test.zone", &zone(1, "192.0.2.1", ""));
    wait_for(&node, "www.a.test.", Some("192.0.2.1"));
    assert_eq!(notes(&node), [] as [&str; 0]);
    // What is broken and removed is forgotten.
    put(&node, "b.test.zone", "what is this?\n");
    eventually("the mistake is noted", || (!notes(&node).is_empty()).then_some(()));
    fs::remove_file(file(&node, "b.test.zone")).unwrap();
    eventually("the note is gone", || notes(&node).is_empty().then_some(()));
    wait_for(&node, "www.b.test.", None);
}

#[test]
fn sighup_reads_every_file_again_at_once() {
    let node = Node::builder().zone("a.test.zone", &zone(1, "192.0.2.1", "")).start();
    let began = std::time::Instant::now();
    // Nothing has changed, so that by itself it would never be read again.
    for time in 2..=20 {
        node.signal("HUP");
        eventually("it is read again", || (node.count_log("zone loaded") >= time).then_some(()));
    }
    assert!(began.elapsed().as_secs() < 15, "19 times took {:?}", began.elapsed());
    wait_for(&node, "www.a.test.", Some("192.0.2.1"));
}

#[test]
fn the_default_folder_may_come_later_and_another_must_be_there() {
    let builder = Node::builder();
    let folder = builder.path("zones");
    let node = builder.start();
    fs::create_dir(&folder).unwrap();
    put(&node, "a.test.zone", &zone(1, "192.0.2.1", ""));
    wait_for(&node, "www.a.test.", Some("192.0.2.1"));
    let output = Node::builder().arg("--zones").arg("/nowhere/zones").command().output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("/nowhere/zones"), "{said}");
}

#[test]
fn no_answer_is_lost_while_zones_change() {
    let node = Node::builder().zone("a.test.zone", &zone(1, "192.0.2.1", "")).start();
    let resolver = node.resolver();
    let mut last = 1;
    for serial in 2..30_u32 {
        put(&node, "a.test.zone", &zone(serial, &format!("192.0.2.{serial}"), ""));
        node.signal("HUP");
        loop {
            let addresses = resolver.addresses("www.a.test.", super::RecordType::A);
            let [std::net::IpAddr::V4(address)] = addresses[..] else { panic!("{addresses:?}") };
            let now = u32::from(address.octets()[3]);
            assert!(now >= last, "{now} after {last}");
            last = now;
            if now == serial {
                break;
            }
        }
    }
}
