//! Expressions and what an agent (1.8.7) made of them, rows and refusals, word for word.
//!
//! The files were recorded from it: `rows` as it shows them without a filter, by name, and `cases`,
//! each an expression and the names of the rows that passed or the text of the refusal.

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Filter, Rows, parser};

#[derive(Deserialize)]
struct Recorded {
    rows: Map<String, Value>,
    cases: Vec<(String, Value)>,
}

fn compare(rows: Rows, recorded: &str) {
    let recorded: Recorded = serde_json::from_str(recorded).unwrap();
    let differences: Vec<String> = recorded
        .cases
        .iter()
        .filter_map(|(expression, expected)| {
            let found = outcome(rows, &recorded.rows, expression);
            let mut expected = expected.clone();
            if let Value::Array(names) = &mut expected {
                names.sort_by_key(ToString::to_string);
            }
            (found != expected).then(|| format!("{expression}\n  {expected}\n  {found}"))
        })
        .collect();
    assert!(recorded.cases.len() > 5 && !recorded.rows.is_empty());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn outcome(rows: Rows, named: &Map<String, Value>, expression: &str) -> Value {
    match Filter::parse(expression, rows) {
        Ok(filter) => {
            let passed = named.iter().filter(|(_, row)| filter.passes(row));
            passed.map(|(name, _)| json!(name)).collect()
        }
        Err(error) => {
            assert_eq!(error.status, 500);
            let prefix = "Failed to create boolean expression evaluator: ";
            json!(error.text.strip_prefix(prefix).unwrap())
        }
    }
}

#[test]
fn health_of_a_service_is_filtered_as_an_agent_does() {
    compare(Rows::HealthOfService, include_str!("tests/health_service.json"));
}

#[test]
fn instances_are_filtered_as_an_agent_does() {
    compare(Rows::ServiceNodes, include_str!("tests/catalog_service.json"));
}

#[test]
fn services_of_an_agent_are_filtered_as_it_does() {
    compare(Rows::Services, include_str!("tests/agent_services.json"));
}

#[test]
fn nodes_are_filtered_as_an_agent_does() {
    compare(Rows::Nodes, include_str!("tests/catalog_nodes.json"));
}

#[test]
fn checks_are_filtered_as_an_agent_does() {
    compare(Rows::Checks, include_str!("tests/agent_checks.json"));
}

#[test]
fn a_collection_that_is_left_out_has_no_members_not_even_an_empty_one() {
    for (expression, passes) in [
        ("Meta contains \"\"", false),
        ("Tags contains \"\"", false),
        ("Tags not contains \"\"", true),
        ("Address contains \"\"", true),
    ] {
        let filter = Filter::parse(expression, Rows::Services).unwrap();
        assert_eq!(filter.passes(&json!({"Meta": null})), passes, "{expression}");
    }
}

#[test]
fn what_newer_versions_have_can_be_selected() {
    let row = json!({"SocketPath": "/x", "PeerName": "p"});
    for (expression, passes) in [
        (r#"SocketPath == "/x""#, true),
        ("PeerName == p", true),
        ("PeerName == q", false),
        ("Proxy.DestinationServiceName == \"\"", true),
        ("Connect.Native == false", true),
    ] {
        let filter = Filter::parse(expression, Rows::Services).unwrap();
        assert_eq!(filter.passes(&row), passes, "{expression}");
    }
    let member = json!({"Name": "n1", "Status": 1, "Tags": {"role": "consul"}});
    let filter = Filter::parse("Status == 1 and Tags.role == consul", Rows::Members).unwrap();
    assert!(filter.passes(&member));
}

#[test]
fn an_expression_has_a_budget() {
    let refused = |text: &str| Filter::parse(text, Rows::Nodes).unwrap_err().text;
    let many = |part: &str, count: usize| vec![part; count].join(" or ");
    let one = "Node == a";
    assert!(Filter::parse(&many(one, 128), Rows::Nodes).is_ok());
    let text = "129 matches are above the limit of 128";
    assert!(refused(&many(one, 129)).ends_with(text));
    assert!(refused(&format!("not ({})", many(one, 129))).ends_with(text));
    let pattern = r#"Node matches "^web-[0-9]+$""#;
    assert!(Filter::parse(&many(pattern, 8), Rows::Nodes).is_ok());
    let text = "9 regular expressions are above the limit of 8";
    assert!(refused(&many(pattern, 9)).ends_with(text), "{}", refused(&many(pattern, 9)));
    let long = |count: usize| format!("Node matches `{}`", "a".repeat(count));
    assert!(Filter::parse(&long(1_024), Rows::Nodes).is_ok());
    assert!(refused(&long(1_025)).ends_with("1025 octets are above the limit of 1024"));
    // What takes longer than a moment is read aside.
    assert!(Filter::is_dear(pattern) && !Filter::is_dear(one));
}

#[test]
fn an_expression_has_limits() {
    let nested = |depth: usize| format!("{}Port == 1{}", "(".repeat(depth), ")".repeat(depth));
    let negated = |depth: usize| format!("{}Port == 1", "not ".repeat(depth));
    for deep in [nested, negated] {
        assert!(Filter::parse(&deep(parser::DEPTH_MAX), Rows::Services).is_ok());
        let refusal = Filter::parse(&deep(parser::DEPTH_MAX + 1), Rows::Services).unwrap_err();
        assert!(refusal.text.ends_with("is nested above the limit of 64"), "{}", refusal.text);
        assert!(Filter::parse(&deep(2_000), Rows::Services).is_err());
    }
    let long = |octets: usize| format!("{}Port == 1", " ".repeat(octets - 9));
    assert!(Filter::parse(&long(parser::EXPRESSION_OCTETS_MAX), Rows::Services).is_ok());
    let refusal = Filter::parse(&long(parser::EXPRESSION_OCTETS_MAX + 1), Rows::Services);
    assert!(refusal.unwrap_err().text.ends_with("above the limit of 8192 octets"));
    let large = r#"ID matches "(?:\\pL{1000}){1000}""#;
    let refusal = Filter::parse(large, Rows::Services).unwrap_err();
    assert!(refusal.text.contains("above the limit of 262144 octets"), "{}", refusal.text);
}

/// Pieces of expressions, put together by chance.
fn expressions() -> impl Strategy<Value = String> {
    let piece = prop_oneof![prop::sample::select(vec![
        "(",
        ")",
        " ",
        "not ",
        " and ",
        " or ",
        " == ",
        "!=",
        " is empty",
        " is not empty",
        " in ",
        " not in ",
        " contains ",
        " matches ",
        "Port",
        "Tags",
        "Meta.x",
        "Meta[\"a b\"]",
        "ID",
        "80",
        "-1",
        "1.5",
        "\"v1\"",
        "`(`",
        "\"\\x41\"",
        "é",
        "[",
        "\"",
        ".",
        "0x",
    ]),];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_expression_is_read_or_refused(text in expressions()) {
        let row = json!({"ID": "web-1", "Port": 80, "Tags": ["v1"], "Meta": {"x": "y"}});
        match Filter::parse(&text, Rows::Services) {
            Ok(filter) => {
                let not = Filter::parse(&format!("not ({text})"), Rows::Services).unwrap();
                prop_assert_ne!(filter.passes(&row), not.passes(&row), "{}", text);
            }
            Err(refusal) => prop_assert!(!refusal.text.is_empty()),
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,40}") {
        let _ = Filter::parse(&text, Rows::Services);
    }

    #[test]
    fn and_binds_tighter_than_or(values in prop::collection::vec(any::<bool>(), 3)) {
        let row = json!({"Weights": {"Passing": 1}});
        let term = |is: bool| format!("Weights.Passing == {}", i32::from(is));
        let [a, b, c] = [values[0], values[1], values[2]];
        for (text, expected) in [
            (format!("{} and {} or {}", term(a), term(b), term(c)), a && b || c),
            (format!("{} or {} and {}", term(a), term(b), term(c)), a || b && c),
            (format!("not {} and {} or {}", term(a), term(b), term(c)), !a && b || c),
            (format!("({} or {}) and {}", term(a), term(b), term(c)), (a || b) && c),
            (format!("not ({} or {}) or {}", term(a), term(b), term(c)), !(a || b) || c),
        ] {
            let filter = Filter::parse(&text, Rows::Services).unwrap();
            prop_assert_eq!(filter.passes(&row), expected, "{}", text);
        }
    }
}
