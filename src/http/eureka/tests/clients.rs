//! What two client libraries send, recorded from them: `golden/*_client_*.json` has each request of
//! a session once. The servers' replies were made to have them register again and override their
//! state, too.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::support::shown;
use crate::http::eureka::{body::Instance, negotiate::Form, read, registration};

const PYTHON: &str = include_str!("golden/py_eureka_client_0.13.3.json");
const JAVASCRIPT: &str = include_str!("golden/eureka_js_client_4.5.0.json");

fn requests(session: &str) -> Vec<Value> {
    serde_json::from_str(session).unwrap()
}

fn headers(request: &Value) -> HeaderMap {
    let entry = |(name, value): (&String, &Value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        (name, HeaderValue::from_str(value.as_str().unwrap()).unwrap())
    };
    request["headers"].as_object().unwrap().iter().map(entry).collect()
}

/// The registrations of a session, as they were sent and as they are understood.
fn registrations(session: &str) -> Vec<(Value, Instance)> {
    let mut found = Vec::new();
    for request in requests(session).iter().filter(|request| request["method"] == "POST") {
        let body = request["body"].as_str().unwrap();
        let form = Form::of_body(&headers(request), body.as_bytes());
        let instance = read::instance(form, body.as_bytes()).unwrap();
        let app = request["path"].as_str().unwrap().rsplit('/').next().unwrap();
        let instance = registration::admit(app, instance).unwrap();
        found.push((serde_json::from_str(body).unwrap(), instance));
    }
    found
}

/// All values of JSON as text, by their path.
fn flattened(value: &Value, path: &str, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                flattened(value, &format!("{path}.{name}"), into);
            }
        }
        Value::String(text) => into.push((path.to_owned(), text.clone())),
        other => into.push((path.to_owned(), other.to_string())),
    }
}

/// What was sent is what is shown, but for capitals and for what is a string in one of them only.
fn assert_shown_as_sent(sent: &Value, instance: &Instance) {
    let (mut fields, mut found) = (Vec::new(), Vec::new());
    flattened(sent, "", &mut fields);
    flattened(&shown(instance), "", &mut found);
    for (path, value) in fields {
        let path = path.replace("overriddenstatus", "overriddenStatus");
        let value = if path.ends_with(".app") { value.to_uppercase() } else { value };
        assert!(found.contains(&(path.clone(), value.clone())), "{path} = {value}: {found:?}");
    }
}

#[test]
fn what_the_python_client_sends_is_shown_as_it_was_sent() {
    let all = registrations(PYTHON);
    let statuses: Vec<_> = all.iter().map(|(_, instance)| instance.status.as_str()).collect();
    assert_eq!(statuses, ["UP", "DOWN"]); // it says so before it goes
    for (sent, instance) in &all {
        assert_shown_as_sent(sent, instance);
        assert_eq!(instance.metadata.get("canary_weight"), Some("5"));
        assert_eq!(instance.port.usable(), Some(8080));
        assert_eq!(instance.secure_port.usable(), None);
    }
}

#[test]
fn what_the_javascript_client_sends_is_shown_as_it_was_sent() {
    let all = registrations(JAVASCRIPT);
    assert_eq!(all.len(), 1);
    let (sent, instance) = &all[0];
    assert_shown_as_sent(sent, instance);
    assert_eq!(instance.app.as_deref(), Some("JSPAY"));
    assert_eq!((instance.lease_info, instance.last_dirty_timestamp), (None, None));
    assert_eq!(shown(instance)["instance"]["port"]["@enabled"], "true"); // it sends no string
}

#[test]
fn each_client_is_answered_in_the_form_that_it_reads() {
    for (session, form) in [(PYTHON, Form::Xml), (JAVASCRIPT, Form::Json)] {
        let all = requests(session);
        let fetches: Vec<_> = all.iter().filter(|request| request["method"] == "GET").collect();
        assert!(!fetches.is_empty());
        assert!(fetches.iter().all(|fetch| Form::of_reply(&headers(fetch)) == form), "{form:?}");
    }
}
