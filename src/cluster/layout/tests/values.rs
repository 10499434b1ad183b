//! Values, by value; and those that are not as this version writes them.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    cluster::layout::{
        BulkId, Decoded, Layout, Marker, Meta as Agreed, RowKey, ServerRow, encode_parts,
        testing::{AUTHOR, decode, health, layout, plain, web, written},
    },
    model::{
        CheckKind, CheckSpec, Expect, HttpCheck, HttpExtra, InstanceKey, Meta, Origin, Policy,
        Scope, ServiceName, Tag, Target, Thresholds, limit,
    },
    registry::{Edit, Guard, Health, Opinion, SharedRow},
};

/// Other versions, and scripts, read them.
#[test]
fn values_are_these_texts() {
    let (key, guard) = (web(), Guard::Unchanged);
    let text = concat!(
        r#"{"addresses":["10.1.2.3"],"port":8080,"weight":10,"priority":1,"tags":["v1"],"#,
        r#""meta":{"version":"1.4.2"},"checks":[{"type":"ttl","ttl":"15s"}],"#,
        r#""deregister_after":"10m","registered_at":"2026-11-18T11:06:40.000Z"}"#,
    );
    let edit = Edit::Register { key: key.clone(), to: plain().into(), guard };
    assert_eq!(written(&edit).1, text);
    let text = concat!(
        r#"{"of":786432,"since":"2026-11-18T11:06:40.000Z","#,
        r#""checks":[{"status":"critical","output":"silent for 15s","#,
        r#""since":"2026-11-18T11:06:40.000Z"}],"by":"host-1"}"#,
    );
    let edit = Edit::Health { key: key.clone(), to: health("silent for 15s") };
    assert_eq!(written(&edit).1, text);
    let text = r#"{"at":"2026-11-18T11:06:40.000Z","by":"host-1"}"#;
    assert_eq!(written(&Edit::Drain { key: key.clone(), on: true, guard }).1, text);
    let opinion = Edit::Opinion { key: key.clone(), by: "host-2".into(), to: Some(timeout()) };
    let text = concat!(
        r#"{"of":786432,"checks":{"0":{"status":"critical","output":"timeout","#,
        r#""since":"2026-11-18T11:06:40.000Z"}}}"#,
    );
    assert_eq!(written(&opinion).1, text);
    let service = key.service.clone();
    let policy = Edit::Policy { service: service.clone(), to: Some(Policy::default()) };
    let text = r#"{"ttl":"5s","answer_limit":8,"when_none_healthy":"nodata","min_healthy":0.0}"#;
    assert_eq!(written(&policy).1, text);
    let edits = [
        Edit::Policy { service, to: None },
        Edit::Deregister { key: key.clone(), guard: Guard::Present },
        Edit::Drain { key: key.clone(), on: false, guard },
        Edit::Drain { key, on: true, guard: Guard::PresentUnchanged },
    ];
    let text = concat!(
        r#"{"row":"policies/web"}"#,
        "\n",
        r#"{"row":"instances/web/web-1/registration","guard":"present"}"#,
        "\n",
        r#"{"row":"instances/web/web-1/drained","guard":"unchanged"}"#,
        "\n",
        r#"{"row":"instances/web/web-1/drained","guard":"present-unchanged","#,
        r#""drained":{"at":"2026-11-18T11:06:40.000Z","by":"host-1"}}"#,
    );
    assert_eq!(encode_parts(&edits, &AUTHOR).unwrap(), [text.as_bytes()]);
}

#[test]
fn values_that_are_no_rows_of_the_registry_are_these_texts() {
    let (layout, at) = (layout(), AUTHOR.at);
    let by = "host-1".into();
    let marker = Marker { bulk: BulkId(255), counts: true, parts: 1, edits: 2, base: 11, by, at };
    let text = concat!(
        r#"{"bulk":"00000000000000ff","counts":true,"parts":1,"edits":2,"base":11,"by":"host-1","#,
        r#""at":"2026-11-18T11:06:40.000Z"}"#,
    );
    assert_eq!(String::from_utf8(marker.encode()).unwrap(), text);
    assert_eq!(layout.decode_marker(text.as_bytes(), 1), Ok(marker));
    let meta = Agreed { schema: 1, cluster: "5f0c".into(), imported: None };
    assert_eq!(meta.encode(), br#"{"schema":1,"cluster":"5f0c"}"#);
    assert_eq!(layout.decode_meta(&meta.encode(), 1).as_ref(), Ok(&meta));
    let meta = Agreed { imported: Some(AUTHOR.at), ..meta };
    let text = r#"{"schema":1,"cluster":"5f0c","imported":"2026-11-18T11:06:40.000Z"}"#;
    assert_eq!(String::from_utf8(meta.encode()).unwrap(), text);
    assert_eq!(layout.decode_meta(&meta.encode(), 1), Ok(meta));
    let server = ServerRow {
        http: vec!["10.0.0.1:8500".into()],
        version: "0.2.0".into(),
        started: at,
        token: "secret".into(),
        settings: BTreeMap::default(),
    };
    let text = concat!(
        r#"{"http":["10.0.0.1:8500"],"version":"0.2.0","#,
        r#""started":"2026-11-18T11:06:40.000Z","token":"secret"}"#,
    );
    let settings = BTreeMap::from([("server.domain".to_owned(), "internal".to_owned())]);
    let more = ServerRow { settings, ..server.clone() };
    let written = String::from_utf8(more.encode()).unwrap();
    let ending = r#","token":"secret","settings":{"server.domain":"internal"}}"#;
    assert!(written.ends_with(ending), "{written}");
    assert_eq!(layout.decode_server(&"host-1".into(), written.as_bytes(), 1), Ok(more));
    assert_eq!(String::from_utf8(server.encode()).unwrap(), text);
    assert!(!format!("{server:?}").contains("secret"));
    assert_eq!(layout.decode_server(&"host-1".into(), text.as_bytes(), 1), Ok(server));
    let many = format!(
        r#"{{"http":["a:1"{}],"version":"","started":"{at}"}}"#,
        ",\"a:1\"".repeat(16),
        at = "2026-11-18T11:06:40Z"
    );
    let refusal = layout.decode_server(&"a".into(), many.as_bytes(), 3).unwrap_err().to_string();
    assert!(
        refusal.contains("`/rollcall/v1/servers/a`, revision 3 of etcd: `http`: `17`"),
        "{refusal}"
    );
}

#[test]
fn what_a_later_version_has_is_passed_over_and_noted() {
    let registration = RowKey::Registration(web());
    let text = concat!(
        r#"{"addresses":["10.0.0.1"],"port":1,"locality":{"zone":"a"},"#,
        r#""checks":[{"type":"tcp","path":"/x","retry":3},{"type":"ttl","ttl":"5s"}],"#,
        r#""registered_at":"2026-01-01T00:00:00Z"}"#,
    );
    let Decoded { row, later } = decode(&registration, text).unwrap();
    assert_eq!(later, ["locality", "checks[0].retry", "checks[0].path"]);
    let SharedRow::Registration { to: Some(to), .. } = row else { panic!("{row:?}") };
    assert_eq!(to.instance.checks[0].kind_name(), "tcp");
    let text = concat!(
        r#"{"of":1,"why":"x","checks":"#,
        r#"[{"status":"passing","since":"2026-01-01T00:00:00Z","n":1}]}"#,
    );
    assert_eq!(decode(&RowKey::Health(web()), text).unwrap().later, ["why", "checks[0].n"]);
    let policy = RowKey::Policy(web().service);
    assert_eq!(decode(&policy, r#"{"ttl":"7s","zone":"a"}"#).unwrap().later, ["zone"]);
    let text = concat!(
        r#"{"row":"instances/web/web-1/notes","notes":"x"}"#,
        "\n",
        r#"{"row":"policies/web","policy":{"ttl":"1s","zone":1},"more":0}"#,
    );
    let part = layout().decode_part(BulkId(1), 0, text.as_bytes(), 1);
    assert_eq!(part.later, ["instances/web/web-1/notes", "policy.zone", "more"]);
    assert_eq!((part.edits.len(), part.unreadable.len()), (1, 0));
}

#[test]
fn what_cannot_be_read_is_named_by_key_field_and_value() {
    let good = r#"{"addresses":["10.0.0.1"],"registered_at":"2026-01-01T00:00:00Z"}"#;
    let with = |field: &str| good.replacen('{', &format!("{{{field},"), 1);
    let registration = RowKey::Registration(web());
    let begin = "`/rollcall/v1/instances/web/web-1/registration`, revision 12 of etcd: ";
    assert!(decode(&registration, good).is_ok());
    for (text, problem) in [
        (with(r#""checks":[{"type":"icmp"}]"#), "`checks[0].type`: `icmp` is no type of check"),
        (with(r#""checks":[{"type":"ttl"}]"#), "`checks[0].ttl`: is needed"),
        (with(r#""port":70000"#), "`port`: `70000` is outside the limits of 0 to 65535"),
        (with(r#""tags":["a_b"]"#), "`tag`: `a_b` has the character '_' at position 2"),
        (r#"{"addresses":["10.0.0.1"]}"#.into(), "`registered_at`: is missing"),
        (good.replace("2026", "soon"), "`registered_at`: `soon-01-01T00:00:00Z` is no instant"),
        (good[..20].into(), "is no JSON: it ends too early, column 20"),
        (" ".repeat(1_400 << 10) + good, "has 1433665 octets, above the limit of 1433600"),
    ] {
        let refusal = decode(&registration, &text).unwrap_err();
        let found = refusal.strip_prefix(begin).unwrap_or_else(|| panic!("{refusal}"));
        assert!(found.starts_with(problem), "{refusal}");
    }
    let node = InstanceKey { service: ServiceName::nodes(), ..web() };
    let refusal = decode(&RowKey::Registration(node), good).unwrap_err();
    assert!(refusal.contains("`origin`: `_nodes/web-1` is needed by a node"), "{refusal}");
    let state = r#"{"status":"passing","since":"2026-01-01T00:00:00Z"}"#;
    let many = format!(r#"{{"of":1,"checks":[{state}{}]}}"#, format!(",{state}").repeat(16));
    let refusal = decode(&RowKey::Health(web()), &many).unwrap_err();
    assert!(refusal.contains("`checks`: `17` entries are above the limit of 16"), "{refusal}");
    let refusal = decode(&RowKey::Policy(web().service), r#"{"answer_limit":0}"#).unwrap_err();
    assert!(refusal.contains("`answer_limit`: `0` is outside"), "{refusal}");
}

/// By hand, `etcdctl put …/drained x` is enough.
#[test]
fn a_drain_is_there_whatever_it_says() {
    for value in ["", "x", "{}", r#"{"at":7}"#] {
        let Decoded { row, .. } = decode(&RowKey::Drained(web()), value).unwrap();
        assert_eq!(row, SharedRow::Drained { key: web(), on: true }, "{value}");
    }
}

#[test]
fn health_is_below_64_kib_whatever_the_checks_say() {
    for output in ["x", "\u{1}", "\u{20ac}", "\""] {
        let output = output.repeat(limit::CHECK_OUTPUT_OCTETS_MAX / output.len());
        let mut health = health(&output);
        health.checks = vec![health.checks[0].clone(); limit::INSTANCE_CHECKS_MAX].into();
        let (row, value) = written(&Edit::Health { key: web(), to: health.clone() });
        assert!(value.len() <= 64 << 10 && value.len() > 20 << 10, "{}", value.len());
        let SharedRow::Health { to: Some(read), .. } = decode(&row, &value).unwrap().row else {
            panic!("{value}")
        };
        for (read, written) in read.checks.iter().zip(&health.checks) {
            assert!(written.output.starts_with(&*read.output) && !read.output.is_empty());
            assert_eq!((read.status, read.since), (written.status, written.since));
        }
    }
    let most = health(&"x".repeat(limit::CHECK_OUTPUT_OCTETS_MAX));
    let (row, value) = written(&Edit::Health { key: web(), to: most.clone() });
    let read = decode(&row, &value.replace("xx\"", "xxyz\"")).unwrap().row;
    assert_eq!(read, SharedRow::Health { key: web(), to: Some(most) }, "what is above is cut");
}

fn timeout() -> Opinion {
    let Health { of, checks, .. } = health("timeout");
    Opinion { of, checks: [(0, checks[0].clone())].into() }
}

#[test]
fn an_opinion_is_short_and_of_checks_that_there_may_be() {
    let mut opinion = timeout();
    opinion.checks.get_mut(&0).unwrap().output = "\u{20ac}".repeat(1_000).into();
    let to = Some(opinion.clone());
    let (row, value) = written(&Edit::Opinion { key: web(), by: "host-2".into(), to });
    assert!(value.len() < 400, "{}", value.len());
    let SharedRow::Opinion { to: Some(read), by, .. } = decode(&row, &value).unwrap().row else {
        panic!("{value}")
    };
    assert_eq!((&*by, read.of, read.checks[&0].since), ("host-2", opinion.of, AUTHOR.at));
    assert!(opinion.checks[&0].output.starts_with(&*read.checks[&0].output));
    let refusal = decode(&row, &value.replace("\"0\"", "\"16\"")).unwrap_err();
    assert!(refusal.contains("`checks`: `16` is not below the limit of 16"), "{refusal}");
}

#[test]
fn deleting_the_registration_deletes_the_instance() {
    let row = RowKey::Registration(web());
    assert_eq!(Layout::deleted(&row), SharedRow::Registration { key: web(), to: None });
}

#[test]
fn an_instance_with_every_field_at_its_limit_fits() {
    let text = |octets: usize| "x".repeat(octets);
    let mut registration = plain();
    let instance = Arc::make_mut(&mut registration.instance);
    let header = (Arc::from(text(1_000)), Arc::from(text(limit::CHECK_TEXT_OCTETS_MAX - 1_000)));
    let check = CheckKind::Http(Box::new(HttpCheck {
        target: Target { host: Some(text(255).into()), port: Some(65_535) },
        tls: true,
        tls_skip_verify: true,
        follow_redirects: true,
        method: text(limit::CHECK_TEXT_OCTETS_MAX).into(),
        path: text(limit::CHECK_TEXT_OCTETS_MAX).into(),
        headers: vec![header; limit::CHECK_HEADERS_MAX].into(),
        expect: Expect::new(vec![(100, 599); 100]).unwrap(),
        warn: Some(Expect::new(vec![(100, 599); 100]).unwrap()),
        extra: HttpExtra::new(
            Some(text(limit::CHECK_BODY_OCTETS_MAX).into()),
            Some(text(255).into()),
        ),
        thresholds: Thresholds::DEFAULT,
    }));
    instance.checks = vec![CheckSpec::new(check); limit::INSTANCE_CHECKS_MAX].into();
    instance.tags = (0..limit::INSTANCE_TAGS_MAX)
        .map(|tag| Tag::parse(&format!("{tag:063}")).unwrap())
        .collect();
    instance.meta =
        Meta::new((0..15).map(|key| (format!("{key:02}").into(), text(252).into())).collect())
            .unwrap();
    let (tag, document) =
        (limit::ORIGIN_DOCUMENT_OCTETS_MAX / 64, limit::ORIGIN_DOCUMENT_OCTETS_MAX);
    instance.origin = Some(Arc::new(Origin {
        scope: Scope::node(&text(limit::ORIGIN_NAME_OCTETS_MAX)),
        id: text(limit::ORIGIN_NAME_OCTETS_MAX).into(),
        document: text(document).into(),
        other_tags: (0..64).map(|number| format!("{number:0tag$}").into()).collect(),
        service: Some(text(limit::ORIGIN_NAME_OCTETS_MAX).into()),
        node: None,
    }));
    let edit = Edit::Register { key: web(), to: registration.into(), guard: Guard::None };
    let (_, value) = written(&edit);
    assert!((800_000..1_000_000).contains(&value.len()), "{}", value.len());
}
