//! Export and import.

use proptest::{collection::vec, prelude::*};

use super::{export, import};
use crate::{
    model::{CheckKind, Revision, Status, Timestamp},
    registry::Loaded,
    store::testing::{self, Model},
};

const HEADER: &str =
    r#"{"rollcall_export":1,"revision":12,"exported_at":"2026-11-20T10:00:00.000Z"}"#;

fn text_of(loaded: &Loaded) -> String {
    let mut out = Vec::new();
    export(loaded, Timestamp(1_795_168_800_000), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_is_exported_is_imported(batches in testing::batches(), revision in any::<u64>()) {
        let mut model = Model::default();
        for batch in &batches {
            model.apply(Revision(revision), batch);
        }
        let loaded = Loaded {
            revision: model.revision,
            members: model.members.values().cloned().collect(),
            policies: model.policies.clone().into_iter().collect(),
        };
        let read = import(&mut text_of(&loaded).as_bytes()).unwrap();
        prop_assert_eq!(Model::from(read), model);
    }

    #[test]
    fn an_export_that_was_cut_is_refused(cut in 0.0..1.0, numbers in vec(any::<u16>(), 1..5)) {
        let numbers: std::collections::BTreeSet<u16> = numbers.into_iter().collect();
        let members = numbers.into_iter().map(testing::plain).collect();
        let text = text_of(&Loaded { members, ..Loaded::default() });
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 1")]
        #[expect(clippy::cast_precision_loss, reason = "a few thousand octets")]
        let length = ((text.len() - 1) as f64 * cut) as usize;
        prop_assert!(import(&mut &text.as_bytes()[..length]).is_err(), "{}", &text[..length]);
    }
}

#[test]
fn a_line_reads_as_the_api_has_it() {
    let text = text_of(&Loaded { members: vec![testing::plain(3)], ..Loaded::default() });
    let expected = concat!(
        r#"{"service":"service-3","instance":"i-3","addresses":["10.1.2.3"],"port":8080,"#,
        r#""weight":3,"priority":1,"tags":["v1"],"meta":{"version":"1.4.2"},"#,
        r#""checks":[{"type":"ttl","ttl":"15s","status":"passing","output":"registered","#,
        r#""since":"2026-11-18T11:06:40.000Z"}],"deregister_after":"10m","drained":false,"#,
        r#""status":"passing","since":"2026-11-18T11:06:40.000Z","registered":3,"#,
        r#""registered_at":"2026-11-18T11:06:40.000Z","revision":3}"#,
    );
    assert_eq!(text.lines().nth(1), Some(expected));
    assert_eq!(text.lines().last(), Some(r#"{"end":{"instances":1,"policies":0}}"#));
}

#[test]
fn an_instance_can_be_written_by_hand() {
    let line = r#"{"service":"web","instance":"w1","addresses":["db.example.org"],"port":80,
        "checks":[{"type":"https"},{"type":"tcp","interval":"1s"}]}"#
        .replace('\n', "");
    let text = format!("{HEADER}\n\n{line}\r\n{{\"end\":{{\"instances\":1,\"policies\":0}}}}");
    let loaded = import(&mut text.as_bytes()).unwrap();
    let member = &loaded.members[0];
    assert_eq!((member.status, member.instance.weight), (Status::Critical, 1));
    assert_eq!((loaded.revision, member.registered), (Revision(12), Revision(12)));
    assert_eq!(member.registered_at, Timestamp(1_795_168_800_000));
    assert_eq!(member.instance.addresses.host().unwrap().to_string(), "db.example.org");
}

#[test]
fn a_ping_over_http_2_is_over_tls_unless_the_line_says_otherwise() {
    for (line, over_tls) in [("", true), (r#","tls":false"#, false), (r#","tls":true"#, true)] {
        let line = format!(
            "{{\"service\":\"web\",\"instance\":\"w1\",\"addresses\":[\"10.0.0.1\"],\"port\":80,\
             \"checks\":[{{\"type\":\"h2ping\"{line}}}]}}"
        );
        let text = format!("{HEADER}\n{line}\n{{\"end\":{{\"instances\":1,\"policies\":0}}}}");
        let loaded = import(&mut text.as_bytes()).unwrap();
        let CheckKind::H2ping(check) = &loaded.members[0].instance.checks[0].kind else { panic!() };
        assert_eq!(check.tls, over_tls, "{line}");
    }
}

#[test]
fn a_refusal_names_line_and_field() {
    let end = r#"{"end":{"instances":1,"policies":0}}"#;
    let good = r#"{"service":"web","instance":"w1","addresses":["10.0.0.1"]}"#;
    let with = |field: &str| good.replacen('{', &format!("{{{field},"), 1);
    let cases: Vec<(String, u64, &str)> = vec![
        (String::new(), 1, "is empty"),
        ("hello".into(), 1, "line 1, column 1: is no JSON: expected value"),
        (good.into(), 1, "rollcall_export"),
        (HEADER.replace(":1,", ":2,"), 1, "version 2"),
        (HEADER.into(), 1, "cut short"),
        (format!("{HEADER}\n{good}"), 2, "cut short"),
        (format!("{HEADER}\n{end}"), 2, "had 1 instances"),
        (format!("{HEADER}\n{good}\n{good}\n{end}"), 3, "`web/w1` is there twice"),
        (format!("{HEADER}\n{good}\n{end}\n{good}"), 4, "behind the last line"),
        (format!("{HEADER}\n{}", with("\"wait\":1")), 2, "`wait`: is unknown; there are "),
        (format!("{HEADER}\n{}", with("\"port\":70000")), 2, "13: `port`: `70000` is outside"),
        (format!("{HEADER}\n{}", good.replace("web", "w_b")), 2, "'_' at position 2"),
        (format!("{HEADER}\n{}", good.replace("10.0.0.1", "0.0.0.0")), 2, "addresses[0]"),
        (format!("{HEADER}\n{}", &good[..20]), 2, "line 2, column 20: is no JSON: it ends too"),
        (
            format!("{HEADER}\n{}", with(r#""checks":[{"type":"ttl","ttl":"5"}]"#)),
            2,
            "`checks[0].ttl`: `5` is no duration",
        ),
        (format!("{HEADER}\n{}", with(r#""checks":[{"type":"tcp"}]"#)), 2, "`checks[0].port`"),
        (
            format!("{HEADER}\n{}", with(r#""checks":[{"type":"http","tls":true}]"#)),
            2,
            "no field of a check of type `http`",
        ),
        (
            format!("{HEADER}\n{}", with(r#""checks":[{"type":"icmp"}]"#)),
            2,
            "`checks[0].type`: `icmp` is no type of check",
        ),
        (
            format!("{HEADER}\n{}", with(r#""port":1,"checks":[{"type":"udp","tls_name":"a"}]"#)),
            2,
            "`checks[0].tls_name`: `tls_name` is no field of a check of type `udp`",
        ),
        (
            format!("{HEADER}\n{}", with(r#""port":1,"checks":[{"type":"http","warn":["42"]}]"#)),
            2,
            "`checks[0].warn`: `42-42` is no range",
        ),
        (
            format!("{HEADER}\n{}", with(r#""port":1,"checks":[{"type":"http","path":"/a b"}]"#)),
            2,
            "`checks[0].path`",
        ),
        (
            format!("{HEADER}\n{{\"service\":\"web\",\"policy\":{{\"answer_limit\":0}}}}"),
            2,
            "`policy.answer_limit`",
        ),
    ];
    for (text, line, problem) in cases {
        let refusal = import(&mut text.as_bytes()).unwrap_err();
        assert_eq!(refusal.line, line, "{text}: {refusal}");
        assert!(refusal.to_string().contains(problem), "{text}: {refusal}");
    }
}

#[test]
fn a_refusal_names_the_node_or_the_application() {
    for (fields, problem) in [
        (
            r#""checks":[{"type":"alias","alias":{"interface":"consul","node":"N"}}]"#,
            "`checks[0].alias.node`: `N` is not in lower case",
        ),
        (
            r#""origin":{"interface":"eureka","node":"n","id":"a","document":"{}"}"#,
            "`origin.node`: `n` is not said of what came by eureka",
        ),
        (r#""origin":{"interface":"eureka","id":"a","document":"{}"}"#, "`origin.application`"),
        (r#""origin":{"interface":"etcd","id":"a","document":"{}"}"#, "`etcd` is no interface"),
    ] {
        let line =
            format!(r#"{{"service":"web","instance":"a","addresses":["10.0.0.1"],{fields}}}"#);
        let refusal = import(&mut format!("{HEADER}\n{line}").as_bytes()).unwrap_err();
        assert!(refusal.line == 2 && refusal.to_string().contains(problem), "{line}: {refusal}");
    }
}

fn from_consul(service: &str, instance: &str, scope: &str, id: &str) -> String {
    format!(
        concat!(
            r#"{{"service":"{}","instance":"{}","addresses":["10.0.0.1"],"#,
            r#""origin":{{"interface":"consul","node":"{}","id":"{}","document":"{{}}"}}}}"#,
        ),
        service, instance, scope, id
    )
}

/// The registry never makes such rows, and would not find what is in them.
#[test]
fn an_import_takes_only_what_a_registry_could_have() {
    let (web, node) = (from_consul("web", "a", "n", "a"), from_consul("_nodes", "n", "n", ""));
    let end = r#"{"end":{"instances":2,"policies":0}}"#;
    let taken = import(&mut format!("{HEADER}\n{web}\n{node}\n{end}").as_bytes()).unwrap();
    assert_eq!(taken.members.len(), 2);
    let bare = r#"{"service":"_nodes","instance":"n","addresses":["10.0.0.1"]}"#.to_owned();
    let cases = [
        (from_consul("web", "b", "n", "a"), "what consul knows as `a` in `n` is there twice"),
        (bare, "`_nodes/n` is needed by a node"),
        (from_consul("_nodes", "m", "m", "x"), "has an `id`, but is that of a node"),
        (from_consul("web", "b", "n", ""), "has an empty `id`"),
        (from_consul("web", "b", "N", "b"), "`origin.node`: `N` is not in lower case"),
    ];
    for (line, problem) in cases {
        let text = format!("{HEADER}\n{web}\n{line}\n{end}");
        let refusal = import(&mut text.as_bytes()).unwrap_err();
        assert_eq!(refusal.line, 3);
        assert!(refusal.problem.contains(problem), "{refusal}");
    }
}

/// An instance without its node stayed critical for ever, because that was its state with it.
#[test]
fn a_state_follows_from_the_checks() {
    let line = from_consul("web", "a", "n", "a").replacen('{', "{\"status\":\"critical\",", 1);
    let end = r#"{"end":{"instances":1,"policies":0}}"#;
    let taken = import(&mut format!("{HEADER}\n{line}\n{end}").as_bytes()).unwrap();
    assert_eq!(taken.members[0].status, Status::Passing);
}

#[test]
fn a_line_without_end_does_not_fill_the_memory() {
    let mut endless = std::io::BufReader::new(std::io::repeat(b'x'));
    assert!(import(&mut endless).unwrap_err().problem.contains("above the limit of 16777216"));
}
