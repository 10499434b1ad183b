//! Where the state is kept, and what servers that share it are to one another.

use super::{are_refused, error_of, load};
use crate::app::config::{Config, Sources, StoreKind, StoreSettings};

/// A configuration with an etcd on this host.
const ETCD: &str = "store.kind = 'etcd'\nstore.endpoints = ['http://127.0.0.1:2379']";

fn config(text: &str) -> Config {
    load(&format!("version = 1\n{text}\n"), |_| ()).unwrap_or_else(|error| panic!("{error}"))
}

fn with_flag(store: &str, text: &str) -> Result<Config, String> {
    let set = |sources: &mut Sources| sources.flags = StoreSettings::flags(store);
    load(&format!("version = 1\n{text}\n"), set)
}

fn endpoints(config: &Config) -> Vec<String> {
    config.store.etcd.endpoints.iter().map(ToString::to_string).collect()
}

#[test]
fn each_value_is_held_to_its_form_and_range() {
    are_refused(&[
        ("store.kind = 'consul'", "is none of `embedded`, `etcd`"),
        (
            "store.endpoints = ['10.0.0.1:2379']",
            "`store.endpoints[0]`: `10.0.0.1:2379` begins with neither",
        ),
        ("store.endpoints = ['unix:///run/etcd']", "begins with neither `http://` nor `https://`"),
        ("store.endpoints = ['http://']", "is no URL"),
        ("store.endpoints = ['http://a:70000']", "has a port outside the limits of 1 to 65535"),
        ("store.endpoints = ['http://a:0']", "has a port outside the limits of 1 to 65535"),
        ("store.endpoints = ['http://a/v3']", "has something behind host and port"),
        (
            "store.endpoints = ['http://a', 'HTTP://A:2379/']",
            "`store.endpoints[1]`: `HTTP://A:2379/` is there twice",
        ),
        ("store.prefix = 'rollcall'", "is no prefix of keys; write one as in `/rollcall`"),
        ("store.prefix = '/'", "is no prefix of keys"),
        ("store.prefix = '/rollcall/'", "ends with `/`"),
        ("store.prefix = '/roll call'", "has the character ' '"),
        ("store.prefix = '/a//b'", "`store.prefix`: `/a//b` has two `/` without a name"),
        ("store.prefix = '/a/../b'", "`store.prefix`: `/a/../b` has the name `..`, which in keys"),
        ("store.prefix = '/./a'", "`store.prefix`: `/./a` has the name `.`, which in keys"),
        ("store.server_name = 'a b'", "is no name of a host"),
        ("store.request_timeout = '31s'", "is outside the limits of 100ms to 30s"),
        ("cluster.server_id = 'a/b'", "has the character '/'"),
        ("cluster.advertise = ['10.0.0.1']", "is no host with a port"),
        ("cluster.advertise = ['0.0.0.0:8500']", "is no address of a host"),
        ("cluster.advertise = ['a.example:0']", "has the port 0"),
        ("cluster.advertise = ['a b:1']", "is no host with a port"),
        ("cluster.lease = '1s'", "is outside the limits of 2s to 5m"),
        ("cluster.lease = '2500ms'", "has a fraction of a second"),
        ("cluster.checkers = 2", "is even"),
        ("cluster.checkers = 9", "is outside the limits of 1 to 7"),
    ]);
}

#[test]
fn keys_that_do_not_go_together_are_refused_with_the_way_out() {
    let etcd = |rest: &str| format!("{ETCD}\n{rest}");
    let https = |rest: &str| {
        format!("store.kind = 'etcd'\nstore.endpoints = ['https://localhost:2379']\n{rest}")
    };
    let listen = "http.listen = ['127.0.0.1:8500']";
    let far = "store.kind = 'etcd'\nstore.endpoints = ['http://10.0.0.9:2379']";
    for (text, said, line) in [
        (
            "store.endpoints = ['http://a']".into(),
            "`store.endpoints` is for a store that servers share",
            2,
        ),
        ("cluster.checkers = 3".into(), "write `kind = \"etcd\"` in `[store]`", 2),
        ("store.kind = 'etcd'".into(), "names none of its members; add `endpoints = ", 2),
        (
            "store.kind = 'etcd'\nstore.endpoints = ['http://localhost',\n'https://[::1]']".into(),
            "`store.endpoints[1]`: `https://[::1]:2379` stands beside `http://localhost:2379`",
            4,
        ),
        (https("store.certificate = 'c'"), "`store.certificate` is given without `store.key`", 4),
        (https("store.key = 'k'"), "`store.key` is given without `store.certificate`", 4),
        (
            etcd("store.ca_file = 'ca'"),
            "`store.ca_file` is given, and nothing is encrypted on the way to `http://127.0.0.1:2379`",
            4,
        ),
        (etcd("store.server_name = 'etcd'"), "write `https`, or leave it out", 4),
        (etcd("store.user = 'root'"), "`store.user` is given without `store.password_file`", 4),
        (
            etcd("store.password_file = 'p'"),
            "`store.password_file` is given without `store.user`",
            4,
        ),
        (format!("{far}\n{listen}"), "`http.listen` is on this host alone", 4),
        (far.into(), "or say in `cluster.advertise` where they reach it", 3),
    ] {
        let error = error_of(&format!("version = 1\n{text}\n"));
        assert!(error.contains(said), "{text}: {error}");
        assert!(error.contains(&format!("\n --> rollcall.toml:{line}:")), "{text}: {error}");
        assert_eq!(error.matches("error: ").count(), 1, "{text}: {error}");
    }
}

#[test]
fn what_goes_together_is_taken() {
    let tls = "store.kind = 'etcd'\n\
        store.endpoints = ['https://etcd-1.example', 'https://[fd00::1]:443']\nstore.certificate = 'c'\nstore.key = 'k'\nstore.ca_file = 'ca'\nstore.server_name = 'etcd'\n\
        store.user = 'root'\nstore.password_file = 'p'\nhttp.listen = ['0.0.0.0:8500']";
    let tls = config(tls);
    assert_eq!(endpoints(&tls), ["https://etcd-1.example:2379", "https://[fd00::1]:443"]);
    assert_eq!(tls.warnings(), [""; 0]);
    let far = "store.kind = 'etcd'\nstore.endpoints = ['http://10.0.0.9:2379']";
    let told = config(&format!("{far}\ncluster.advertise = ['[fd00::1]:8500', 'a.example:80']"));
    assert_eq!(told.cluster.advertise, ["[fd00::1]:8500", "a.example:80"]);
    let near = config(ETCD);
    assert!(near.is_shared() && near.warnings().is_empty());
    assert_eq!(near.place(), "http://127.0.0.1:2379 below `/rollcall`");
    assert!(!Config::default().is_shared());
}

#[test]
fn what_is_not_meant_is_warned_of() {
    let embedded = config("store.kind = 'embedded'\nstore.prefix = '/x'\ncluster.lease = '5s'");
    let unread = |path| format!("`{path}` is not read, as the store is embedded");
    assert_eq!(embedded.warnings(), ["store.prefix", "cluster.lease"].map(unread));
    let user = "store.user = 'root'\nstore.password_file = 'p'";
    assert_eq!(config(&format!("{ETCD}\n{user}")).warnings(), [""; 0]);
    let far = format!(
        "store.kind = 'etcd'\nstore.endpoints = ['http://10.0.0.9']\n{user}\n\
         http.listen = ['10.0.0.1:8500']"
    );
    let said =
        "`store.password_file`: the password goes to `http://10.0.0.9:2379` as it is; use `https`";
    assert_eq!(config(&far).warnings(), [said]);
}

#[test]
fn the_flag_says_kind_and_endpoints_in_one() {
    let etcd = with_flag("etcd=http://127.0.0.1,http://[::1]:4001", "").unwrap();
    assert_eq!(etcd.store.kind, StoreKind::Etcd);
    assert_eq!(endpoints(&etcd), ["http://127.0.0.1:2379", "http://[::1]:4001"]);
    // For once: what the file says of etcd is no mistake then.
    assert_eq!(with_flag("embedded", ETCD).unwrap().store.kind, StoreKind::Embedded);
    assert!(with_flag("etcd", "store.endpoints = ['http://a']").is_err(), "HTTP is not for others");
    assert_eq!(endpoints(&with_flag("etcd", ETCD).unwrap()), ["http://127.0.0.1:2379"]);
    for (flag, said) in [
        ("etcd=", "names none of its members"),
        ("etcd=127.0.0.1:2379", "begins with neither `http://` nor `https://`"),
        ("etdc=http://a", "`store.kind`: `etdc` is none of `embedded`, `etcd`\n --> flag --store"),
        ("etcd", "names none of its members"),
        ("etcd", "(as a flag: `--store etcd=http://127.0.0.1:2379`)"),
        ("embedded=/var/lib/rollcall", "write `embedded`, and where its folder is into `server."),
    ] {
        let error = with_flag(flag, "").unwrap_err();
        assert!(error.contains(said), "{flag}: {error}");
        assert!(error.contains("\n --> flag --store"), "{flag}: {error}");
    }
}

#[test]
fn a_password_that_stands_where_none_is_taken_is_not_shown() {
    for text in [
        "store.endpoints = [\"http://root:sesame@a\"]",
        "store = { kind = \"nope\", endpoints = [\"http://root:sesame@a\"] }",
        "store.user = \"root:sesame\"",
        "[store]\npassword = \"sesame\"",
        "store = { kind = 5, password = 'sesame' }",
        "[store]\npassword = sesame",
    ] {
        let error = error_of(&format!("version = 1\n{text}\n"));
        assert!(!error.contains("sesame"), "{text}: {error}");
        assert!(error.contains("******"), "the line is shown: {text}: {error}");
    }
    let error = with_flag("etcd=http://root:sesame@a", "").unwrap_err();
    assert!(!error.contains("sesame"), "{error}");
    assert!(error.contains("go into `store.user` and `store.password_file`"), "{error}");
    let error = load("version = 1\n", |sources| {
        sources.environment = vec![("ROLLCALL_STORE_USER".into(), "root:sesame".into())];
    });
    let error = error.unwrap_err();
    assert!(error.contains("`root:…` has a colon") && !error.contains("sesame"), "{error}");
}
