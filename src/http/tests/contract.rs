//! The generated contract: every route is in it, and every field is explained.

use serde_json::Value;

use super::support::Door;
use crate::http::{Options, openapi_document};

fn document() -> Value {
    serde_json::from_str(&openapi_document()).unwrap()
}

#[test]
fn every_route_is_in_the_contract() {
    let document = document();
    let (mut routes, mut ids) = (Vec::new(), std::collections::BTreeSet::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path} has no summary");
            // Generators of clients name functions by it (OpenAPI 3.1 §4.8.10: unique).
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id), "operation `{id}` is there twice: {method} {path}");
            routes.push(format!("{method} {path}"));
        }
    }
    routes.sort();
    let i = "/api/v1/services/{service}/instances/{instance}";
    let mut expected = vec![
        "get /api/v1/openapi.json".to_owned(),
        "get /api/v1/servers".to_owned(),
        "get /api/v1/services".to_owned(),
        "get /api/v1/services/{service}".to_owned(),
        "get /api/v1/services/{service}/instances".to_owned(),
        "get /api/v1/watch".to_owned(),
        "get /health".to_owned(),
        "get /metrics".to_owned(),
        "get /ready".to_owned(),
        "post /api/v1/instances".to_owned(),
        format!("put {i}/heartbeat"),
    ];
    for method in ["get", "put", "delete"] {
        expected.push(format!("{method} {i}"));
        expected.push(format!("{method} /api/v1/services/{{service}}/policy"));
    }
    for method in ["put", "delete"] {
        expected.push(format!("{method} {i}/drain"));
    }
    expected.sort();
    assert_eq!(routes, expected);
}

#[test]
fn every_field_is_explained_and_every_reference_leads_somewhere() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas {
        assert!(schema["description"].is_string(), "{name} is not explained");
        let all_of = schema["allOf"].as_array().into_iter().flatten();
        for part in std::iter::once(schema).chain(all_of) {
            for (field, property) in part["properties"].as_object().into_iter().flatten() {
                // One that may be null is explained where its type is.
                let explained = property["description"].is_string()
                    || property["oneOf"][0]["description"].is_string();
                assert!(explained, "{name}.{field} is not explained");
            }
        }
    }
    for name in
        ["Registration", "NamedRegistration", "InstanceView", "Check", "PolicyBody", "Problem"]
    {
        assert!(schemas.contains_key(name), "{name}");
    }
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is referred to and not there");
    }
}

#[test]
fn a_registration_refuses_what_the_contract_does_not_have() {
    let document = document();
    let registration = &document["components"]["schemas"]["Registration"];
    assert_eq!(registration["additionalProperties"], false);
    let fields: Vec<_> = registration["properties"].as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        [
            "addresses",
            "checks",
            "deregister_after",
            "initial_status",
            "meta",
            "port",
            "priority",
            "tags",
            "warning_weight",
            "weight"
        ]
    );
}

#[tokio::test]
async fn the_contract_is_served_as_it_is_generated() {
    let reply = Door::open(Options::default()).get("/api/v1/openapi.json").await;
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.json(), document());
}

#[test]
fn no_schema_puts_fields_beside_one_that_refuses_all_others() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    for (name, schema) in schemas.as_object().unwrap() {
        for part in schema["allOf"].as_array().into_iter().flatten() {
            let target = part["$ref"].as_str().and_then(|r| r.rsplit('/').next()).unwrap_or("");
            assert_ne!(schemas[target]["additionalProperties"], false, "{name} is met by nothing");
        }
    }
    let view = &schemas["CheckView"];
    let mut fields: Vec<_> = view["properties"].as_object().unwrap().keys().collect();
    fields.retain(|field| schemas["Check"]["properties"].get(field.as_str()).is_none());
    assert_eq!(fields, ["dissent", "output", "since", "status"]);
    assert_eq!(view["additionalProperties"], Value::Null);
    // Both spellings that are read.
    let ttl = schemas["PolicyBody"]["properties"]["ttl"]["oneOf"].as_array().unwrap();
    let types: Vec<_> = ttl.iter().map(|one| one["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["integer", "string", "null"]);
}
