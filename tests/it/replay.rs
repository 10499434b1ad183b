//! The rules of the RFCs as scripts, one for each RFC: `tests/replay/*.rpl`, whose form is
//! described beside them. Every script has a server of its own, and is a test of its own.

mod ask;
mod encrypted;
mod expect;
mod octets;
mod reply;
mod run;
mod script;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use ask::Ask;
use expect::Expect;
use reply::Reply;
use script::Script;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay")
}

/// A test for each script, by its name.
macro_rules! scripts {
    ($($name:ident)*) => {
        const SCRIPTS: &[&str] = &[$(stringify!($name)),*];

        $(#[test]
        fn $name() {
            let file = concat!(stringify!($name), ".rpl");
            run::run(&Script::read(&folder().join(file)));
        })*
    };
}

scripts! {
    consul
    forwarding
    internal
    rfc1034
    rfc1035
    rfc1982
    rfc2181
    rfc2308
    rfc2782
    rfc3597
    rfc4035
    rfc4343
    rfc4592
    rfc4892
    rfc5001
    rfc5358
    rfc6604
    rfc6672
    rfc6761
    rfc6763
    rfc6891
    rfc7766
    rfc7828
    rfc7830
    rfc7858
    rfc7871
    rfc7873
    rfc8020
    rfc8482
    rfc8484
    rfc8490
    rfc8906
    rfc8914
    rfc9018
    rfc9250
    rfc9460
    rfc9471
    rfc9619
    rfc9715
}

#[test]
fn every_script_is_run() {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let scripts = files.filter(|path| path.extension().is_some_and(|end| end == "rpl"));
    let found: BTreeSet<String> =
        scripts.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let run: BTreeSet<String> = SCRIPTS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, run);
}

/// The RFCs whose rules are kept over UDP and TCP, as far as they are not those of transfers,
/// updates and signatures. RFC 5966 became RFC 7766, 6762 and the like are in 6761, 7314 in 7871.
const ROWS: &[u16] = &[
    1034, 1035, 1982, 2181, 2308, 2782, 3597, 4035, 4343, 4592, 4892, 5001, 5358, 6604, 6672, 6761,
    6891, 7766, 7828, 7830, 7858, 7871, 7873, 8020, 8482, 8484, 8490, 8906, 8914, 9018, 9250, 9460,
    9471, 9619,
];

#[test]
fn every_rfc_has_its_script() {
    let missing = ROWS.iter().filter(|row| !SCRIPTS.contains(&&*format!("rfc{row}")));
    assert_eq!(missing.collect::<Vec<_>>(), [&0; 0]);
}

/// What a script of one rule says to a made-up reply: one address, AA, an OPT with a cookie.
fn found(ask: &str, head: &str, body: &str) -> Vec<String> {
    let ask = Ask::parse(ask, "test.", 7).unwrap();
    let sent = ask.octets(|_| Vec::new());
    let mut octets = sent.clone();
    octets.truncate(12 + b"\x01a\x04test\0\0\x01\0\x01".len());
    octets[2] = 0x84;
    octets[7] = 1;
    octets[13] = b'a';
    octets[11] = 1;
    octets.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04\x0a\0\0\x01");
    octets.extend(b"\0\0\x29\x04\xd0\0\0\0\0\0\x06\0\x0a\0\x02hi");
    let body: Vec<String> = body.lines().map(str::to_owned).collect();
    let expect = Expect::parse(head, &body, "test.").unwrap();
    expect.differences(&ask, &sent, &Reply::read(octets).unwrap())
}

#[test]
fn whatever_differs_from_what_is_expected_is_found() {
    let right = "answer a 5 A 10.0.0.1\noption cookie \"hi\"";
    assert_eq!(found("a A +edns", "NOERROR aa", right), [""; 0]);
    let cases = [
        ("a A", "NOERROR aa", right, "1 OPT records"),
        ("a A +do", "NOERROR aa", right, "flags 0000"),
        ("a A +edns +rd", "NOERROR aa", right, "opcode, RD or CD"),
        ("A A +edns", "NOERROR aa", right, "not echoed"),
        ("a A +edns", "NOERROR", right, "aa is set"),
        ("a A +edns", "NOERROR aa tc", right, "tc is not set"),
        ("a A +edns", "BADVERS aa", right, "response code is 0"),
        ("a A +edns", "NOERROR aa", "answer a 5 A 10.0.0.1", "options are"),
        ("a A +edns", "NOERROR aa", "option cookie ..", "options are"),
        ("a A +edns", "NOERROR aa", "option cookie ..x2", "not wanted"),
        ("a A +edns", "NOERROR aa", "answer a 6 A 10.0.0.1\noption cookie ..x2", "not wanted"),
        ("a A +edns", "NOERROR aa", "answer 2 x a 5 A *\noption cookie ..x2", "is there 1 times"),
        ("a A +edns", "NOERROR aa", &format!("{right}\noctets 50"), "above 50"),
        ("a A +edns", "NOERROR aa", &format!("{right}\ncontains 0b"), "not in it"),
        ("a A +edns", "NOERROR aa", &format!("{right}\nown-size 512"), "size 1232"),
        ("a A +edns", "NOERROR aa", &format!("{right}\nno question"), "1 questions"),
    ];
    for (ask, head, body, problem) in cases {
        let found = found(ask, head, body);
        assert!(found.iter().any(|found| found.contains(problem)), "{problem}: {found:?}");
    }
}

#[test]
fn a_rule_is_named_once_in_its_script_and_says_its_section() {
    for name in SCRIPTS {
        let script = Script::read(&folder().join(format!("{name}.rpl")));
        let mut rules: Vec<&str> = script.steps.iter().map(|step| &*step.rule).collect();
        rules.dedup();
        let names: BTreeSet<&str> = rules.iter().copied().collect();
        assert_eq!(names.len(), rules.len(), "{name}: {rules:#?}");
        let is_vague = |rule: &&&str| !rule.is_empty() && !rule.starts_with('§');
        let vague: Vec<_> = names.iter().filter(is_vague).collect();
        assert!(vague.is_empty(), "{name}: {vague:?}");
    }
}
