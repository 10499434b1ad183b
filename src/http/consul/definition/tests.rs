//! Definitions as an agent (1.8.7) takes and refuses them.

use super::{
    CatalogDeregistration, CatalogRegistration, CheckDefinition, CheckType, CheckUpdate,
    ServiceDefinition,
};
use crate::http::consul::{reader::read, texts::ConsulError};

fn refusal(result: Result<(), ConsulError>, status: u16) -> Option<String> {
    let error = result.err()?;
    assert_eq!(error.status.as_u16(), status, "{}", error.text);
    Some(error.text.into_owned())
}

fn service(body: &str) -> Option<String> {
    refusal(read::<ServiceDefinition>(body.as_bytes()).expect(body).validate(), 400)
}

fn check_type(body: &str) -> CheckType {
    read::<CheckDefinition>(body.as_bytes()).expect(body).check
}

#[test]
fn a_service_is_refused_in_consuls_words() {
    let reserved = "Key prefix 'consul-' is reserved for internal use";
    let pair = |key: &str, fault: &str| {
        format!("Invalid Service Meta: Couldn't load metadata pair ('{key}', 'v'): {fault}")
    };
    let (long, many): (_, Vec<_>) = ("k".repeat(129), (0..65).collect());
    let many: String =
        many.iter().map(|number| format!("\"{number}\":\"v\"")).collect::<Vec<_>>().join(",");
    for (body, expected) in [
        (r#"{"id":"x"}"#.to_owned(), "Missing service name".to_owned()),
        (r#"{"address":"::","weights":{},"meta":{"":"v"}}"#.into(), "Missing service name".into()),
        (r#"{"name":"x","address":"0.0.0.0"}"#.into(), "Invalid service address".into()),
        (r#"{"name":"x","address":"::","weights":{}}"#.into(), "Invalid service address".into()),
        (r#"{"name":"x","address":"[::]"}"#.into(), "Invalid service address".into()),
        (
            r#"{"name":"x","weights":{},"meta":{"":"v"}}"#.into(),
            "Invalid Weights: Passing must be greater than 0".into(),
        ),
        (
            r#"{"name":"x","weights":{"passing":1,"warning":-1}}"#.into(),
            "Invalid Weights: Warning must be greater or equal than 0".into(),
        ),
        (
            r#"{"name":"x","weights":{"passing":1,"warning":65536}}"#.into(),
            "Invalid Weights: DNS Weight must be between 0 and 65535".into(),
        ),
        (
            r#"{"name":"x","meta":{"":"v"},"check":{"http":"x"}}"#.into(),
            pair("", "Key cannot be blank"),
        ),
        (
            r#"{"name":"x","meta":{"a b":"v"}}"#.into(),
            pair("a b", "Key contains invalid characters"),
        ),
        (r#"{"name":"x","meta":{"consul-x":"v"}}"#.into(), pair("consul-x", reserved)),
        (
            format!(r#"{{"name":"x","meta":{{"{long}":"v"}}}}"#),
            pair(&long, "Key is too long (limit: 128 characters)"),
        ),
        (
            format!(r#"{{"name":"x","meta":{{{many}}}}}"#),
            "Invalid Service Meta: Node metadata cannot contain more than 64 key/value pairs"
                .into(),
        ),
        (
            r#"{"name":"x","kind":"connect-proxy","check":{"http":"x"}}"#.into(),
            "2 errors occurred:\n\t* Proxy.DestinationServiceName must be non-empty for Connect \
             proxy services\n\t* Port must be set for a Connect proxy\n\n"
                .into(),
        ),
        (
            r#"{"name":"x","check":{"http":"x","status":"x"}}"#.into(),
            "Invalid check: Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService \
             checks"
                .into(),
        ),
        (
            r#"{"name":"x","checks":[{"ttl":"5s","status":"x"}]}"#.into(),
            "Status for checks must 'passing', 'warning', 'critical'".into(),
        ),
        (
            r#"{"name":"x","checks":[{}]}"#.into(),
            "Invalid check: TTL must be > 0 for TTL checks".into(),
        ),
    ] {
        assert_eq!(service(&body).as_deref(), Some(&*expected), "{body}");
    }
}

#[test]
fn a_service_that_consul_takes_is_taken() {
    for body in [
        r#"{"name":"x"}"#,
        r#"{"name":"a b/c","id":""}"#,
        r#"{"name":"x","check":{}}"#,
        r#"{"name":"x","check":{"ttl":"0s"}}"#,
        r#"{"name":"x","check":{"ttl":"5s","status":"warning"}}"#,
        r#"{"name":"x","weights":{"passing":65535,"warning":0}}"#,
        r#"{"name":"x","tagged_addresses":{"lan":{"address":"0.0.0.0","port":80}}}"#,
        r#"{"name":"x","kind":"mesh-gateway","meta":{"consul-wan-federation":"1"}}"#,
        r#"{"name":"x","kind":"connect-proxy","port":1,"proxy":{"destinationServiceName":"y"}}"#,
        r#"{"name":"x","ports":[{"name":"a","port":1,"default":true},{"name":"b","port":2}]}"#,
    ] {
        assert_eq!(service(body), None, "{body}");
    }
}

#[test]
fn ports_are_those_that_there_are() {
    for body in [
        r#"{"name":"x","port":-1}"#,
        r#"{"name":"x","port":65536}"#,
        r#"{"name":"x","port":1,"SocketPath":"/x"}"#,
        r#"{"name":"x","port":1,"ports":[{"name":"a","port":1,"default":true}]}"#,
        r#"{"name":"x","ports":[{"name":"a","port":0,"default":true}]}"#,
        r#"{"name":"x","ports":[{"name":"a","port":1}]}"#,
        r#"{"name":"x","ports":[{"port":1,"default":true}]}"#,
        r#"{"name":"x","ports":[{"name":"a","port":1,"default":true},{"name":"a","port":2}]}"#,
        r#"{"name":"x","connect":{},"ports":[{"name":"a","port":1,"default":true}]}"#,
    ] {
        assert!(service(body).is_some(), "{body}");
    }
}

#[test]
fn ids_default_to_names_and_an_empty_check_is_none() {
    let body = br#"{"name":"x","check":{},"checks":[{"ttl":"1s"},{"ttl":"2s"}]}"#;
    let read = read::<ServiceDefinition>(body).unwrap();
    assert_eq!(read.id(), "x");
    let ttls: Vec<String> = read.all_checks().map(|check| check.ttl.to_string()).collect();
    assert_eq!(ttls, ["1s", "2s"]);
}

#[test]
fn a_check_is_refused_in_consuls_words() {
    let periodic = "Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks";
    let ttl = "TTL must be > 0 for TTL checks";
    for (body, expected) in [
        (r#"{"ttl":"10s"}"#, None),
        (r#"{"ttl":5}"#, None),
        (r#"{"ttl":"-1s"}"#, Some(ttl)),
        (r#"{"ttl":"0s"}"#, Some(ttl)),
        (r#"{"ttl":"10s","interval":"5s"}"#, Some("Interval and TTL cannot both be specified")),
        (r#"{"ttl":"10s","http":"http://x"}"#, Some(periodic)),
        (r#"{"http":"http://x"}"#, Some(periodic)),
        (r#"{"http":"http://x","interval":"-5s"}"#, Some(periodic)),
        (r#"{"http":"http://x","interval":"5s"}"#, None),
        (r#"{"http":"","interval":"5s"}"#, Some(ttl)),
        (r#"{"interval":"5s"}"#, Some(ttl)),
        (r#"{"args":[],"interval":"5s"}"#, Some(ttl)),
        (r#"{"args":["x"]}"#, Some(periodic)),
        (r#"{"udp":"y:1","interval":"5s"}"#, None),
        (r#"{"h2ping":"y:1"}"#, Some(periodic)),
        (r#"{"OSService":"y","interval":"5s"}"#, None),
        (r#"{"aliasservice":"y","interval":"5s"}"#, None),
        (r#"{"aliasservice":"y"}"#, None),
        (r#"{"aliasservice":"y","ttl":"5s"}"#, Some("TTL must be not be set for Alias checks")),
        (
            r#"{"http":"x","aliasservice":"y","interval":"5s"}"#,
            Some("Interval cannot be set for Alias checks"),
        ),
        (r#"{"ttl":"5s","outputmaxsize":-1}"#, Some("MaxOutputMaxSize must be positive")),
        (
            r#"{"ttl":"5s","failuresbeforewarning":3,"failuresbeforecritical":2}"#,
            Some("FailuresBeforeWarning can't be higher than FailuresBeforeCritical"),
        ),
    ] {
        assert_eq!(check_type(body).validate().err(), expected, "{body}");
    }
}

#[test]
fn a_check_with_the_fields_of_several_kinds_is_the_first_of_them() {
    for (body, kind) in [
        (r#"{"http":"x","tcp":"y","interval":"5s","grpc":"z"}"#, "grpc"),
        (r#"{"http":"x","tcp":"y","interval":"5s"}"#, "http"),
        (r#"{"ttl":"5s"}"#, "ttl"),
        (r#"{"udp":"x"}"#, "udp"),
        (r#"{"h2ping":"x"}"#, "h2ping"),
        (r#"{"aliasnode":"x"}"#, "alias"),
        (r#"{"args":["x"]}"#, "script"),
        (r#"{"args":["x"],"dockercontainerid":"y"}"#, "docker"),
        (r#"{"osservice":"x"}"#, "os_service"),
        ("{}", "ttl"),
    ] {
        assert_eq!(check_type(body).kind().as_str(), kind, "{body}");
    }
}

#[test]
fn a_check_of_its_own_needs_a_name_and_its_status_is_one() {
    let check = |body: &str| {
        let read = read::<CheckDefinition>(body.as_bytes()).expect(body);
        refusal(read.validate(), 400)
    };
    assert_eq!(check("{}").as_deref(), Some("Missing check name"));
    assert_eq!(check(r#"{"id":"x"}"#).as_deref(), Some("Missing check name"));
    let bad = check(r#"{"name":"x","ttl":"5s","status":"foo"}"#);
    assert_eq!(bad.as_deref(), Some("Bad check status"));
    let invalid = check(r#"{"name":"x"}"#);
    assert_eq!(invalid.as_deref(), Some("Invalid check: TTL must be > 0 for TTL checks"));
    assert_eq!(check(r#"{"name":"x","ttl":"5s","token":"t","notes":"n"}"#), None);
    let id = |body: &str| read::<CheckDefinition>(body.as_bytes()).unwrap().id().to_owned();
    assert_eq!(id(r#"{"name":"x"}"#), "x");
    assert_eq!(id(r#"{"name":"x","id":"y"}"#), "y");
}

#[test]
fn an_update_says_a_state() {
    let update =
        |body: &str| refusal(read::<CheckUpdate>(body.as_bytes()).expect(body).validate(), 400);
    assert_eq!(update(r#"{"status":"passing","output":"a"}"#), None);
    assert_eq!(update("{}").as_deref(), Some("Invalid check status: ''"));
    assert_eq!(update(r#"{"status":"foo"}"#).as_deref(), Some("Invalid check status: 'foo'"));
}

#[test]
fn a_registration_is_refused_in_consuls_words() {
    let name = "Must provide service name (Service.Service) when service ID is provided";
    let registration = |rest: &str| {
        let body = format!(r#"{{"node":"a","address":"1.1.1.1",{rest}}}"#);
        let read = read::<CatalogRegistration>(body.as_bytes()).expect(&body);
        read.validate().err().map(|error| error.text.into_owned())
    };
    for (rest, expected) in [
        (r#""ID":"x""#, Some("Bad node ID: uuid string is wrong length")),
        (r#""ID":"40e4a748-2192-161a-0510-9bf59fe950b5""#, None),
        (r#""service":{"ID":"x"}"#, Some(name)),
        (r#""service":{}"#, Some(name)),
        (r#""service":{"service":"s","port":80,"CreateIndex":1}"#, None),
        (r#""service":{"service":"s","address":"0.0.0.0"}"#, Some("Invalid service address")),
        (
            r#""service":{"service":"s","meta":{"a b":"x"}}"#,
            Some(
                "failed inserting service: Invalid Service Meta for node a and serviceID s: \
                 Couldn't load metadata pair ('a b', 'x'): Key contains invalid characters",
            ),
        ),
        (r#""service":{"service":"s","weights":{"passing":0,"warning":0}}"#, None),
        (r#""nodemeta":{"a b":"x"}"#, None),
        (r#""TaggedAddresses":{"lan":"1.1.1.1"}"#, None),
        (
            r#""check":{}"#,
            Some(
                "failed inserting check: failed inserting check: object missing primary index on \
                 node \"a\"",
            ),
        ),
        (r#""check":{"name":"n"}"#, None),
        (r#""check":{"node":"A","name":"n"}"#, None),
        (
            r#""check":{"node":"b","checkid":"n","status":"passing"}"#,
            Some(r#"check node "b" does not match node "a""#),
        ),
        (r#""checks":[{"checkid":"n","status":"foo"}]"#, Some("Invalid check status: 'foo'")),
    ] {
        assert_eq!(registration(rest).as_deref(), expected, "{rest}");
    }
    for (body, expected) in [
        ("{}", Some("Must provide node")),
        (r#"{"node":"a"}"#, Some("Must provide address if SkipNodeUpdate is not set")),
        (r#"{"node":"a","SkipNodeUpdate":true}"#, None),
    ] {
        let read = read::<CatalogRegistration>(body.as_bytes()).unwrap();
        assert_eq!(refusal(read.validate(), 500).as_deref(), expected, "{body}");
    }
    let read = read::<CatalogDeregistration>(b"{}").unwrap();
    assert_eq!(refusal(read.validate(), 500).as_deref(), Some("Must provide node"));
}

#[test]
fn a_check_of_the_catalog_keeps_its_definition() {
    let body = br#"{"check":{"checkid":"n","definition":{"http":"x","interval":"5s",
        "timeout":1000000000,"DeregisterCriticalServiceAfter":"30s","header":{"a":["b"]}}}}"#;
    let read = read::<CatalogRegistration>(body).unwrap();
    let definition = &read.check.unwrap().definition;
    let written = serde_json::to_string(definition).unwrap();
    let expected = concat!(
        r#"{"HTTP":"x","Header":{"a":["b"]},"Interval":"5s","Timeout":"1s","#,
        r#""DeregisterCriticalServiceAfter":"30s"}"#
    );
    assert_eq!(written, expected);
}
