//! Text of record data in, wire form out.

use super::{super::token::Lexer, parse, parse_type, type_text};

/// Parses `TYPE data…` with names relative to `o.`, to hexadecimal.
fn wire(text: &str) -> Result<String, String> {
    let entry = Lexer::new(text.as_bytes()).next_entry().unwrap().unwrap();
    let rtype = parse_type(&entry.words[0])?;
    let wire = parse(rtype, &entry.words[1..], b"\x01o\x00")?;
    Ok(wire.iter().map(|octet| format!("{octet:02x}")).collect())
}

#[test]
fn text_becomes_wire_form() {
    for (text, expected) in [
        ("A 192.0.2.1", "c0000201"),
        ("AAAA 2001:db8::1", "20010db8000000000000000000000001"),
        ("NS a", "0161 016f 00"),
        ("cname B.a.", "0142 0161 00"),
        ("PTR @", "016f00"),
        ("DNAME .", "00"),
        ("MX 10 a", "000a 0161 016f 00"),
        ("MX 0 .", "000000"),
        ("SRV 1 2 3 _a.b.", "0001 0002 0003 025f61 0162 00"),
        ("SRV 1 2 3 a\\046b.", "0001 0002 0003 03612e62 00"),
        (
            "SOA a b. 1 2m 3h 4d 5w",
            "0161016f00 016200 00000001 00000078 00002a30 00054600 002e2480",
        ),
        ("SOA a a 1 2 3 4 5", "0161016f00 0161016f00 00000001 00000002 00000003 00000004 00000005"),
        ("TXT a \"b c\" \"\" \\\"\\200", "0161 03622063 00 0222c8"),
        ("TXT \"v=1;\\\\\"", "05763d313b5c"),
        ("HINFO \"a b\" \\;", "03612062 013b"),
        ("HINFO \\255 \"\"", "01ff 00"),
        ("CAA 0 issue \"ca.example; x=1\"", "00 056973737565 63612e6578616d706c653b20783d31"),
        (
            "NAPTR 1 2 \"u\" \"E2U+sip\" \"!^.*$!sip:\\\\1!\" a",
            "0001 0002 0175 074532552b736970 0d215e2e2a24217369703a5c3121 0161016f00",
        ),
        ("DS 258 8 2 00 ff\tAA", "0102 08 02 00ffaa"),
        ("SSHFP 1 2 aabb ccdd", "0102aabbccdd"),
        ("TLSA 3 1 1 aabb ccdd", "030101aabbccdd"),
        ("HTTPS 0 a", "0000 0161016f00"),
        ("HTTPS 1 . port=443 alpn=\"h2,h3\"", "0001 00 0001 0006 026832026833 0003 0002 01bb"),
        ("SVCB 1 a.b. port=1", "0001 0161016200 0003 0002 0001"),
        ("CERT 1 2 3 AAEC Aw==", "0001 0002 03 00010203"),
        ("CSYNC 1 3 A NS", "00000001 0003 00 01 60"),
        ("OPENPGPKEY AAEC", "000102"),
        ("TYPE65534 \\# 4 0a00 0001", "0a000001"),
        ("TYPE65534 \\# 0", ""),
        ("A \\# 4 0a000001", "0a000001"),
        ("TYPE1 10.0.0.1", "0a000001"),
        ("TYPE15 \\# 5 000a 0161 00", "000a016100"),
    ] {
        assert_eq!(wire(text).as_deref(), Ok(expected.replace(' ', "").as_str()), "{text}");
    }
}

#[test]
fn what_is_no_such_data_is_refused_with_its_fault() {
    let long = format!("TXT \"{}\"", "x".repeat(256));
    for (text, problem) in [
        ("A 192.0.2.299", "A record: the address `192.0.2.299` is no IPv4 address"),
        ("A 192.0.2", "the address `192.0.2` is no IPv4 address"),
        ("AAAA 192.0.2.1", "the address `192.0.2.1` is no IPv6 address"),
        ("A 192.0.2.1 192.0.2.2", "has the fields `address`, but 2 stand here"),
        ("A", "but 0 stand here"),
        ("MX mail", "has the fields `preference exchange`, but 1 stands here"),
        ("MX ten mail", "MX record: the preference `ten` is no number up to 65535"),
        ("MX 65536 mail", "MX record: the preference `65536` is no number up to 65535"),
        ("SRV 1 2 http a", "the port `http` is no number up to 65535"),
        ("NAPTR 1 x \"u\" \"\" \"\" a", "the preference `x` is no number up to 65535"),
        ("CAA x issue a", "the flags `x` is no number up to 255"),
        ("TLSA 3 1 256 aabb", "the matching `256` is no number up to 255"),
        ("TLSA 3 1 1 zz", "the certificate `zz` is not hexadecimal"),
        ("SSHFP 1 2 aab", "the fingerprint `aab` is not hexadecimal"),
        ("CERT 1 2 3 !!", "the certificate `!!` is no base64"),
        ("OPENPGPKEY !!", "the key `!!` is no base64"),
        ("CSYNC 1 3 A FOO", "the type `FOO` is no type of records"),
        ("SOA a b 1 2x 3 4 5", "the refresh `2x` is no time"),
        ("SOA a b x 2 3 4 5", "the serial `x` is no number up to 4294967295"),
        ("MX 1 a..b", "empty label"),
        // hickory writes it, and does not read it (RFC 8659 §4.1).
        ("CAA 0 is-sue \"ca.example\"", "the tag `is-sue` has other characters"),
        ("SOA a b 1 2 3 4", "but 6 stand here"),
        ("TXT", "but 0 stand here"),
        ("TXT \\999", "three digits"),
        (&long, "256 octets is above the limit of 255"),
        ("CAA 0 issue \\255", "not UTF-8"),
        ("DS 1 8 2", "but 3 stand here"),
        ("DS 1 256 2 00", "at most 255"),
        ("DS 1 8 2 0g", "not hexadecimal"),
        ("DS 1 8 2 abc", "not hexadecimal"),
        // hickory writes and reads these, and clients ignore them.
        ("HTTPS 1 . mandatory=port alpn=h2", "demands `port`"),
        ("TYPE64 \\# 7 0001 00 0002 0000", "needs `alpn`"),
        ("HTTPS 1 . alpn=h2 alpn=h3", "HTTPS record: `alpn` stands twice"),
        ("SVCB 1 . port=1 port=2", "SVCB record: `port` stands twice"),
        ("HTTPS x .", "the priority `x` is no number up to 65535"),
        ("HTTPS 1 . port=1 foo=bar", "the parameter `foo=bar` begins with `foo`, which is no key"),
        ("HTTPS 1 . alpn=h2 port=abc", "`port=abc` is no number up to 65535"),
        ("HTTPS 1 . alpn", "`alpn` does not list protocols"),
        ("HTTPS 1 . ipv4hint=1.2.3", "`ipv4hint=1.2.3` does not list IPv4 addresses"),
        ("HTTPS 1 . mandatory=foo", "`mandatory=foo` does not list keys"),
        ("HTTPS 1 . ech=!!", "`ech=!!` is no base64"),
        ("SVCB 1 . no-default-alpn=1", "`no-default-alpn=1` has a value"),
        ("TYPE65534 text", "written as `\\# length hexadecimal`"),
        ("TYPE65534 \\# 3 0a00", "says 3 octets, but 2 stand here"),
        ("TYPE65534 \\#", "followed by the length"),
        ("TYPE65534 \\# x", "not a length"),
        ("A \\# 3 0a0000", "not the data of this type"),
        ("LOC 52 22 23.000 N", "`LOC` is not a record type that is read here; these are: A, AAAA"),
        ("RRSIG x", "belong to signed zones"),
        ("TYPE48 \\# 0", "belong to signed zones"),
        ("TYPE252 \\# 0", "no record that a zone could hold"),
        ("TYPE65536 \\# 0", "not a record type"),
        ("ANY x", "not a record type"),
    ] {
        let refused = wire(text).unwrap_err();
        assert!(refused.contains(problem), "{text}: {refused}");
    }
}

#[test]
fn the_table_of_types_agrees_with_hickory() {
    for shape in super::SHAPES {
        let known = shape.mnemonic.parse::<hickory_proto::rr::RecordType>().unwrap();
        assert_eq!(u16::from(known), shape.rtype, "{}", shape.mnemonic);
        assert_eq!(type_text(shape.rtype), shape.mnemonic);
    }
    assert!(super::SHAPES.is_sorted_by_key(|shape| shape.mnemonic));
}
