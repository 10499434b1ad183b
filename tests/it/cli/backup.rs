//! `rollcall export` and `rollcall import` of the embedded store, around a server that stops and
//! starts. With etcd: `super::etcd`.

use std::{
    fs::Permissions,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::Path,
};

use serde_json::json;

use crate::support::{
    Node,
    command::{Done, rollcall, run, run_with},
    node::read,
};

/// Runs `rollcall`, in a folder.
fn at(folder: &Path, line: &str) -> Done {
    run(rollcall([]).current_dir(folder).args(line.split_whitespace()))
}

/// A server with two instances, one of them drained, and a policy.
fn node() -> Node {
    let node = Node::builder().embedded().config("[server]\nlame_duck = \"0s\"").start();
    node.cli("register web web-1 --port 80 --address 10.0.0.1 --tag v1 --meta k=v --ttl 1h").ok();
    node.cli("register web web-2 --port 80 --address 10.0.0.2").ok();
    node.cli("drain web web-2").ok();
    node.cli("policy web --ttl 7s").ok();
    node
}

fn stop(mut node: Node) -> (Node, std::path::PathBuf) {
    node.signal("TERM");
    assert_eq!(node.wait().code(), Some(0));
    let folder = node.path(".");
    (node, folder)
}

#[test]
fn what_was_exported_is_served_after_the_import() {
    let node = node();
    let before = node.api().get("/api/v1/services/web/instances").body;
    let (stopped, folder) = stop(node);
    assert_eq!(
        at(&folder, "export backup.jsonl --data data").exported("2 instances and 1 policy"),
        ""
    );
    let done = at(&folder, "import backup.jsonl --data restored");
    assert_eq!(done.ok(), "imported 2 instances and 1 policy into `restored`\n");
    std::fs::rename(folder.join("data"), folder.join("old")).unwrap();
    std::fs::rename(folder.join("restored"), folder.join("data")).unwrap();
    let node = stopped.kill_and_restart();
    let after = node.api().get("/api/v1/services/web/instances").body;
    let without_age = |mut list: serde_json::Value| {
        for instance in list["instances"].as_array_mut().unwrap() {
            // A heartbeat is expected again, one ttl from now.
            instance.as_object_mut().unwrap().remove("checks");
        }
        list["instances"].take()
    };
    let revision = after["revision"].as_u64().unwrap();
    assert_eq!(without_age(after), without_age(before));
    assert_eq!(node.resolver().service("web").len(), 1, "what was drained still is");
    assert!(node.cli("policy web").ok().starts_with("web: ttl 7s"));
    let next = node.api().register("web", "web-3", &json!({"addresses": ["10.0.0.3"]})).body;
    assert_eq!(next["revision"], revision + 1, "revisions go on");
}

#[test]
fn a_running_servers_folder_is_refused_with_the_way_out() {
    let node = node();
    let folder = node.path(".");
    std::fs::write(folder.join("some.jsonl"), "").unwrap();
    let pid = format!("the data directory `data` is in use by process {}; stop it", node.pid());
    at(&folder, "export --data data").fails(1, &pid);
    at(&folder, "import --data data some.jsonl").fails(1, "the file is empty");
    let (stopped, folder) = stop(node);
    at(&folder, "export good.jsonl --data data").exported("2 instances and 1 policy");
    let node = stopped.kill_and_restart();
    at(&folder, "import --replace good.jsonl --data data")
        .fails(1, &format!("in use by process {}", node.pid()));
    assert_eq!(node.cli("list").ok().lines().count(), 2, "the server goes on");
}

#[test]
fn a_store_that_is_there_is_replaced_only_when_asked_for() {
    let (_node, folder) = stop(node());
    at(&folder, "export backup.jsonl --data data").exported("2 instances and 1 policy");
    let refused = at(&folder, "import backup.jsonl --data data");
    refused.fails(1, "the store `data/rollcall.redb` is not empty; import with --replace");
    at(&folder, "import backup.jsonl --data data --replace").ok();
    assert!(folder.join("data/rollcall.redb.old").exists(), "the old one is put aside");
    // Standard input and output do as well, and a second export is the first but for its time.
    let text = at(&folder, "export --data data").exported("2 instances and 1 policy");
    let body = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(body(&text), body(&read(&folder.join("backup.jsonl"))));
    let mut import = rollcall(["import", "--data", "third"]);
    run_with(import.current_dir(&folder), &text).ok();
    assert_eq!(
        body(&at(&folder, "export --data third").exported("2 instances and 1 policy")),
        body(&text)
    );
}

#[test]
fn each_store_that_an_import_replaces_is_kept_and_named() {
    let (_node, folder) = stop(node());
    at(&folder, "export backup.jsonl --data data").exported("2 instances and 1 policy");
    let data = folder.join("data");
    for (nth, kept) in
        ["rollcall.redb.old", "rollcall.redb.old.1", "rollcall.redb.old.2"].into_iter().enumerate()
    {
        let before = format!("the store number {nth}");
        std::fs::write(data.join("rollcall.redb"), &before).unwrap();
        let said = at(&folder, "import backup.jsonl --data data --replace").ok();
        assert_eq!(
            said,
            format!(
                "imported 2 instances and 1 policy into `data`; the store that was there is kept \
                 as `data/{kept}`\n"
            )
        );
        assert_eq!(read(&data.join(kept)), before);
    }
    assert_eq!(read(&data.join("rollcall.redb.old")), "the store number 0", "the first is there");
}

#[test]
fn a_damaged_backup_is_refused_by_line_and_nothing_is_changed() {
    let (_node, folder) = stop(node());
    at(&folder, "export backup.jsonl --data data").exported("2 instances and 1 policy");
    let whole = read(&folder.join("backup.jsonl"));
    let lines: Vec<_> = whole.lines().collect();
    assert!(lines.len() >= 5, "{whole}");
    let line = |n: usize| format!("`bad.jsonl`, line {n}");
    let cases = [
        (lines[..3].join("\n"), line(3), "it was cut short"),
        (whole[..whole.find("web-2").unwrap()].to_owned(), line(3), "it ends too early"),
        (whole.replacen("\"port\":80", "\"port\":\"x\"", 1), line(2), "`port`"),
        (whole.replacen("10.0.0.1", "10.0.0.300", 1), line(2), "10.0.0.300"),
        ([&[lines[0], lines[1]], &lines[1..]].concat().join("\n"), line(3), "web-1"),
        (lines[1..].join("\n"), line(1), "begins with a line with `rollcall_export`"),
        (String::new(), line(1), "the file is empty"),
        ("not json\n".into(), line(1), "`rollcall_export`"),
    ];
    for (text, place, said) in &cases {
        std::fs::write(folder.join("bad.jsonl"), text).unwrap();
        let done = at(&folder, "import bad.jsonl --data fresh");
        done.fails(1, place);
        assert!(
            done.stderr.contains(said) && done.stderr.contains("nothing was changed"),
            "{said}: {done:#?}"
        );
        assert!(!folder.join("fresh").exists(), "{said}");
        at(&folder, "import bad.jsonl --data data --replace").fails(1, place);
    }
    assert_eq!(
        at(&folder, "export --data data").exported("2 instances and 1 policy").lines().count(),
        lines.len()
    );
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let scratch = tempfile::tempdir().unwrap();
    let done = at(scratch.path(), "export");
    done.fails(1, "there is no store in `./rollcall-data`; name the data directory with --data");
    at(scratch.path(), "import nowhere.jsonl").fails(1, "`nowhere.jsonl` cannot be read");
    at(scratch.path(), "export --config nowhere.toml").fails(78, "`nowhere.toml` cannot be read");
    let (_node, folder) = stop(node());
    at(&folder, "export /nowhere/x --data data").fails(1, "`/nowhere/x` cannot be written");
    std::fs::write(folder.join("config.toml"), "version = 1\nserver.data = \"data\"\n").unwrap();
    assert!(
        at(&folder, "export --config config.toml")
            .exported("2 instances and 1 policy")
            .contains("web-1")
    );
}

/// A device became a regular file, a pipe did, and nobody was told that nothing had been read.
#[test]
fn an_export_is_written_to_a_pipe_which_stays_one() {
    let scratch = tempfile::tempdir().unwrap();
    let (folder, pipe) = (scratch.path(), scratch.path().join("pipe"));
    import_many(folder);
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || read(&pipe)
    });
    at(folder, "export pipe --data data").exported("1000 instances and 0 policies");
    assert!(pipe.metadata().unwrap().file_type().is_fifo());
    assert_eq!(reader.join().unwrap().lines().count(), 1002);
    // More than a pipe holds, so that who does not read it is noticed.
    let leaver = std::thread::spawn({
        let pipe = pipe.clone();
        move || drop(std::fs::File::open(pipe).unwrap())
    });
    at(folder, "export pipe --data data").fails(1, "`pipe` cannot be written: Broken pipe");
    leaver.join().unwrap();
    assert_eq!(names(folder), ["data", "many.jsonl", "pipe"]);
}

/// The link was replaced, and what it led to stayed as old as it was.
#[test]
fn an_export_replaces_what_a_symbolic_link_leads_to() {
    let scratch = tempfile::tempdir().unwrap();
    let (folder, far) = (scratch.path(), scratch.path().join("far"));
    import_many(folder);
    std::fs::create_dir(&far).unwrap();
    std::fs::write(far.join("there"), "an old export").unwrap();
    for (link, to) in [("first", "second"), ("second", "far/there"), ("dangling", "far/new")] {
        std::os::unix::fs::symlink(to, folder.join(link)).unwrap();
    }
    for (link, to) in [("first", "there"), ("dangling", "new")] {
        let done = at(folder, &format!("export {link} --data data"));
        done.exported("1000 instances and 0 policies");
        assert!(folder.join(link).is_symlink(), "{link}");
        assert!(!far.join(to).is_symlink(), "{to}");
        assert_eq!(read(&far.join(to)).lines().count(), 1002, "{to}");
    }
    assert_eq!(names(&far), ["new", "there"]);
    assert_eq!(names(folder), ["dangling", "data", "far", "first", "many.jsonl", "second"]);
}

/// What had been written to it before was gone.
#[test]
fn an_export_to_standard_output_goes_on_in_its_file_whatever_it_is_called() {
    let scratch = tempfile::tempdir().unwrap();
    import_many(scratch.path());
    let program = rollcall([]).get_program().to_owned();
    for name in ["-", "/dev/stdout"] {
        let line = format!("(echo before; \"$0\" export {name} --data data; echo after) > all");
        let mut shell = std::process::Command::new("sh");
        let done = run(shell.args(["-c", &line]).arg(&program).current_dir(scratch.path()));
        done.exported("1000 instances and 0 policies");
        let all = read(&scratch.path().join("all"));
        let lines: Vec<&str> = all.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[1_003]), (1_004, "before", "after"), "{name}");
    }
}

/// What only its owner could read could be read by all.
#[test]
fn a_file_that_an_export_replaces_keeps_its_mode_and_stays_if_that_fails() {
    let scratch = tempfile::tempdir().unwrap();
    let (folder, file) = (scratch.path(), scratch.path().join("backup"));
    import_many(folder);
    std::fs::write(&file, "an old export").unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let program = rollcall([]).get_program().to_owned();
    // Room for less than the export, and an error in place of a signal.
    let limited = "trap '' XFSZ; ulimit -f 8; exec \"$0\" export backup --data data";
    let mut shell = std::process::Command::new("sh");
    let done = run(shell.current_dir(folder).args(["-c", limited]).arg(program));
    done.fails(1, "`backup` cannot be written: File too large");
    assert_eq!(read(&file), "an old export");
    assert_eq!(names(folder), ["backup", "data", "many.jsonl"]);
    for mode in [0o600, 0o660] {
        std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        at(folder, "export backup --data data").exported("1000 instances and 0 policies");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o7777, mode, "{mode:o}");
        assert_eq!(read(&file).lines().count(), 1002);
    }
    at(folder, "export data --data data").fails(1, "`data` cannot be written: it is a folder");
}

/// A store of a thousand instances in `data`.
fn import_many(folder: &Path) {
    let head = r#"{"rollcall_export":1,"revision":1,"exported_at":"2026-01-01T00:00:00Z"}"#;
    let mut text = format!("{head}\n");
    for n in 0..1000 {
        text += &format!("{{\"service\":\"web\",\"instance\":\"i-{n}\",\"addresses\":[");
        text += "\"10.0.0.1\"],\"port\":80}\n";
    }
    text += "{\"end\":{\"instances\":1000,\"policies\":0}}\n";
    std::fs::write(folder.join("many.jsonl"), text).unwrap();
    at(folder, "import many.jsonl --data data").ok();
}

/// What is in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = entries.map(|it| name(it).into_string().unwrap()).collect();
    names.sort();
    names
}
