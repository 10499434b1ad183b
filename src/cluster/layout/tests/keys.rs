//! Keys.

use crate::{
    cluster::layout::{BulkId, Key, KeyRange, Layout, RowKey, Stray, server_id},
    model::{InstanceId, InstanceKey, ServiceName},
};

fn instance(service: &str, id: &str) -> InstanceKey {
    let service = ServiceName::parse_kept(service).unwrap();
    InstanceKey::new(service, InstanceId::parse(id).unwrap())
}

/// By value: other versions, and whoever uses etcdctl, know them.
#[test]
fn a_key_is_a_prefix_a_version_and_names() {
    let layout = Layout::new("/rollcall").unwrap();
    let web = instance("web", "web-1");
    for (key, text) in [
        (Key::Meta, "meta"),
        (Key::Server("host-1.example".into()), "servers/host-1.example"),
        (Key::Row(RowKey::Registration(web.clone())), "instances/web/web-1/registration"),
        (Key::Row(RowKey::Health(web.clone())), "instances/web/web-1/health"),
        (Key::Row(RowKey::Drained(web.clone())), "instances/web/web-1/drained"),
        (Key::Row(RowKey::Health(instance("_nodes", "n"))), "instances/_nodes/n/health"),
        (Key::Row(RowKey::Policy(web.service.clone())), "policies/web"),
        (Key::Row(RowKey::Opinion(web.clone(), "host-2".into())), "opinions/web/web-1/host-2"),
        (Key::Beats("b".into()), "beats/b"),
        (Key::Bulk, "bulk"),
        (Key::Part(BulkId(255), 12), "bulks/00000000000000ff/00012"),
    ] {
        let text = format!("/rollcall/v1/{text}");
        assert_eq!(layout.key(&key), text);
        assert_eq!(layout.parse(text.as_bytes()), Ok(key));
    }
    assert_eq!(layout.registration(&web), layout.row(&RowKey::Registration(web)));
}

#[test]
fn what_is_of_a_later_version_is_told_from_what_is_wrong() {
    let layout = Layout::new("/a/b").unwrap();
    for key in ["/a", "/a/c/v1/meta", "/a/b/v1", "/a/b/x/meta", "/a/b", "/a/bv1/meta", "a/b/v1/"] {
        assert_eq!(layout.parse(key.as_bytes()), Err(Stray::Foreign), "{key}");
    }
    for (key, what) in [
        ("/a/b/v2/instances", "v2"),
        ("/a/b/v1/zones/x", "zones"),
        ("/a/b/v1/instances/web/web-1/notes", "instances/…/notes"),
        ("/a/b/v1/instances/web/web-1/health/1", "instances/…/1"),
        ("/a/b/v1/policies/web/x", "policies/…/x"),
        ("/a/b/v1/opinions/web/web-1/b/x", "opinions/…/x"),
    ] {
        assert_eq!(layout.parse(key.as_bytes()), Err(Stray::Later(what.into())), "{key}");
    }
    for (key, field, problem) in [
        ("instances/WEB/web-1/health", "service", "is written as `web` in keys"),
        ("instances/w_b/web-1/health", "service", "'_' at position 2"),
        ("instances/web//health", "instance", "is empty"),
        ("instances/web", "instance", "is missing"),
        ("instances/web/web-1", "row", "is missing"),
        ("opinions/web/web-1", "server", "is missing"),
        ("policies/_nodes", "service", "'_' at position 1"),
        ("", "key", "has no name behind the version"),
        ("servers/", "server", "is empty"),
        ("servers", "server", "is missing"),
        ("beats/a b", "server", "' '"),
        ("bulks/xyz", "bulk", "is no number of 16 hexadecimal digits"),
        ("bulks/00000000000000FF/00001", "bulk", "is written as `00000000000000ff` in keys"),
        ("bulks/00000000000000ff", "part", "is missing"),
        ("bulks/00000000000000ff/7", "part", "is no number of 5 digits"),
        ("bulks/00000000000000ff/+0007", "part", "is no number of 5 digits"),
    ] {
        match layout.parse(format!("/a/b/v1/{key}").as_bytes()) {
            Err(Stray::Malformed(refusal)) => {
                assert_eq!(refusal.field, field, "{key}: {refusal}");
                assert!(refusal.problem.contains(problem), "{key}: {refusal}");
            }
            other => panic!("{key}: {other:?}"),
        }
    }
    assert!(matches!(layout.parse(b"/a/b/v1/servers/\xFF"), Err(Stray::Malformed(_))));
}

#[test]
fn a_range_has_what_is_below_and_nothing_beside() {
    let layout = Layout::new("/rollcall").unwrap();
    let has = |range: &KeyRange, key: &str| {
        let key = format!("/rollcall/{key}");
        (range.from.as_str()..range.to.as_str()).contains(&key.as_str())
    };
    let all = layout.all();
    assert!(has(&all, "v1/meta") && has(&all, "v1/~"));
    assert!(!has(&all, "v10/meta") && !has(&all, "v2/meta") && !has(&all, "v1"));
    let one = layout.instance(&instance("web", "web-1"));
    for key in ["registration", "health", "what-a-later-version-has"] {
        assert!(has(&one, &format!("v1/instances/web/web-1/{key}")), "{key}");
    }
    for key in ["web-10/registration", "web-1-a/health", "web-1a/health", "web-/health"] {
        assert!(!has(&one, &format!("v1/instances/web/{key}")), "{key}");
    }
    assert!(has(&layout.bulks(), "v1/bulks/0000000000000001/00000"));
    assert!(!has(&layout.bulks(), "v1/bulk"));
    assert!(has(&layout.servers(), "v1/servers/a") && has(&layout.beats(), "v1/beats/a"));
}

#[test]
fn a_prefix_is_names_between_slashes() {
    for prefix in [Layout::DEFAULT_PREFIX, "/a/b-c/d.e_f", "/r@ll"] {
        assert_eq!(Layout::new(prefix).unwrap().all().from, format!("{prefix}/v1/"));
    }
    for (prefix, problem) in [
        ("", "is no prefix"),
        ("/", "is no prefix"),
        ("rollcall", "write one as in `/rollcall`"),
        ("/rollcall/", "leave it out"),
        ("/a//b", "two `/`"),
        ("/a/..", "the name `..`"),
        ("/a b", "' '"),
        ("/\u{e4}", "'\u{e4}'"),
        (&format!("/{}", "a".repeat(255)), "limit of 255"),
    ] {
        let refusal = Layout::new(prefix).unwrap_err();
        assert!(refusal.problem.contains(problem), "{prefix}: {refusal}");
    }
    assert!(server_id(&"a".repeat(254)).is_err() && server_id("A_1.b-c").is_ok());
}
