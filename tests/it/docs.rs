//! What the documents say is true: commands work as they stand, names exist, and numbers are those
//! of the code.

use std::{collections::BTreeSet, path::Path};

use rollcall::model::limit;
use serde_json::json;

use crate::support::{
    Node,
    api::instance_path,
    command::{rollcall, run},
    etcd::Etcd,
    namespace::{self, Namespace},
    node::read,
    tls::Certificate,
};

/// The documents whose paths and names are held to what there is.
const DOCUMENTS: [&str; 7] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "docker/README.md",
    "examples/cluster/README.md",
];

/// The example of the design, but for a line that is wrapped here.
const REGISTRATION: &str = r#"
    { "addresses": ["10.0.1.6", "fd00::6"], "port": 8080,
      "weight": 10, "priority": 1, "tags": ["v1"], "meta": {"version": "1.4.2"},
      "checks": [ {"type": "http", "path": "/health", "interval": "5s", "timeout": "2s",
                   "rise": 1, "fall": 2},
                  {"type": "ttl", "ttl": "15s"} ],
      "deregister_after": "10m" }"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document(name: &str) -> String {
    read(&root().join(name))
}

/// The text between backticks, outside of blocks.
fn quoted(text: &str) -> Vec<String> {
    let prose = text.lines().filter(|line| !line.starts_with("    ")).collect::<Vec<_>>();
    let prose = prose.join("\n");
    prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The commands of a document: what stands in ```sh blocks, and indented lines.
fn commands(text: &str) -> (Vec<String>, Vec<String>) {
    let blocks = text.split("```sh\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap().to_owned()).collect();
    let known = ["rollcall ", "curl ", "dig ", "kdig ", "python3 "];
    let lines = text.lines().filter_map(|line| line.strip_prefix("    ").map(str::trim_start));
    let lines = lines.filter(|line| known.iter().any(|known| line.starts_with(known)));
    (blocks, lines.map(str::to_owned).collect())
}

/// The keys of the example file, `table.key`.
fn keys(example: &str) -> BTreeSet<String> {
    let mut table = "";
    let lines = example.lines().filter_map(|line| {
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_end_matches(']');
        }
        let (key, _) = line.strip_prefix('#')?.split_once(" = ")?;
        Some(format!("{table}.{key}")).filter(|_| !key.starts_with(' '))
    });
    lines.collect()
}

/// Shell that waits until a command succeeds.
fn until(command: &str) -> String {
    format!("timeout 20 sh -c 'until {command}; do :; done'")
}

/// A line of the session that begins with a server to be found.
fn find_the_shop(server: &Namespace, line: &str) {
    let words: Vec<_> = line.split_whitespace().collect();
    match words[..] {
        ["python3", ..] => {
            // It ends by itself should the test not come to its end.
            let start = format!("timeout 60 {line} >served 2>&1 & echo $! >served.pid");
            server.shell(&start).ok();
            server.shell(&until("curl -s -o root.html http://127.0.0.1:8080/")).ok();
        }
        ["rollcall", "register", ..] => {
            server.shell(line).ok();
            server.shell(&until("rollcall show shop | grep -q passing")).ok();
        }
        ["rollcall", "resolve", ..] => {
            let answer = server.shell(line).ok();
            let wanted = line.split_once("# and its port").map_or("A     127.0.0.1", |_| " 8080 ");
            assert!(answer.contains(wanted), "{line}: {answer}");
        }
        ["rollcall", "list", ..] => {
            let list = server.shell(line).ok();
            let shop = list.lines().find(|row| row.starts_with("shop ")).unwrap_or_default();
            let shop: Vec<_> = shop.split_whitespace().collect();
            assert_eq!(shop[..3], ["shop", "1", "0"], "{list}");
        }
        _ => panic!("{line} is no part of it"),
    }
}

#[test]
fn the_commands_of_the_readme_work_as_they_stand() {
    let (blocks, lines) = commands(&document("README.md"));
    assert!(blocks.len() >= 3 && lines.len() >= 10, "{blocks:#?} {lines:#?}");
    let folder = tempfile::tempdir().unwrap();
    let example = root().join("examples/rollcall.toml").display().to_string();
    let (mut server, _) = Namespace::serve(folder, &["--tls-self-signed"]);
    for block in &blocks {
        // Curl is content with any reply; what is shown to users must be none of refusal.
        let done = server.shell(block);
        assert_eq!(done.code, Some(0), "{block}{done:#?}");
        assert!(!done.stdout.contains("urn:rollcall:problem"), "{block}{done:#?}");
    }
    let mut after_the_stop = Vec::new();
    for line in &lines {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["rollcall", "serve", ..] => {
                // It would run: that its command line and its file are right is what is checked.
                let line = line.replace("serve", "serve --dns 203.0.113.1:53");
                let done = server.shell(&line.replace("/etc/rollcall.toml", &example));
                done.fails(1, "203.0.113.1:53");
            }
            ["rollcall", "export" | "import", ..] => after_the_stop.push(line),
            ["python3", ..] | ["rollcall", "register" | "resolve" | "list", ..] => {
                find_the_shop(&server, line);
            }
            ["rollcall", "watch", ..] => {
                // It goes on until it is stopped.
                let seen = "until grep -s registered watched; do :; done; kill $!";
                let done = server.shell(&format!("{line} --since 0 >watched & {seen}"));
                assert!(done.clone().ok().contains("registered shop/shop-1"), "{done:#?}");
            }
            ["dig" | "kdig", ..] => {
                let answer = server.shell(line).ok();
                assert!(answer.contains("status: NOERROR"), "{line}: {answer}");
                // dig has a comma there, kdig a semicolon.
                assert!(answer.contains(" ANSWER: 1"), "{line}: {answer}");
            }
            ["curl", "--doh-url", ..] => {
                let done = server.shell(line);
                assert!(done.code == Some(0) && done.stdout.contains("<html"), "{done:#?}");
            }
            ["curl", ..] => {
                let done = server.shell(line);
                assert!(done.code == Some(0) && done.stdout.contains("\"revision\""), "{done:#?}");
            }
            _ => drop(server.shell(&line.replace("/etc/rollcall.toml", &example)).ok()),
        }
    }
    server.shell("kill $(cat served.pid)").ok();
    assert_eq!(server.stop(), Some(0));
    let [export, import] = after_the_stop[..] else { panic!("a backup has two ends") };
    let at = |line: &str| {
        let mut shell = std::process::Command::new("sh");
        run(shell.args(["-euc", line]).env("PATH", namespace::path()).current_dir(server.folder()))
    };
    at(export).exported("5 instances and 1 policy");
    std::fs::rename(server.folder().join("rollcall-data"), server.folder().join("old")).unwrap();
    assert!(at(import).ok().starts_with("imported 5 instances"), "{import}");
}

#[test]
fn a_walk_without_a_program_says_at_once_what_to_do() {
    let mut walk = std::process::Command::new(root().join("examples/walkthrough.sh"));
    walk.env("ROLLCALL_BIN", "nowhere/rollcall").env_remove("HTTP").env_remove("DNS");
    let done = run(&mut walk);
    done.fails(1, "there is no program at /");
    assert!(done.stderr.contains("nowhere/rollcall: run `cargo build --release`"), "{done:#?}");
    assert_eq!(done.stdout, "", "nothing was begun");
}

#[test]
fn the_documented_registration_is_accepted_verbatim() {
    let node = Node::start();
    let reply = node.api().put_text(&instance_path("payment", "payment-1"), REGISTRATION);
    assert_eq!(reply.status, 201, "{reply:?}");
    let written: serde_json::Value = serde_json::from_str(REGISTRATION).unwrap();
    for field in ["addresses", "port", "weight", "priority", "tags", "meta", "deregister_after"] {
        assert_eq!(reply.body[field], written[field], "{field}");
    }
    let (blocks, _) = commands(&document("README.md"));
    let body = blocks.iter().find_map(|block| block.split('\'').nth(1)).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(body).unwrap(), written, "the README's");
}

#[test]
fn the_tables_of_the_readme_are_the_codes() {
    let readme = document("README.md");
    let row = |cells: &str| assert!(readme.contains(cells), "`{cells}` is not in README.md");
    let help = run(&mut rollcall(["--help"])).ok();
    let codes = help.lines().skip_while(|line| *line != "Exit codes:").skip(1);
    for line in codes {
        let (code, meaning) = line.trim().split_once(' ').unwrap();
        row(&format!("| {code} | {} |", meaning.trim()));
    }
    let node = Node::start();
    node.api().register("web", "web-1", &json!({"addresses": ["10.0.0.1"]}));
    let policy = node.api().get("/api/v1/services/web/policy").body;
    row(&format!("| `ttl` | `{}s` |", policy["ttl"]));
    row(&format!("| `answer_limit` | {} |", policy["answer_limit"]));
    row(&format!("| `when_none_healthy` | `{}` |", policy["when_none_healthy"].as_str().unwrap()));
    row(&format!("| `min_healthy` | {:.0} |", policy["min_healthy"].as_f64().unwrap()));
    let thousands = |number: usize| {
        let digits = number.to_string();
        let groups = digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap());
        groups.collect::<Vec<_>>().join(",")
    };
    let n = thousands;
    row(&format!(
        "| {} services, {} instances, {} nodes |",
        n(limit::SERVICES_MAX),
        n(limit::INSTANCES_MAX),
        n(limit::NODES_MAX)
    ));
    row(&format!("| a service | {} instances |", n(limit::SERVICE_INSTANCES_MAX)));
    row(&format!(
        "| {} addresses, {} tags, {} checks, {} metadata entries of {} octets, {} in all |",
        limit::INSTANCE_ADDRESSES_MAX,
        limit::INSTANCE_TAGS_MAX,
        limit::INSTANCE_CHECKS_MAX,
        limit::META_ENTRIES_MAX,
        limit::META_PAIR_OCTETS_MAX,
        n(limit::META_OCTETS_MAX),
    ));
    assert_eq!(limit::CHECK_PERIOD_MIN.as_millis(), 100);
    assert_eq!(limit::CHECK_PERIOD_MAX.as_secs(), 24 * 3_600);
    assert_eq!(limit::DEREGISTER_AFTER_MAX.as_secs(), 8_760 * 3_600);
    row(&format!(
        "100ms to 24h for `interval` and `timeout`, to 8,760h for `ttl` and `deregister_after`; \
         1 to {} for `rise` and `fall`, 1 to {} for `warn_after`; {} octets of `body`, \
         {} redirects; {} octets are kept of an output |",
        limit::CHECK_THRESHOLD_MAX,
        limit::CHECK_THRESHOLD_MAX - 1,
        n(limit::CHECK_BODY_OCTETS_MAX),
        limit::CHECK_REDIRECTS_MAX,
        n(limit::CHECK_OUTPUT_OCTETS_MAX),
    ));
    row(&format!(
        "| {} octets of an id and of the name of a node or an application; {} KiB are kept |",
        limit::ORIGIN_NAME_OCTETS_MAX,
        limit::ORIGIN_DOCUMENT_OCTETS_MAX >> 10,
    ));
    row(&format!("Consul's interface | {} entries |", limit::CONSUL_BODY_ENTRIES_MAX));
    row(&format!(
        "| {} instances, {} MiB |",
        n(limit::BULK_REGISTRATIONS_MAX),
        limit::HTTP_BULK_OCTETS_MAX >> 20
    ));
    row(&format!("| events kept for watchers that come back | {} |", n(limit::EVENTS_KEPT_MAX)));
    row(&format!("| {} files, {} records each |", n(limit::ZONES_MAX), n(limit::ZONE_RECORDS_MAX)));
}

#[test]
fn the_paths_of_the_interface_exist() {
    let node = Node::start();
    let api = node.api();
    let contract = api.get("/api/v1/openapi.json").body;
    let paths = contract["paths"].as_object().unwrap();
    let readme = document("README.md");
    let named: BTreeSet<_> = quoted(&readme)
        .iter()
        .flat_map(|text| text.split([' ', ',']))
        .filter(|word| word.starts_with("/api/v1/"))
        .map(|word| word.split('?').next().unwrap().to_owned())
        .map(|path| path.replace("{S}", "{service}").replace("{I}", "{instance}"))
        .collect();
    assert!(named.len() >= 6, "{named:?}");
    for path in named {
        assert!(paths.contains_key(&path) || path.ends_with("openapi.json"), "{path}");
    }
}

#[test]
fn the_metrics_that_are_named_exist() {
    // A broken zone has a metric that is not there without one; so have a check, an upstream and a
    // certificate.
    let node = Node::builder().embedded().zone("broken.zone", "$ORIGIN broken.test.\n");
    let node = node.arg("--forward").arg("127.0.0.1:9").encrypted(&Certificate::new()).start();
    node.cli("register web web-1 --port 80 --address 127.0.0.1 --tcp").ok();
    let has = |metrics: &str, name: &str| {
        metrics.lines().any(|line| line.split(['{', ' ']).next() == Some(name))
    };
    node.resolver().ask("www.example.", hickory_proto::rr::RecordType::A);
    crate::support::eventually("the check has a result", || {
        has(&node.api().text("/metrics"), "rollcall_check_results_total").then_some(())
    });
    // And what servers share has some of its own.
    let etcd = Etcd::single();
    let url = &etcd.endpoints()[0];
    let sharing = Node::builder().arg("--store").arg(format!("etcd={url}")).start();
    sharing.cli("register web web-1 --port 80 --address 127.0.0.1").ok();
    let metrics = node.api().text("/metrics") + &sharing.api().text("/metrics");
    let readme = document("README.md");
    let named = quoted(&readme).into_iter().filter(|text| text.starts_with("rollcall_"));
    let named: BTreeSet<_> = named.collect();
    assert!(named.len() >= 8, "{named:?}");
    for metric in named {
        let (name, labels) = metric.split_once('{').unwrap_or((&metric, ""));
        assert!(has(&metrics, name), "{name} is not in /metrics");
        let label = labels.split('=').next().unwrap_or_default();
        let is_label = |line: &&str| line.contains(&format!("{label}="));
        let samples = metrics.lines().filter(|line| line.starts_with(name));
        assert!(label.is_empty() || samples.filter(is_label).count() > 0, "{metric}");
    }
}

#[test]
fn the_files_and_keys_that_are_named_exist() {
    let example = document("examples/rollcall.toml");
    let keys = keys(&example);
    let tables: BTreeSet<_> = keys.iter().map(|key| key.split('.').next().unwrap()).collect();
    assert!(tables.contains("forward") && tables.len() >= 7, "{tables:?}");
    for name in DOCUMENTS {
        let text = document(name);
        let is_marker = |line: &&str| ["<<<<<<<", "=======", ">>>>>>>"].contains(line);
        let left = text.lines().find(|line| line.split(' ').next().as_ref().is_some_and(is_marker));
        assert_eq!(left, None, "{name} has the mark of a conflict");
        let folder = root().join(name);
        let folder = folder.parent().unwrap();
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let is_elsewhere = link.starts_with("http");
            assert!(is_elsewhere || folder.join(link).exists(), "{name} links to {link}");
        }
        for word in quoted(&text) {
            let top = ["src/", "tests/", "examples/", "docker/", "zones/"];
            if top.iter().any(|top| word.starts_with(top)) && !word.contains(' ') {
                assert!(root().join(&word).exists(), "{name} names {word}");
            }
            let is_key = tables.iter().any(|table| word.starts_with(&format!("{table}.")));
            if is_key && !word.contains([' ', '/']) {
                let is_table = example.contains(&format!("\n[{word}]\n"));
                assert!(is_table || keys.contains(&word), "{name} names {word}, which is no key");
            }
        }
    }
}

#[test]
fn the_code_map_names_files_that_are_there() {
    let text = document("ARCHITECTURE.md");
    let exists = |path: &str| {
        let path = root().join("src").join(path);
        path.exists() || path.with_extension("rs").exists()
    };
    // The picture of a registration's way: one file per arrow.
    let way = text.lines().filter(|line| line.starts_with("    "));
    let files = way.flat_map(str::split_whitespace).filter(|word| word.ends_with(".rs"));
    let files: Vec<_> = files.collect();
    assert!(files.len() >= 7, "{files:?}");
    files.iter().for_each(|file| assert!(exists(file), "{file}"));
    // Elsewhere a path begins at src.
    let (before, rest) = text.split_once("## Code map").unwrap();
    let (map, behind) = rest.split_once("\n## ").unwrap();
    let around = format!("{before}\n{behind}");
    for word in quoted(&around).iter().filter(|word| word.ends_with(".rs") || word.ends_with('/')) {
        let is_there = exists(word) || root().join(word).exists();
        assert!(is_there || exists(&format!("dns/{word}")), "{word}");
    }
    // The map itself: `folder/` and then the names of what is in it.
    let mut named = 0;
    for entry in map.split("\n- ").skip(1) {
        let words = quoted(entry);
        let folder = words[0].trim_end_matches('/');
        assert!(exists(folder), "{folder}");
        let is_module = |word: &&String| word.chars().all(|c| matches!(c, 'a'..='z' | '_' | '/'));
        for word in words[1..].iter().filter(is_module) {
            assert!(
                exists(&format!("{folder}/{}", word.trim_end_matches('/'))),
                "{folder}: {word}"
            );
            named += 1;
        }
        named += 1;
    }
    let folders = std::fs::read_dir(root().join("src")).unwrap();
    for folder in folders.map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
        let name = folder.file_name().into_string().unwrap();
        assert!(map.contains(&format!("`{name}/`")), "{name} is not in the map");
    }
    assert!(named > 20, "{named}");
}

#[test]
fn the_steps_of_the_tests_are_those_that_are_named() {
    let help = run(std::process::Command::new(root().join("tests/run")).arg("--help")).ok();
    let contributing = document("CONTRIBUTING.md");
    let lines = contributing.lines().filter_map(|line| line.split_once("tests/run "));
    let steps = lines.flat_map(|(_, rest)| {
        let words = rest.split_whitespace();
        words
            .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
            .collect::<Vec<_>>()
    });
    let steps: BTreeSet<_> = steps.filter(|word| !word.starts_with("--")).collect();
    for step in ["fmt", "clippy", "test", "docker"] {
        assert!(help.contains(&format!("\n  {step} ")), "{step}");
        assert!(steps.contains(step), "{step} is not in {steps:?}");
    }
}
