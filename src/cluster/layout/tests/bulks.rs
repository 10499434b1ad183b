//! Bulks: what is wrong with a line, how large a part is, and the fold.

use std::sync::Arc;

use crate::{
    cluster::layout::{
        BulkId, Marker, Part, RowKey, encode_parts,
        testing::{AUTHOR, layout, plain, put, row_after, web},
    },
    model::{Origin, Revision, Scope, Timestamp},
    registry::{Edit, Guard, Registration, SharedRow},
};

#[test]
fn a_line_of_a_bulk_that_cannot_be_read_leaves_the_others() {
    let text = concat!(
        r#"{"row":"policies/web"}"#,
        "\n",
        r#"{"row":"policies/web","policy":{"answer_limit":0}}"#,
        "\n",
        r#"{"row":"instances/web/web-1/health"}"#,
        "\n",
        r#"{"row":"instances/web/web-1/registration","guard":"maybe"}"#,
        "\n",
        r#"{"row":"servers/a"}"#,
        "\n",
        r#"{"row":"policies/WEB"}"#,
        "\n",
        "nothing",
    );
    let Part { edits, unreadable, .. } = layout().decode_part(BulkId(1), 3, text.as_bytes(), 9);
    assert_eq!(edits.len(), 1);
    let faults = unreadable.iter().map(|fault| (fault.to_string(), fault.row.clone()));
    let expected = [
        ("line 2: `policy.answer_limit`: `0` is outside", Some(RowKey::Policy(web().service))),
        ("line 3: `row`: `instances/web/web-1/health` is no row", Some(RowKey::Health(web()))),
        ("line 4: `guard`: `maybe` is no condition", Some(RowKey::Registration(web()))),
        ("line 5: `row`: `servers/a` is no row of the registry", None),
        ("line 6: `row`: `policies/WEB` is no key of Rollcall", None),
        ("line 7: is no JSON: expected ident, column 2", None),
    ];
    for ((fault, row), (problem, of)) in faults.zip(expected) {
        let key = "`/rollcall/v1/bulks/0000000000000001/00003`, revision 9 of etcd: ";
        assert!(fault.starts_with(&format!("{key}{problem}")), "{fault}");
        assert_eq!(row, of, "{fault}");
    }
    assert_eq!(unreadable.len(), 6);
}

#[test]
fn parts_are_below_a_mebibyte_and_rows_below_what_etcd_takes() {
    let mut registration = plain();
    let origin = |octets: usize| Origin {
        scope: Scope::node("n"),
        id: "a".into(),
        document: "\"".repeat(octets).into(),
        other_tags: [].into(),
        service: None,
        node: None,
    };
    let kibibytes =
        |parts: &[Vec<u8>]| -> Vec<usize> { parts.iter().map(|part| part.len() >> 10).collect() };
    let of = |registration: &Registration| Edit::Register {
        key: web(),
        to: registration.clone().into(),
        guard: Guard::None,
    };
    Arc::make_mut(&mut registration.instance).origin = Some(origin(100_000).into());
    let parts = encode_parts(&vec![of(&registration); 12], &AUTHOR).unwrap();
    assert_eq!(kibibytes(&parts), [978, 978, 391]);
    Arc::make_mut(&mut registration.instance).origin = Some(origin(600_000).into());
    let parts = encode_parts(&vec![of(&registration); 2], &AUTHOR).unwrap();
    assert_eq!(kibibytes(&parts), [1172, 1172]);
    Arc::make_mut(&mut registration.instance).origin = Some(origin(720_000).into());
    let refusal = layout().encode(&of(&registration), &AUTHOR).unwrap_err();
    assert!(refusal.to_string().contains("`web/web-1` has 1440"), "{refusal}");
    assert!(refusal.to_string().ends_with("above the limit of 1433600"), "{refusal}");
    assert_eq!(encode_parts(&[of(&registration)], &AUTHOR).unwrap_err().key, web());
}

#[test]
fn a_folded_registration_is_that_of_its_marker() {
    let (bulk, by, at) = (BulkId(1), "host-2".into(), Timestamp(7));
    let marker = Marker { bulk, counts: true, parts: 1, edits: 1, base: 1, by, at };
    let edit = Edit::Register { key: web(), to: plain().into(), guard: Guard::None };
    let write = layout().encode_folded(edit, &marker, 12).unwrap();
    let SharedRow::Registration { to: Some(to), .. } = row_after(write) else { panic!() };
    assert_eq!(to.registered, Some(Revision::shared(12)));
    let drain = Edit::Drain { key: web(), on: true, guard: Guard::None };
    let (_, value) = put(layout().encode_folded(drain, &marker, 12).unwrap());
    assert_eq!(value, br#"{"at":"1970-01-01T00:00:00.007Z","by":"host-2"}"#);
}
