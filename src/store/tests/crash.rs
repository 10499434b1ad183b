//! `kill -9` at any moment: what was acknowledged is there afterwards.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    model::Revision,
    registry::{Change, Member},
    store::testing::{Model, SmallLogs, commit, load, open_on, plain},
};

const CHILD: &str = "ROLLCALL_TEST_CRASH_DIR";
const TEST: &str = "store::tests::crash::what_was_acknowledged_survives_kill_9";

/// What revision `revision` changes: the same in the process that dies and in the one that checks.
fn changes(revision: u64) -> Vec<Change> {
    let mut random = fastrand::Rng::with_seed(revision);
    let count = random.usize(1..20);
    let one = |_| {
        let mut member: Member = plain(random.u16(..300));
        member.modified = Revision(revision);
        match random.u8(..4) {
            0 => Change::DeleteMember(member.key()),
            _ => Change::PutMember(member.into()),
        }
    };
    (0..count).map(one).collect()
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    if let Some(dir) = std::env::var_os(CHILD) {
        commit_until_killed(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::new();
    let mut model = Model::default();
    let mut acknowledged_in_all = 0;
    for round in 0..20 {
        let acknowledged = run_and_kill(dir.path(), random.u64(1..40), random.u64(..2_000));
        assert!(acknowledged >= model.revision.0, "round {round}: started from an older state");
        acknowledged_in_all += acknowledged - model.revision.0;
        let found = load(dir.path());
        // The commit that was under way may be there too: all of it, or nothing.
        assert!(
            (acknowledged..=acknowledged + 1).contains(&found.revision.0),
            "round {round}: {acknowledged} was acknowledged, {} is there",
            found.revision
        );
        while model.revision < found.revision {
            let revision = model.revision.next();
            model.apply(revision, &changes(revision.0));
        }
        assert_eq!(found, model, "round {round}");
    }
    assert!(acknowledged_in_all > 100, "the process was killed before it did anything");
}

/// Starts the other process, kills it some microseconds after it has acknowledged `commits`, and
/// returns the last revision that it acknowledged.
fn run_and_kill(dir: &Path, commits: u64, then_micros: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = None;
    let mut seen = 0;
    let acknowledged = |line: std::io::Result<String>| -> Option<u64> {
        line.unwrap().split_once("acknowledged ")?.1.strip_suffix('.')?.parse().ok()
    };
    while seen <= commits {
        let Some(line) = lines.next() else {
            let mut errors = String::new();
            child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
            panic!("the process ended by itself: {errors}");
        };
        last = acknowledged(line).or(last);
        seen += u64::from(last.is_some());
    }
    // Not a wait for something to happen: any moment is right, so one is drawn.
    let until = tokio::time::Instant::now() + std::time::Duration::from_micros(then_micros);
    while tokio::time::Instant::now() < until {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it acknowledged before it died is still in the pipe; a line may be cut.
    for line in lines {
        last = acknowledged(line).or(last);
    }
    last.unwrap()
}

fn commit_until_killed(dir: &Path) -> ! {
    // Folded every other commit, so that it is killed at that, too.
    let (mut store, loaded) = open_on(dir, SmallLogs);
    let mut out = std::io::stdout().lock();
    let mut say = |revision: u64| {
        writeln!(out, "\nacknowledged {revision}.").unwrap();
        out.flush().unwrap();
    };
    say(loaded.revision.0);
    for revision in loaded.revision.0 + 1.. {
        commit(&mut store, revision, changes(revision)).unwrap();
        say(revision);
    }
    unreachable!("there are more revisions than time")
}
