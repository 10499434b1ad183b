//! What a body may not be, and how large it may be.

use crate::{
    http::eureka::{negotiate::Form, read},
    model::limit,
};

fn refusal(form: Form, body: impl AsRef<[u8]>) -> String {
    let body = body.as_ref();
    let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
    match read::instance(form, body) {
        Ok(instance) => panic!("{shown}: {instance:?}"),
        Err(error) => {
            assert_eq!(error.status, 400);
            assert!(error.text.len() < 400, "{} of {shown}", error.text);
            error.text.into_owned()
        }
    }
}

#[test]
fn a_body_without_an_instance_is_refused() {
    for (form, body) in [
        (Form::Json, "{}"),
        (Form::Json, "null"),
        (Form::Json, "[]"),
        (Form::Json, "5"),
        (Form::Json, r#"{"instances": {}}"#),
        (Form::Json, r#"{"instance": null}"#),
        (Form::Xml, "<application/>"),
        (Form::Xml, "<x:instance xmlns:x='y'/>"),
    ] {
        assert_eq!(refusal(form, body), "the body has no `instance`", "{body}");
    }
}

#[test]
fn what_is_no_json_is_refused() {
    for body in ["", "{", "{\"instance\": {}} x", "{'instance': {}}", "<instance/>", "\u{0}"] {
        let text = refusal(Form::Json, body);
        assert!(text.starts_with("the body is no JSON: "), "{text}");
    }
    assert!(refusal(Form::Json, b"{\"instance\": {\"app\": \"\xff\"}}").contains("unicode"));
}

#[test]
fn what_is_no_xml_is_refused() {
    for (body, text) in [
        ("", "it has no element"),
        ("   ", "it has no element"),
        ("{}", "there is text outside of its one element"),
        ("<instance>", "the element `instance` does not end"),
        ("<instance><app>a</instance></app>", "expected `</app>`"),
        ("<instance/></instance>", "does not match any open tag"),
        ("<instance/><instance/>", "it goes on after its one element"),
        ("<instance/>x", "there is text outside of its one element"),
        ("x<instance/>", "there is text outside of its one element"),
        ("<instance/>&#120;", "there is text outside of its one element"),
        ("<instance a=b/>", "attribute value must be enclosed"),
        ("<instance a='1' a='2'/>", "duplicated attribute"),
        ("<instance a='&b;'/>", "entity"),
        ("<instance", "tag not closed"),
        ("<instance><![CDATA[x</instance>", "CDATA not closed"),
        ("<instance>a & b</instance>", "reference not closed"),
    ] {
        let found = refusal(Form::Xml, body);
        assert!(found.starts_with("the body is no XML: ") && found.contains(text), "{found}");
    }
    assert!(refusal(Form::Xml, b"<instance>\xe4</instance>").contains("utf-8"));
    assert!(refusal(Form::Xml, b"\xff\xfe<\0i\0/\0>\0").contains("utf-8"));
}

#[test]
fn no_entity_is_expanded_and_no_document_type_read() {
    for body in [
        "<!DOCTYPE instance><instance/>",
        "<!DOCTYPE instance SYSTEM \"file:///etc/passwd\"><instance/>",
        "<!DOCTYPE i [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><instance>&b;</instance>",
        "<instance/><!DOCTYPE instance>",
        "<!doctype instance><instance/>",
    ] {
        let text = refusal(Form::Xml, body);
        assert_eq!(text, "the body is no XML: a document type is not allowed", "{body}");
    }
    let text = refusal(Form::Xml, "<instance><app>&b;</app></instance>");
    assert_eq!(text, "the body is no XML: the entity `b` is not known");
}

#[test]
fn characters_that_xml_cannot_carry_are_refused() {
    for (body, text) in [
        ("<instance>\u{1}</instance>", "the character U+0001 is not allowed"),
        ("<instance a='\u{ffff}'/>", "the character U+FFFF is not allowed"),
        ("<instance>&#1;</instance>", "the character U+0001 is not allowed"),
        ("<instance>&#xFFFE;</instance>", "the character U+FFFE is not allowed"),
        ("<instance>&#0;</instance>", ""),
        ("<instance>&#xD800;</instance>", ""),
        ("<instance>&#99999999999;</instance>", ""),
        ("<instance>&#;</instance>", ""),
        ("<instance>&;</instance>", ""),
    ] {
        let found = refusal(Form::Xml, body);
        assert!(found.ends_with(text), "{found}");
    }
}

#[test]
fn depth_is_limited_in_both_forms() {
    let json = |levels: usize| {
        let open = "{\"a\":".repeat(levels - 1);
        format!("{{\"instance\":{open}0{}}}", "}".repeat(levels - 1))
    };
    let xml = |levels: usize| {
        let (open, close) = ("<a>".repeat(levels - 1), "</a>".repeat(levels - 1));
        format!("<instance>{open}{close}</instance>")
    };
    let most = limit::EUREKA_BODY_DEPTH_MAX;
    for (form, body) in [(Form::Json, json(most)), (Form::Xml, xml(most))] {
        assert!(read::instance(form, body.as_bytes()).is_ok(), "{body}");
    }
    let bodies = [json(most + 1), json(127), json(300_000)];
    for body in bodies.iter().chain([&"[".repeat(300_000)]) {
        assert!(refusal(Form::Json, body).contains("nests deeper than the limit of 16 levels"));
    }
    for body in [xml(most + 1), xml(300_000), "<a>".repeat(300_000)] {
        assert!(refusal(Form::Xml, body).contains("nests deeper than the limit of 16 levels"));
    }
}

#[test]
fn parts_are_counted_in_both_forms() {
    let most = limit::EUREKA_BODY_PARTS_MAX;
    let json = |parts: usize| format!("{{\"instance\":{{\"a\":[0{}]}}}}", ",0".repeat(parts - 4));
    let xml = |parts: usize| format!("<instance>{}</instance>", "<a/>".repeat(parts - 1));
    for (form, body) in [(Form::Json, json(most)), (Form::Xml, xml(most))] {
        assert!(read::instance(form, body.as_bytes()).is_ok());
    }
    let many = "<a b='' c='' d=''/>".repeat(most / 4);
    for (form, body) in [
        (Form::Json, json(most + 1)),
        (Form::Xml, xml(most + 1)),
        (Form::Xml, format!("<instance>{many}</instance>")),
    ] {
        assert!(refusal(form, body).contains("more parts than the limit of 100000"));
    }
}

/// Each attribute is compared with all before it: a hundred thousand would take seconds.
#[test]
fn attributes_are_few() {
    let element = |count: usize| {
        let attributes: String = (0..count).map(|number| format!(" a{number}=''")).collect();
        format!("<instance{attributes}/>")
    };
    let most = limit::EUREKA_BODY_ATTRIBUTES_MAX;
    assert!(read::instance(Form::Xml, element(most).as_bytes()).is_ok());
    for count in [most + 1, 90_000] {
        let text = refusal(Form::Xml, element(count));
        assert!(text.ends_with("an element has more attributes than the limit of 16"), "{text}");
    }
}

#[test]
fn a_refusal_does_not_repeat_the_body() {
    let long = "é".repeat(100_000);
    for body in [
        format!("<{long}></instance>"),
        format!("<instance a='&{long};'/>"),
        format!("<instance>&{long};</instance>"),
        format!("<instance><{long}>"),
    ] {
        assert!(refusal(Form::Xml, body).ends_with('…'));
    }
    refusal(Form::Json, format!("{{\"instance\":{{\"countryId\":\"{long}\"}}}}"));
    refusal(Form::Json, format!("{{\"instance\":{{\"dataCenterInfo\":{{\"name\":\"{long}\"}}}}}}"));
}
