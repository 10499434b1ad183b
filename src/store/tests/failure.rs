//! Commits that fail: nothing of them is kept, and the next one works.

use std::{
    fs, io,
    path::Path,
    process::Command,
    sync::{Arc, atomic::Ordering, mpsc},
    time::Duration,
};

use proptest::{prelude::*, sample::select};

use super::faults::{BROKEN, Faults, LATE, LATE_ONCE, NO_ROOM, PANIC, TABLES};
use crate::{
    model::Revision,
    registry::JournalError,
    store::{
        Store, StoreError,
        engine::Engine,
        files::{DATABASE, Files, LOGS, WITNESS},
        lock::Lock,
        metrics::StoreMetrics,
        testing::{Model, SmallLogs, commit, load, open_on, put, scratch},
    },
    telemetry::{Board, Metrics},
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Wherever in the commit the disk fails, and however long it goes on failing.
    #[test]
    fn a_refused_change_never_comes_up_again(
        operations in 0_u16..12,
        how in NO_ROOM..=LATE_ONCE,
        attempts in 1_u64..9,
        reopen in any::<bool>(),
        fold_octets in select(vec![8_192, 16_384, 16 << 20]),
    ) {
        let dir = scratch();
        let faults = Faults::none_folding_at(fold_octets);
        let mut store = faults.open(dir.path());
        let mut model = Model::default();
        let first = vec![put(1), put(2), put(3)];
        commit(&mut store, 1, first.clone()).unwrap();
        model.apply(Revision(1), &first);

        faults.fail_after(operations, how);
        let mut refused = None;
        for attempt in 0..attempts {
            let changes = vec![put(100 + u16::try_from(attempt).unwrap()), put(2)];
            let revision = model.revision.next();
            match commit(&mut store, revision.0, changes.clone()) {
                Ok(()) => model.apply(revision, &changes),
                Err(error) => refused = Some(error),
            }
        }
        if let Some(error) = &refused {
            let full = matches!(error, JournalError::Full(_));
            prop_assert_eq!(full, how == NO_ROOM, "{}", error);
            prop_assert!(error.to_string().contains("/rollcall."), "{}", error);
        }
        // Of a log that is folded meanwhile, the one sync that fails may be the tables'.
        let is_the_logs = how != LATE_ONCE || fold_octets == 16 << 20;
        prop_assert!(refused.is_some() || operations > 0 || !is_the_logs, "the first write fails");

        faults.heal();
        if reopen {
            // The engine takes back at the next commit what it could not at once; a process that
            // ends before has not promised that. What was acknowledged is there in any case.
            let revision = model.revision.next();
            commit(&mut store, revision.0, vec![]).unwrap();
            model.apply(revision, &[]);
        }
        let revision = model.revision.next();
        let last = vec![put(200)];
        commit(&mut store, revision.0, last.clone()).unwrap();
        model.apply(revision, &last);
        drop(store);
        prop_assert_eq!(load(dir.path()), model);
    }
}

/// A sync that fails although the disk has everything leaves behind what was refused. It is taken
/// back before the refusal is given, or else a process that ends now would come up with it.
#[test]
fn a_commit_whose_last_sync_failed_is_taken_back_at_once() {
    let mut left_behind = 0;
    for (operations, how) in (0..6).flat_map(|n| [(n, LATE), (n, LATE_ONCE)]) {
        let dir = scratch();
        let faults = Faults::none();
        let mut store = faults.open(dir.path());
        let mut model = Model::default();
        commit(&mut store, 1, vec![put(1)]).unwrap();
        model.apply(Revision(1), &[put(1)]);
        faults.fail_after(operations, how);
        if commit(&mut store, 2, vec![put(2), put(1)]).is_ok() {
            continue;
        }
        let found = as_after_a_crash(dir.path());
        if how == LATE_ONCE {
            assert_eq!(found, model, "after {operations}");
        } else {
            left_behind += usize::from(found != model);
        }
        faults.heal();
        commit(&mut store, 2, vec![]).unwrap();
        model.apply(Revision(2), &[]);
        drop(store);
        assert_eq!(load(dir.path()), model, "after {operations}");
    }
    assert!(left_behind > 0, "no failure came late enough to leave something behind");
}

/// Once the disk works again, and without a commit that would take the refused one back first.
#[test]
fn a_refused_commit_is_not_folded_when_the_store_is_closed() {
    let dir = scratch();
    let faults = Faults::none();
    let mut store = faults.open(dir.path());
    let mut model = Model::default();
    commit(&mut store, 1, vec![put(1)]).unwrap();
    model.apply(Revision(1), &[put(1)]);
    faults.fail_after(0, LATE);
    commit(&mut store, 2, vec![put(2), put(1)]).unwrap_err();
    assert_ne!(as_after_a_crash(dir.path()), model, "it could not be taken back at once");
    faults.heal();
    drop(store);
    assert_eq!(load(dir.path()), model);
}

/// A log that is at its limit needs the other one folded. That this failed aside, some time ago, is
/// no reason to refuse a commit when the disk works again.
#[test]
fn a_fold_that_failed_aside_is_tried_again_before_a_commit_is_refused() {
    let dir = scratch();
    let faults = Faults::none_folding_at(8_192);
    let mut store = faults.open(dir.path());
    let mut model = Model::default();
    let mut commit = |changes: Vec<_>| {
        let revision = model.revision.next();
        commit(&mut store, revision.0, changes.clone()).unwrap();
        model.apply(revision, &changes);
    };
    commit(vec![put(1)]);
    faults.fail_after(0, TABLES);
    // The log changes, the other one is folded in vain, and this one is at its limit at once.
    commit((2..400).map(put).collect());
    while faults.0.failed.load(Ordering::Relaxed) == 0 {
        std::thread::yield_now();
    }
    faults.heal();
    commit(vec![put(400)]);
    drop(store);
    assert_eq!(load(dir.path()), model);
}

/// A log that is damaged or gone when it is to be folded, as one would be at a restart.
#[test]
fn a_log_that_is_not_whole_is_neither_folded_nor_emptied() {
    type Harm = fn(&Path);
    let turn: Harm = |log| {
        let mut octets = fs::read(log).unwrap();
        octets[4_096 + 100] ^= 1;
        fs::write(log, octets).unwrap();
    };
    let remove: Harm = |log| fs::remove_file(log).unwrap();
    for (harm, what) in [(turn, "an octet turned"), (remove, "removed")] {
        let dir = scratch();
        let log = dir.path().join(LOGS[0]);
        let (mut store, _) = open_on(dir.path(), SmallLogs);
        let (metrics, board) = (Metrics::new(), Board::default());
        store.register(&metrics);
        store.report_to(board.clone());
        let mut model = Model::default();
        let mut refusal = None;
        let mut whole = Vec::new();
        for number in 1..20 {
            let revision = model.revision.next();
            match commit(&mut store, revision.0, vec![put(number)]) {
                Ok(()) => model.apply(revision, &[put(number)]),
                Err(error) => refusal = Some(error.to_string()),
            }
            if number == 1 {
                whole = fs::read(&log).unwrap();
                harm(&log);
            }
        }
        let refusal = refusal.expect(what);
        assert!(refusal.contains(&*log.to_string_lossy()), "{what}: {refusal}");
        assert!(refusal.contains("damaged"), "{what}: {refusal}");
        let conditions = board.conditions();
        assert_eq!((conditions.len(), board.is_ready()), (1, true), "{what}: {conditions:?}");
        let note = &conditions[0].1.message;
        assert!(note.contains(&*log.to_string_lossy()), "{what}: {note}");
        let text = metrics.encode().unwrap();
        let failures =
            text.lines().find_map(|l| l.strip_prefix("rollcall_store_fold_failures_total "));
        assert!(failures.unwrap().parse::<u64>().unwrap() > 0, "{what}: {text}");
        drop(store);
        let left = fs::read(&log).unwrap_or_default();
        assert!(left.is_empty() || left.len() == whole.len(), "{what}: it was emptied");
        assert!(matches!(Store::open(dir.path()), Err(StoreError::Damaged { .. })), "{what}");
        // Nothing of what was acknowledged is lost: with the log as it was, all is there.
        fs::write(&log, whole).unwrap();
        assert_eq!(load(dir.path()), model, "{what}");
    }
}

/// There is room in the other log meanwhile.
#[test]
fn no_commit_waits_for_a_fold_that_is_tried_again() {
    let dir = scratch();
    let faults = Faults::none_folding_at(8_192);
    let lock = Lock::take(dir.path()).unwrap();
    let disk = Arc::new(faults.clone());
    let files = Files::in_dir(dir.path());
    let (mut engine, _) = Engine::open(files, lock, disk, StoreMetrics::new()).unwrap();
    engine.commit(Revision(1), &[put(1)]).unwrap();
    faults.fail_after(0, TABLES);
    engine.commit(Revision(2), &[put(2)]).unwrap();
    while engine.is_folding() {
        std::thread::yield_now();
    }
    faults.heal();
    engine.commit(Revision(3), &[put(3)]).unwrap();
    assert!(engine.trouble().unwrap().contains("the disk is broken"));
    let held = faults.0.tables.lock();
    let (done, is_done) = mpsc::channel();
    let committing = std::thread::spawn(move || {
        for revision in [4, 5, 6] {
            engine.commit(Revision(revision), &[put(4)]).unwrap();
        }
        done.send(()).unwrap();
        engine
    });
    is_done.recv_timeout(Duration::from_secs(20)).expect("a commit waits for the tables");
    drop(held);
    let mut engine = committing.join().unwrap();
    while engine.is_folding() {
        std::thread::yield_now();
    }
    engine.commit(Revision(7), &[]).unwrap();
    assert_eq!(engine.trouble(), None);
    drop(engine);
    let mut model = Model::default();
    model.apply(Revision(7), &[put(1), put(2), put(3), put(4)]);
    assert_eq!(load(dir.path()), model);
}

/// Its message is for redb's developers, and not for who runs this.
#[test]
fn a_panic_of_the_tables_is_a_refusal_and_prints_nothing() {
    const CHILD: &str = "ROLLCALL_TEST_PANIC_DIR";
    if let Some(dir) = std::env::var_os(CHILD) {
        panic_and_recover(Path::new(&dir));
        return;
    }
    let dir = scratch();
    let test = "store::tests::failure::a_panic_of_the_tables_is_a_refusal_and_prints_nothing";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, dir.path())
        .output()
        .unwrap();
    let (text, errors) = (String::from_utf8(output.stdout), String::from_utf8(output.stderr));
    let (text, errors) = (text.unwrap(), errors.unwrap());
    assert!(text.contains("1 passed"), "{text}{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
}

fn panic_and_recover(dir: &Path) {
    let faults = Faults::none_folding_at(8_192);
    let mut store = faults.open(dir);
    let mut model = Model::default();
    faults.fail_after(0, PANIC);
    let refusal = loop {
        let revision = model.revision.next();
        match commit(&mut store, revision.0, vec![put(1)]) {
            Ok(()) => model.apply(revision, &[put(1)]),
            Err(error) => break error.to_string(),
        }
    };
    let file = dir.join(DATABASE);
    assert!(refusal.contains("pages contradict") && refusal.contains(&*file.to_string_lossy()));
    faults.heal();
    commit(&mut store, model.revision.next().0, vec![put(2)]).unwrap();
    model.apply(model.revision.next(), &[put(2)]);
    drop(store);
    assert_eq!(load(dir), model);
}

/// What a restart would find if the process died now.
fn as_after_a_crash(dir: &Path) -> Model {
    let copy = scratch();
    for name in [DATABASE, WITNESS].into_iter().chain(LOGS) {
        fs::copy(dir.join(name), copy.path().join(name)).unwrap();
    }
    load(copy.path())
}

#[test]
fn failures_are_counted() {
    let dir = scratch();
    let faults = Faults::none();
    let mut store = faults.open(dir.path());
    let metrics = Metrics::new();
    store.register(&metrics);
    faults.fail_after(0, BROKEN);
    commit(&mut store, 1, vec![put(1)]).unwrap_err();
    let text = metrics.encode().unwrap();
    assert!(text.contains("rollcall_store_commit_failures_total 1"), "{text}");
    assert!(text.contains("rollcall_store_commits_total 0"), "{text}");
}

/// The same on a file system that is really full: a small tmpfs in a mount namespace of its own.
#[test]
fn a_full_file_system_refuses_and_recovers() {
    const CHILD: &str = "ROLLCALL_TEST_FULL_DIR";
    if let Some(dir) = std::env::var_os(CHILD) {
        fill_and_recover(Path::new(&dir));
        return;
    }
    let dir = scratch();
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-ec", script, "sh"]).arg(dir.path());
        command
    };
    let mount = "mount -t tmpfs -o size=3m tmpfs \"$1\"";
    let test = "store::tests::failure::a_full_file_system_refuses_and_recovers";
    let output = unshare(&format!("{mount}; shift; exec \"$@\""))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "needs the right to make a mount namespace (unshare --map-root-user): {text}{errors}"
    );
}

fn fill_and_recover(dir: &Path) {
    let data = dir.join("data");
    let (mut store, _) = Store::open(&data).unwrap();
    let mut model = Model::default();
    let ballast = dir.join("ballast");
    fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let next = |model: &Model, store: &mut Store| {
        let revision = model.revision.next();
        let first = u16::try_from(revision.0 % 200).unwrap() * 300;
        let changes: Vec<_> = (first..first + 300).map(put).collect();
        (commit(store, revision.0, changes.clone()), revision, changes)
    };
    for round in 0..3 {
        let refusal = loop {
            match next(&model, &mut store) {
                (Ok(()), revision, changes) => model.apply(revision, &changes),
                (Err(error), ..) => break error,
            }
        };
        assert!(matches!(refusal, JournalError::Full(_)), "round {round}: {refusal}");
        for _ in 0..3 {
            let again = next(&model, &mut store).0.unwrap_err();
            assert!(matches!(again, JournalError::Full(_)), "round {round}: {again}");
        }
        fs::remove_file(&ballast).unwrap();
        let (outcome, revision, changes) = next(&model, &mut store);
        outcome.unwrap();
        model.apply(revision, &changes);
        // As full as it gets, to the last octet.
        let mut file = fs::File::create(&ballast).unwrap();
        while io::Write::write(&mut file, &[0; 4_096]).is_ok_and(|written| written > 0) {}
    }
    drop(store);
    fs::remove_file(&ballast).unwrap();
    assert_eq!(load(&data), model);
}
