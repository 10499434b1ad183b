//! Patterns mean what they mean to Go.

use proptest::prelude::*;

use super::compile;

#[test]
fn a_pattern_means_what_it_means_to_go() {
    for (pattern, matching, other) in [
        ("web", "my-web-1", "db"),
        ("^web$", "web", "web\n"),
        (r"\d", "5", "٥"),
        (r"\w\s", "a\n", "é\u{a0}"),
        (r"\bweb\b", "éweb", "xweb"),
        (r"[[]", "[", "x"),
        (r"[a&&b]", "&", "c"),
        (r"[+--]", ",", "."),
        (r"[]x]", "]", "y"),
        (r"[^]x]", "y", "]"),
        (r"[x-]", "-", "y"),
        (r"[a\]-c]", "c", "d"),
        (r"[[:alpha:]_]", "_", "1"),
        (r"[^[:^alpha:]]", "a", "1"),
        (r"[\D]", "a", "1"),
        (r"a{,5}", "a{,5}", "aaa"),
        (r"a{", "a{", "a"),
        (r"a{2}", "aa", "a"),
        (r"a{01}", "a{01}", "a"),
        (r"\Qa.b*\E.", "a.b*c", "axbbc"),
        (r"\Q(", "(", "x"),
        (r"\x41\x{42}\103", "ABC", "abc"),
        (r"\p{Any}\p{Lu}\pN", "aA1", "aa1"),
        (r"\pL\p{Greek}\PL\p{^L}", "aα12", "aa12"),
        (r"(?i)WEB", "web", "wab"),
        (r"(?s).", "\n", ""),
        (r"(?m)^b$", "a\nb", "ab"),
        (r"(?i-s:W)x", "wx", "wX"),
        (r"(?P<a>x)(?<b>y)", "xy", "x"),
        (r"\A\.\z", ".", "x"),
        ("a#b c", "a#b c", "a"),
        (r"\a\f\v", "\x07\x0c\x0b", ""),
    ] {
        let compiled = compile(pattern).expect(pattern);
        assert!(compiled.is_match(matching), "{pattern} on {matching:?}");
        assert!(!compiled.is_match(other), "{pattern} on {other:?}");
    }
}

#[test]
fn a_pattern_is_refused_with_its_place() {
    for (pattern, fault) in [
        ("(", "missing closing ): `(`"),
        (")", "unexpected ): `)`"),
        ("[a", "missing closing ]: `[a`"),
        ("x[a-", "missing closing ]: `[a-`"),
        ("*", "missing argument to repetition operator: `*`"),
        ("a|+?", "missing argument to repetition operator: `+?`"),
        ("x**", "invalid nested repetition operator: `**`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{2,1}", "invalid repeat count: `{2,1}`"),
        ("[b-a]", "invalid character class range: `b-a`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        (r"\Pé", r"invalid character class range: `\Pé`"),
        (r"\pn", r"invalid character class range: `\pn`"),
        (r"\p{greek}", r"invalid character class range: `\p{greek}`"),
        (r"\p{Letter}", r"invalid character class range: `\p{Letter}`"),
        (r"\p{Foo}", r"invalid character class range: `\p{Foo}`"),
        (r"\1", r"invalid escape sequence: `\1`"),
        (r"\C", r"invalid escape sequence: `\C`"),
        (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
        ("\\", "trailing backslash at end of expression: ``"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?<!a)", "invalid or unsupported Perl syntax: `(?<`"),
        ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
        ("(?P<>a)", "invalid named capture: `(?P<>`"),
    ] {
        let refusal = compile(pattern).expect_err(pattern);
        assert!(refusal.ends_with(&format!(" error parsing regexp: {fault}")), "{refusal}");
    }
}

#[test]
fn a_pattern_is_held_to_its_size() {
    let refusal = compile(r"(?:\pL{1000}){1000}").unwrap_err();
    assert!(refusal.contains("is above the limit of 262144 octets"), "{refusal}");
    assert!(compile(&"(".repeat(5_000)).is_err());
    assert!(compile(&format!("{}a{}", "(".repeat(5_000), ")".repeat(5_000))).is_err());
}

proptest! {
    #[test]
    fn any_pattern_is_compiled_or_refused(
        pattern in r"[\\(){}\[\]^$.*+?|:<>P0-9adpQEwxLé&~-]{0,12}",
    ) {
        let _ = compile(&pattern);
    }

    #[test]
    fn text_between_q_and_e_is_itself(text in any::<String>()) {
        prop_assume!(!text.contains(r"\E") && !text.ends_with('\\'));
        let compiled = compile(&format!(r"^\Q{text}\E$")).unwrap();
        prop_assert!(compiled.is_match(&text));
    }
}
