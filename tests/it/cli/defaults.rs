//! `rollcall serve` without a word: the addresses and folders that the documentation names.

use crate::support::namespace::Namespace;

#[test]
fn without_arguments_it_serves_on_the_documented_addresses_and_folders() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("zones")).unwrap();
    let zone = "$ORIGIN static.test.\n$TTL 5m\n@ SOA ns root 1 1h 10m 1w 30s\n  NS ns\n\
                ns A 192.0.2.1\n";
    std::fs::write(folder.path().join("zones/static.zone"), zone).unwrap();
    let (mut server, banner) = Namespace::serve(folder, &[]);
    for line in [
        "  dns    127.0.0.1:8600 (udp and tcp)",
        "  http   http://127.0.0.1:8500",
        "  data   ./rollcall-data (0 instances, revision 0)",
        "  zones  ./zones (1 zone)",
    ] {
        assert!(banner.lines().any(|shown| shown == line), "`{line}` is not in {banner}");
    }
    assert!(server.folder().join("rollcall-data/rollcall.redb").exists());
    // The two lines to try, as they stand; then the client verbs, which have the same defaults.
    let lines =
        banner.lines().filter(|line| line.starts_with("  curl ") || line.starts_with("  dig "));
    let lines = lines.collect::<Vec<_>>().join("\n");
    let text = server.shell(&lines).stdout;
    assert!(text.contains("\"revision\":") && text.contains("status: NOERROR"), "{text}");
    let text = server.shell("rollcall list; rollcall resolve web; rollcall resolve web --tcp").ok();
    assert_eq!(text.matches("127.0.0.1").count(), 2, "{text}");
    let text = server.shell("dig @127.0.0.1 -p 8600 +short +tcp ns.static.test").ok();
    assert_eq!(text, "192.0.2.1\n");
    // Loopback and nothing else, and no port besides.
    let text = server.shell("cat /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6").ok();
    let words = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let listening = words.filter(|words| matches!(words.get(3), Some(&"0A" | &"07")));
    let mut listening: Vec<_> = listening.map(|words| words[1].to_owned()).collect();
    listening.sort_unstable();
    listening.dedup();
    assert_eq!(listening, ["0100007F:2134", "0100007F:2198"], "8500 and 8600 of 127.0.0.1: {text}");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn the_documented_ports_in_use_are_named_with_what_to_do() {
    let (server, _) = Namespace::serve(tempfile::tempdir().unwrap(), &[]);
    let second = server.shell("cd /; rollcall serve --data /nowhere/data");
    second.fails(1, "127.0.0.1:8600");
    assert!(second.stderr.contains("in use"), "{second:#?}");
    let second = server.shell("rollcall serve --dns 127.0.0.1:0 --http 127.0.0.1:0");
    second.fails(1, "the data directory `./rollcall-data` is in use by process");
}
