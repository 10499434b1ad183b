//! The page on operating many servers, `examples/cluster`: each block of it is run against what
//! its script starts, in a network of its own.

use std::{collections::BTreeSet, path::Path};

use crate::support::{
    authority::Authority,
    command::{rollcall, run},
    eventually,
    namespace::Namespace,
    node::read,
};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/cluster")
}

fn page() -> String {
    read(&folder().join("README.md"))
}

/// The blocks that are to be typed, one after the other.
fn blocks(page: &str) -> Vec<&str> {
    page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The three members and the three servers, as the script starts them; with the members' processes.
fn cluster() -> (Namespace, Vec<String>) {
    let scratch = tempfile::tempdir().unwrap();
    let run = folder().join("run").display().to_string();
    let binary = format!("ROLLCALL_BIN={}", env!("CARGO_BIN_EXE_rollcall"));
    let temporary = format!("TMPDIR={}", scratch.path().display());
    let (cluster, said) = Namespace::start(&[], scratch, &["env", &binary, &temporary, &run]);
    for line in ["rollcall-3  dns 127.0.0.1:8603", "etcd-3      http://127.0.0.1:32379"] {
        assert!(said.contains(line), "{said}");
    }
    let of_etcd = said.lines().filter(|line| line.starts_with("etcd-"));
    let members = of_etcd.filter_map(|line| line.rsplit(' ').next()).map(str::to_owned).collect();
    (cluster, members)
}

/// What begins like this among what the page names.
fn named<'a>(page: &'a str, beginning: &str) -> BTreeSet<&'a str> {
    let words = page.split('`').skip(1).step_by(2);
    let names = words.filter(|word| word.starts_with(beginning)).collect::<BTreeSet<_>>();
    assert!(names.len() >= 4, "{names:?}");
    names
}

/// What is to be watched is shown, by one of the servers at least: there are outcomes, and reasons,
/// only of what has happened.
fn every_metric_is_there(page: &str, cluster: &Namespace) {
    for (beginning, ports) in [("rollcall_", "8501 8502 8503"), ("etcd_", "2379")] {
        let each = format!("for p in {ports}; do curl -sSf http://127.0.0.1:$p/metrics; done");
        let shown = cluster.shell(&each).ok();
        for name in named(page, beginning) {
            let is_it = |line: &str| line.split(['{', ' ']).next() == Some(name);
            assert!(shown.lines().any(is_it), "{name} is not in /metrics");
        }
    }
}

#[test]
fn the_page_on_operating_is_what_happens() {
    let page = page();
    let (mut cluster, members) = cluster();
    let blocks = blocks(&page);
    assert!(blocks.len() >= 9, "{blocks:#?}");
    // As one typed them into one terminal, where a failure is the end.
    let done = cluster.shell(&blocks.concat());
    assert_eq!(done.code, Some(0), "{done:#?}");
    for said in [
        "10.0.1.6\n",
        "/rollcall/v1/instances/web/web-1/registration\n",
        "/rollcall/v1/servers/rollcall-3\n",
        "Role rollcall is granted to user rollcall",
        "Finished defragmenting etcd member[http://127.0.0.1:32379]",
        "Snapshot saved at etcd.db",
        "imported 1 instance and 0 policies into http://127.0.0.1:2379",
        "imported 1 instance and 0 policies into `rollcall-data`",
        "{\"ready\":true,\"reasons\":[],\"notes\":[]",
    ] {
        assert!(done.stdout.contains(said), "`{said}`: {done:#?}");
    }
    let address = |line: &str| format!("{}; {line}", blocks[0].trim());
    let enable = page.lines().find(|line| line.ends_with(" auth enable")).unwrap();
    cluster.shell(&address(enable)).ok();
    let put = "curl -sS -X PUT http://127.0.0.1:8502/api/v1/services/web/instances/web-2 -d \
               '{\"port\": 80}'";
    eventually("a server without a password is refused", || {
        cluster.shell(put).ok().contains("store-unreachable").then_some(())
    });
    let answer = cluster.shell("dig +short @127.0.0.1 -p 8602 web.service.internal").ok();
    assert_eq!(answer, "10.0.1.6\n", "it answers on");
    let user = page.lines().find(|line| line.contains("export ETCDCTL_USER=")).unwrap();
    let with_user = |line: &str| address(&format!("{}; {line}", user.trim()));
    let defragment = blocks.iter().flat_map(|it| it.lines()).find(|line| line.contains(" defrag "));
    let done = cluster.shell(&with_user(defragment.unwrap())).ok();
    assert!(done.contains("Finished defragmenting etcd member"), "{done}");
    cluster.shell(&with_user("etcdctl --endpoints=$etcd auth disable")).ok();
    eventually("changes are taken again", || {
        cluster.shell(put).ok().contains("\"instance\":\"web-2\"").then_some(())
    });

    for pid in &members {
        cluster.shell(&format!("kill -KILL {pid}")).ok();
    }
    eventually("all of etcd is started again", || {
        // What is there already would be answered from memory.
        cluster.shell(&put.replace("web-2", "web-3")).ok().contains("\"revision\"").then_some(())
    });
    every_metric_is_there(&page, &cluster);

    assert_eq!(cluster.stop(), Some(143), "SIGTERM");
    let left: Vec<_> = std::fs::read_dir(cluster.folder()).unwrap().map(Result::unwrap).collect();
    let left = left.iter().map(|entry| entry.file_name().into_string().unwrap());
    let left: Vec<_> = left.filter(|name| name.starts_with("rollcall-cluster")).collect();
    assert!(left.is_empty(), "{left:?} is left");
}

#[test]
fn a_cluster_without_a_program_says_at_once_what_to_do() {
    let mut start = std::process::Command::new(folder().join("run"));
    let done = run(start.env("ROLLCALL_BIN", "nowhere/rollcall"));
    done.fails(1, "there is no program at /");
    assert_eq!(done.stdout, "", "nothing was begun");
}

#[test]
fn the_configuration_of_a_server_among_many_is_right() {
    let scratch = tempfile::tempdir().unwrap();
    let text = read(&folder().join("rollcall.toml"));
    let place = scratch.path().display().to_string();
    let authority = Authority::new();
    let certificate = authority.issue("rollcall", 2040);
    for (name, content) in [
        ("etcd.password", "change-me\n"),
        ("etcd-ca.pem", &authority.pem),
        ("etcd-client.pem", &certificate.pem),
        ("etcd-client.key", &certificate.key),
    ] {
        assert!(text.contains(&format!("\"/etc/rollcall/{name}\"")), "{name}");
        std::fs::write(scratch.path().join(name), content).unwrap();
    }
    let file = scratch.path().join("rollcall.toml");
    std::fs::write(&file, text.replace("/etc/rollcall", &place)).unwrap();
    let said = run(&mut rollcall(["check-config", file.to_str().unwrap()])).ok();
    assert!(said.ends_with(": OK\n"), "{said}");
}

#[test]
fn the_page_on_operating_links_to_what_is_there() {
    let page = page();
    let links = page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    for link in links.filter(|link| !link.starts_with("http")) {
        assert!(folder().join(link).exists(), "{link}");
    }
    assert!(page.contains("](run)") && page.contains("](rollcall.toml)"));
}
