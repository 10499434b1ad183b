//! Bodies as an agent (1.8.7) takes and refuses them.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    super::definition::{
        CatalogRegistration, CheckDefinition, CheckUpdate, ServiceAddress, ServiceDefinition,
    },
    Body, read,
};
use crate::model::limit;

fn refusal<T: Body + std::fmt::Debug>(body: &str) -> String {
    let error = read::<T>(body.as_bytes()).expect_err(body);
    assert_eq!(error.status, 400, "{body}");
    error.text.strip_prefix("Request decode failed: ").expect(body).to_owned()
}

fn service(body: &str) -> ServiceDefinition {
    read(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error:?}"))
}

#[test]
fn names_of_fields_are_matched_in_any_case_and_the_last_one_wins() {
    for body in [r#"{"name":"web"}"#, r#"{"Name":"web"}"#, r#"{"NAME":"web"}"#] {
        assert_eq!(service(body).name, "web", "{body}");
    }
    assert_eq!(service(r#"{"NAME":"c","name":"a","Name":"b"}"#).name, "b");
    assert_eq!(service(r#"{"Name":"a","name":"b","NAME":"c"}"#).name, "c");
    let check = r#"{"name":"web","check":{"tcp":"x:1","TTL":"5s","tlsskipverify":true}}"#;
    let check = service(check).check.unwrap();
    assert_eq!(
        (&*check.tcp, check.ttl.nanos(), check.tls_skip_verify),
        ("x:1", 5_000_000_000, true)
    );
}

#[test]
fn text_that_is_none_is_taken() {
    let update: CheckUpdate =
        read(b"{\"Status\":\"passing\",\"Output\":\"a\xff\\ud83d\"}").unwrap();
    assert_eq!(update.output, "a\u{fffd}\u{fffd}");
}

#[test]
fn an_alias_stands_in_for_a_name_that_is_not_there() {
    let body =
        r#"{"enable_tag_override":true,"TAGGED_ADDRESSES":{"lan":{"address":"a","port":1}}}"#;
    let read = service(body);
    assert!(read.enable_tag_override);
    let address = ServiceAddress { address: "a".into(), port: 1 };
    assert_eq!(read.tagged_addresses["lan"], address);
    for body in [
        r#"{"check":{"script_args":["no"],"ScriptArgs":["yes"]}}"#,
        r#"{"check":{"ScriptArgs":["yes"],"Args":["no"]}}"#,
        r#"{"check":{"args":["yes"]}}"#,
    ] {
        assert_eq!(service(body).check.unwrap().script_args, ["yes"], "{body}");
    }
    let aliases = r#"{"name":"x","deregister_critical_service_after":"1m",
        "docker_container_id":"d","tls_server_name":"t","tls_skip_verify":true,"tcp_use_tls":true,
        "grpc_use_tls":true,"h2ping_use_tls":false,"disable_redirects":true,"service_id":"s"}"#;
    let read: CheckDefinition = super::read(aliases.as_bytes()).unwrap();
    let check = read.check;
    assert_eq!(read.service_id, "s");
    assert_eq!(check.deregister_critical_service_after.to_string(), "1m0s");
    assert_eq!((&*check.docker_container_id, &*check.tls_server_name), ("d", "t"));
    assert!(check.tls_skip_verify && check.tcp_use_tls && check.grpc_use_tls);
    assert!(check.disable_redirects && !check.h2ping_over_tls());
}

#[test]
fn null_is_left_out() {
    let read = service(r#"{"name":"a","Name":null,"port":null,"check":null,"weights":null}"#);
    assert_eq!(read, ServiceDefinition { name: "a".into(), ..ServiceDefinition::default() });
    assert_eq!(service("null"), ServiceDefinition::default());
    let read = service(r#"{"tags":["a",null],"meta":{"k":null},"checks":[null]}"#);
    assert_eq!(read.tags, ["a", ""]);
    assert_eq!(read.meta["k"], "");
    assert!(read.checks.is_empty());
}

#[test]
fn maps_that_are_there_twice_flow_together() {
    let read = service(r#"{"Meta":{"a":"1","b":"1"},"meta":{"b":"2"}}"#);
    assert_eq!((&*read.meta["a"], &*read.meta["b"]), ("1", "2"));
}

#[test]
fn what_is_kept_as_it_was_sent_is_not_looked_at() {
    let body = r#"{"proxy":{"Whatever":[1,{"X":null}]},"connect":{},"locality":null}"#;
    let read = service(body);
    assert_eq!(read.proxy, Some(json!({"Whatever": [1, {"X": null}]})));
    assert_eq!((read.connect, read.locality), (Some(json!({})), None));
}

#[test]
fn what_comes_after_the_value_is_not_looked_at() {
    assert_eq!(service(r#"{"name":"a"} trailing"#).name, "a");
    assert_eq!(service(r#"{"name":"a"}{"name":"b"}"#).name, "a");
}

#[test]
fn unknown_fields_are_refused_by_name() {
    for (body, name) in [
        (r#"{"name":"x","Foo":1}"#, r#""Foo""#),
        (r#"{"name":"x","foo":{"a":1},"bar":2}"#, r#""foo""#),
        (r#"{"name":"x","Check":{"Foo":1}}"#, r#""Foo""#),
        (r#"{"name":"x","Weights":{"Foo":1}}"#, r#""Foo""#),
        (r#"{"name":"x","check":{"success_before_passing":3}}"#, r#""success_before_passing""#),
        (r#"{"foo":1,"name":5}"#, r#""foo""#),
        (r#"{"a\"b":1}"#, r#""a\"b""#),
    ] {
        let expected = format!("json: unknown field {name}");
        assert_eq!(refusal::<ServiceDefinition>(body), expected, "{body}");
    }
    assert_eq!(
        refusal::<CatalogRegistration>(r#"{"node":"a","namespace":"x"}"#),
        r#"json: unknown field "namespace" - Namespaces are a Consul Enterprise feature"#
    );
    assert_eq!(
        refusal::<CatalogRegistration>(r#"{"Service":{"enable_tag_override":true}}"#),
        r#"json: unknown field "enable_tag_override""#
    );
    let open = br#"{"check":{"definition":{"http":"x","foo":1}}}"#;
    let read: CatalogRegistration = super::read(open).unwrap();
    assert_eq!(read.check.unwrap().definition.http, "x");
}

#[test]
fn wrong_types_are_refused_in_gos_words() {
    for (body, found, field, kind) in [
        (r#"{"name":5}"#, "number", ".Name", "string"),
        (r#"{"name":true}"#, "bool", ".Name", "string"),
        (r#"{"name":{}}"#, "object", ".Name", "string"),
        (r#"{"name":[]}"#, "array", ".Name", "string"),
        (r#"{"name":5,"foo":1}"#, "number", ".Name", "string"),
        (r#"{"port":"80"}"#, "string", ".Port", "int"),
        (r#"{"port":80.5}"#, "number 80.5", ".Port", "int"),
        (r#"{"port":80.0}"#, "number 80.0", ".Port", "int"),
        (r#"{"port":9999999999999999999}"#, "number 9999999999999999999", ".Port", "int"),
        (r#"{"tags":"a"}"#, "string", ".Tags", "[]string"),
        (r#"{"tags":{}}"#, "object", ".Tags", "[]string"),
        (r#"{"tags":["a",5]}"#, "number", ".Tags", "string"),
        (r#"{"meta":[]}"#, "array", ".Meta", "map[string]string"),
        (r#"{"meta":{"a":5}}"#, "number", ".Meta", "string"),
        (r#"{"check":"a"}"#, "string", ".Check", "structs.CheckType"),
        (r#"{"checks":{}}"#, "object", ".Checks", "[]structs.CheckType"),
        (r#"{"EnableTagOverride":"true"}"#, "string", ".EnableTagOverride", "bool"),
        (r#"{"weights":{"passing":"1"}}"#, "string", "Weights.Weights.Passing", "int"),
    ] {
        let expected =
            format!("json: cannot unmarshal {found} into Go struct field {field} of type {kind}");
        assert_eq!(refusal::<ServiceDefinition>(body), expected, "{body}");
    }
    assert_eq!(
        refusal::<CatalogRegistration>(r#"{"node":"a","service":5}"#),
        "json: cannot unmarshal number into Go struct field RegisterRequest.Service of type \
         structs.NodeService"
    );
    assert_eq!(
        refusal::<CheckUpdate>(r#"{"status":5}"#),
        "json: cannot unmarshal number into Go struct field checkUpdate.Status of type string"
    );
    assert_eq!(
        refusal::<CheckUpdate>("[]"),
        "json: cannot unmarshal array into Go value of type agent.checkUpdate"
    );
}

#[test]
fn durations_are_text_or_nanoseconds() {
    let ttl = |ttl: &str| service(&format!(r#"{{"check":{{"ttl":{ttl}}}}}"#)).check.unwrap().ttl;
    assert_eq!(ttl(r#""1m30s""#).to_string(), "1m30s");
    assert_eq!(ttl("10000000000").to_string(), "10s");
    assert_eq!(ttl("1e10").to_string(), "10s");
    assert_eq!(ttl("true").nanos(), 0);
    for (text, fault) in [
        (r#""""#, r#"time: invalid duration """#),
        (r#""10""#, r#"time: missing unit in duration "10""#),
    ] {
        let body = format!(r#"{{"check":{{"ttl":{text}}}}}"#);
        assert_eq!(refusal::<ServiceDefinition>(&body), fault);
    }
}

#[test]
fn what_is_no_json_is_refused_in_gos_words() {
    for (body, fault) in [
        ("", "EOF"),
        ("   ", "EOF"),
        ("{", "unexpected EOF"),
        (r#"{"name":"x""#, "unexpected EOF"),
        ("xx", "invalid character 'x' looking for beginning of value"),
        (r#"{"a"}"#, "invalid character '}' after object key"),
        (r#"{"a":}"#, "invalid character '}' looking for beginning of value"),
        (r#"{"a":1,}"#, "invalid character '}' looking for beginning of object key string"),
        ("{,}", "invalid character ',' looking for beginning of object key string"),
        (r#"{"a" 1}"#, "invalid character '1' after object key"),
        (r#"{"a":1 "b"}"#, "invalid character '\"' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        (r#"{"foo":1, x"#, "invalid character 'x' looking for beginning of object key string"),
        (r#"{"name":tru}"#, "invalid character '}' in literal true (expecting 'e')"),
        ("{\"name\":\"a\nb\"}", r"invalid character '\n' in string literal"),
        (r#"{"name":"\q"}"#, "invalid character 'q' in string escape code"),
        (r#"{"name":01}"#, "invalid character '1' after object key:value pair"),
        (r#"{"name":-}"#, "invalid character '}' in numeric literal"),
        (r#"{"name":1.}"#, "invalid character '}' after decimal point in numeric literal"),
        (r#"{"name":1ex}"#, "invalid character 'x' in exponent of numeric literal"),
        ("{name:1}", "invalid character 'n' looking for beginning of object key string"),
        ("{'a':1}", r"invalid character '\'' looking for beginning of object key string"),
    ] {
        assert_eq!(refusal::<ServiceDefinition>(body), fault, "{body}");
    }
    let deep = format!("{{\"proxy\":{}", "[".repeat(200));
    assert!(read::<ServiceDefinition>(deep.as_bytes()).is_err());
}

#[test]
fn a_list_or_a_map_in_a_body_has_a_limit() {
    let most = limit::CONSUL_BODY_ENTRIES_MAX;
    let tags =
        |count: usize| format!(r#"{{"Name":"x","Tags":[{}]}}"#, vec!["\"a\""; count].join(","));
    assert_eq!(service(&tags(most)).tags.len(), most);
    let fault = "json: Tags has 257 entries, above the limit of 256";
    assert_eq!(refusal::<ServiceDefinition>(&tags(most + 1)), fault);
    let checks =
        format!(r#"{{"Name":"x","Checks":[{}]}}"#, vec![r#"{"TTL":"1s"}"#; 80_000].join(","));
    let fault = "json: Checks has 80000 entries, above the limit of 256";
    assert_eq!(refusal::<ServiceDefinition>(&checks), fault);
    let pairs: Vec<_> = (0..=most).map(|at| format!(r#""k{at}":["v"]"#)).collect();
    let header = format!(r#"{{"Check":{{"Header":{{{}}}}}}}"#, pairs.join(","));
    let fault = "json: Check.Header has 257 entries, above the limit of 256";
    assert_eq!(refusal::<ServiceDefinition>(&header), fault);
    let nothing = format!(r#"{{"Checks":[{}]}}"#, vec!["null"; most + 1].join(","));
    assert!(refusal::<ServiceDefinition>(&nothing).ends_with("above the limit of 256"));
}

/// JSON with the names of fields among its keys.
fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9]{0,5}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        "(?i)name|id|tags|meta|check|checks|ttl|interval|weights|passing|port|args|header",
        "[a-z_]{1,4}",
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..5)
                .prop_map(|pairs| pairs.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn any_document_is_read_or_refused(document in documents()) {
        let body = document.to_string();
        if let Err(error) = read::<ServiceDefinition>(body.as_bytes()) {
            prop_assert!(error.text.starts_with("Request decode failed: "), "{}", error.text);
            prop_assert!(!error.text.contains(" at line "), "{}", error.text);
        }
        let _ = read::<CatalogRegistration>(body.as_bytes());
    }

    #[test]
    fn any_text_is_read_or_refused(
        text in r#"([{}\[\]":,\\a-z0-9.e+\n -]|é|name|true|null){0,20}"#,
    ) {
        let _ = read::<ServiceDefinition>(text.as_bytes());
    }

    #[test]
    fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..40)) {
        let body = [b"{\"name\":\"".as_slice(), &octets].concat();
        let _ = read::<ServiceDefinition>(&octets);
        let _ = read::<ServiceDefinition>(&body);
    }

    #[test]
    fn what_is_written_is_read_back(
        name in "[a-z]{1,9}",
        tags in prop::collection::vec(".{0,5}", 0..3),
        port in any::<u16>(),
        ttl in any::<i64>(),
    ) {
        let check = json!({"TTL": ttl, "Header": {"a": ["b"]}, "Args": tags});
        let body = json!({"Name": name, "Tags": tags, "Port": port, "Checks": [check]});
        let read = service(&body.to_string());
        prop_assert_eq!(read.checks[0].ttl.nanos(), ttl);
        let written = serde_json::to_string(&read).unwrap();
        prop_assert_eq!(service(&written), read);
    }
}
