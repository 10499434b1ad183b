//! Names and text on their own.

use proptest::prelude::*;

use super::{
    chars::escape,
    name::{decode, encode},
};

#[test]
fn a_key_is_escaped_as_xstream_does() {
    for (key, name) in [
        ("zone", "zone"),
        ("management.port", "management.port"),
        ("a-b.c9", "a-b.c9"),
        ("versions_delta", "versions__delta"),
        ("a$b", "a_-b"),
        ("9a", "_.0039a"),
        ("-a", "_.002da"),
        ("a b", "a_.0020b"),
        ("a:b", "a_.003ab"),
        ("@class", "_.0040class"),
        ("é", "_.00e9"),
        ("😀", "_.d83d_.de00"),
        ("<&>", "_.003c_.0026_.003e"),
        ("_.0041", "__.0041"),
    ] {
        assert_eq!(encode(key), name);
        assert_eq!(decode(name), key);
    }
}

#[test]
fn what_is_no_escape_stands_for_itself() {
    for name in
        ["a_b", "_", "a_", "_.", "_.12", "_.12g4", "_.+041", "_.d83d", "_.d83d_.0041x", "_é"]
    {
        assert_eq!(decode(name), if name == "_.d83d_.0041x" { "_.d83dAx" } else { name });
    }
}

#[test]
fn text_is_escaped_and_what_cannot_be_carried_replaced() {
    for (text, escaped) in [
        ("", ""),
        ("plain \"text\" 'é' 😀\t\n", "plain \"text\" 'é' 😀\t\n"),
        ("a<b>&c]]>", "a&lt;b&gt;&amp;c]]&gt;"),
        ("a\r\nb", "a&#13;\nb"),
        ("\0\u{1}\u{b}\u{1f}\u{fffe}\u{ffff}", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
    ] {
        assert_eq!(escape(text), escaped);
    }
}

proptest! {
    #[test]
    fn every_key_has_a_name_of_its_own(
        key in prop_oneof![any::<String>(), "[_.0-9a-fA-F$-]{0,12}"],
    ) {
        let name = encode(&key).into_owned();
        prop_assert!(name.bytes().all(|o| o.is_ascii_alphanumeric() || b"_-.".contains(&o)));
        prop_assert!(!name.starts_with(|first: char| !first.is_ascii_alphabetic() && first != '_'));
        prop_assert_eq!(decode(&name), key);
    }

    #[test]
    fn every_name_can_be_read(name in prop_oneof![any::<String>(), "[_.0-9a-fA-F$-]{0,12}"]) {
        decode(&name);
    }
}
