//! Query strings as an agent (1.8.7) takes and refuses them.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::{Consistency, Query, ReadParams};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::from_static(value))
    };
    pairs.iter().map(pair).collect()
}

fn read(text: &str) -> Result<ReadParams, String> {
    let query = Query::parse(Some(text)).map_err(|error| error.text.into_owned())?;
    ReadParams::read(&query, &HeaderMap::new()).map_err(|error| {
        assert_eq!(error.status, 400, "{text}");
        error.text.into_owned()
    })
}

#[test]
fn every_parameter_of_a_read_is_read_once() {
    let params = read(
        "dc=dc1&index=42&wait=1m30s&stale&cached&tag=a&tag=B%2Fc&node-meta=k:v:w&node-meta=x\
         &near=_agent&filter=Service+%3D%3D+%22web%22&pretty&token=t&passing&unknown=1",
    );
    let expected = ReadParams {
        datacenter: Some("dc1".into()),
        index: 42,
        wait: Some(Duration::from_secs(90)),
        consistency: Consistency::Stale,
        cached: true,
        tags: vec!["a".into(), "B/c".into()],
        node_meta: vec![("k".into(), "v:w".into()), ("x".into(), String::new())],
        filter: Some("Service == \"web\"".into()),
        pretty: true,
    };
    assert_eq!(params, Ok(expected));
    assert_eq!(read(""), Ok(ReadParams::default()));
    assert_eq!(read("datacenter=dc2").unwrap().datacenter.as_deref(), Some("dc2"));
    assert_eq!(read("max_stale=5s").unwrap().consistency, Consistency::Stale);
    assert_eq!(read("leader&consistent").unwrap().consistency, Consistency::Consistent);
}

#[test]
fn empty_parameters_are_as_good_as_none_and_the_first_one_counts() {
    for text in ["index=", "wait=", "dc=", "filter=", "ns=", "partition=", "max_stale=", "&&"] {
        assert_eq!(read(text), Ok(ReadParams::default()), "{text}");
    }
    assert_eq!(read("index=5&index=x").unwrap().index, 5);
    assert_eq!(read("wait=-1s").unwrap().wait, None);
    assert_eq!(read("tag=").unwrap().tags, [""]);
}

#[test]
fn a_bad_parameter_is_refused_in_consuls_words() {
    let stale = "Cannot specify ?stale with ?consistent, conflicting semantics.";
    for (text, refusal) in [
        ("index=x", "Invalid index"),
        ("index=-1", "Invalid index"),
        ("index=%2B1", "Invalid index"),
        ("index=1.5", "Invalid index"),
        ("index=99999999999999999999", "Invalid index"),
        ("wait=10", "Invalid wait time"),
        ("wait=x", "Invalid wait time"),
        ("wait=x&index=x", "Invalid wait time"),
        ("stale&consistent", stale),
        ("stale&consistent&wait=x", stale),
        ("consistent=false&stale=false", stale),
        ("max_stale=5s&consistent", stale),
        ("max_stale=5", "Invalid max_stale value \"5\""),
        ("max_stale=x&stale&consistent&wait=x", "Invalid max_stale value \"x\""),
        ("cached&consistent", "Cannot specify ?cached with ?consistent, conflicting semantics."),
        ("ns=x", "Invalid query parameter: \"ns\" - Namespaces are a Consul Enterprise feature"),
        (
            "partition=x",
            "Invalid query parameter: \"partition\" - Partitions are a Consul Enterprise feature",
        ),
    ] {
        assert_eq!(read(text), Err(refusal.to_owned()), "{text}");
    }
}

#[test]
fn headers_say_the_same_things() {
    let query = Query::parse(Some("cached")).unwrap();
    let refusal = |pairs| {
        ReadParams::read(&query, &headers(pairs)).err().map(|error| error.text.into_owned())
    };
    assert_eq!(
        refusal(&[("x-consul-namespace", "x")]).as_deref(),
        Some("Invalid header: \"X-Consul-Namespace\" - Namespaces are a Consul Enterprise feature")
    );
    assert_eq!(refusal(&[("x-consul-namespace", "")]), None);
    let invalid = Some("Invalid Cache-Control header.".to_owned());
    assert_eq!(refusal(&[("cache-control", "must-revalidate, max-age=x")]), invalid);
    assert_eq!(refusal(&[("cache-control", "Stale-If-Error=x")]), invalid);
    assert_eq!(refusal(&[("cache-control", "max-age=30, stale-if-error=60")]), None);
}

#[test]
fn passing_is_a_truth_value_or_empty() {
    let passing = |text| Query::parse(Some(text)).unwrap().passing().map_err(|e| e.text);
    for text in
        ["passing", "passing=", "passing=1", "passing=t", "passing=TRUE", "passing=T&passing=x"]
    {
        assert_eq!(passing(text), Ok(true), "{text}");
    }
    for text in ["", "passing=0", "passing=f", "passing=F", "passing=false", "passing=False"] {
        assert_eq!(passing(text), Ok(false), "{text}");
    }
    for text in ["passing=x", "passing=yes", "passing=tRUE"] {
        assert_eq!(passing(text), Err("Invalid value for ?passing".into()), "{text}");
    }
}

#[test]
fn enable_is_needed_and_a_truth_value() {
    let enable = |text| Query::parse(Some(text)).unwrap().enable().map_err(|e| e.text);
    assert_eq!(enable("enable=true"), Ok(true));
    assert_eq!(enable("enable=false"), Ok(false));
    assert_eq!(enable("reason=x"), Err("Missing value for enable".into()));
    assert_eq!(enable("enable="), Err("Invalid value for enable: \"\"".into()));
    assert_eq!(enable("enable=x"), Err("Invalid value for enable: \"x\"".into()));
}

#[test]
fn a_query_that_cannot_be_decoded_is_a_failure_without_words() {
    let many = "a&".repeat(1_001);
    for text in ["%zz", "a=%", "a=%4", &many] {
        let error = Query::parse(Some(text)).unwrap_err();
        assert_eq!((error.status.as_u16(), &*error.text), (500, ""));
    }
    assert!(Query::parse(Some("a;b")).is_ok());
    assert_eq!(Query::parse(None), Ok(Query::default()));
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(value in any::<String>()) {
        let encoded: String = value.bytes().map(|octet| format!("%{octet:02x}")).collect();
        let query = Query::parse(Some(&format!("a={encoded}"))).unwrap();
        prop_assert_eq!(query.all("a").next(), Some(&*value));
    }

    #[test]
    fn any_query_is_read_or_refused(
        text in r"([a-z_]{1,9}|index|wait|tag)(=[%+0-9a-zA-Z]{0,5})?(&.{0,9}){0,3}",
    ) {
        if let Ok(query) = Query::parse(Some(&text)) {
            let _ = ReadParams::read(&query, &HeaderMap::new());
        }
    }
}
