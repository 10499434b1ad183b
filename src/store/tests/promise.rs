//! What a store promises: it gives back what it was given, to one process at a time.

use proptest::prelude::*;

use crate::{
    model::{Revision, Status},
    registry::{Change, Loaded, Member},
    store::{
        Store, StoreError,
        disk::SystemDisk,
        files::{DATABASE, LOGS, WITNESS},
        migrate,
        tables::{FORMAT, META},
        testing::{self, Model, SmallLogs, commit, load, open_on, put, sample, scratch},
    },
    telemetry::Metrics,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is committed, and wherever the store is closed in between, it is there afterwards.
    #[test]
    fn a_store_gives_back_what_it_was_given(
        batches in testing::batches(),
        reopen_every in 1_usize..9,
        has_small_logs in any::<bool>(),
    ) {
        let open = |dir| match has_small_logs {
            true => open_on(dir, SmallLogs),
            false => open_on(dir, SystemDisk),
        };
        let dir = scratch();
        let mut model = Model::default();
        let (mut store, loaded) = open(dir.path());
        prop_assert_eq!(Model::from(loaded), Model::default());
        for (index, batch) in batches.into_iter().enumerate() {
            let revision = index as u64 + 1;
            commit(&mut store, revision, batch.clone()).unwrap();
            model.apply(Revision(revision), &batch);
            if index % reopen_every == 0 {
                drop(store);
                let (reopened, loaded) = open(dir.path());
                prop_assert_eq!(Model::from(loaded), model.clone());
                store = reopened;
            }
        }
        drop(store);
        prop_assert_eq!(load(dir.path()), model);
    }
}

#[test]
fn a_directory_is_made_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let dir = scratch();
    let data = dir.path().join("a/b");
    drop(Store::open(&data).unwrap());
    let mode = std::fs::metadata(&data).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(matches!(Store::read(&dir.path().join("c")), Err(StoreError::Absent { .. })));
    assert!(!dir.path().join("c").exists(), "reading makes nothing");
}

#[test]
fn a_directory_is_used_by_one_at_a_time() {
    let dir = scratch();
    let (store, _) = Store::open(dir.path()).unwrap();
    for refusal in [
        Store::open(dir.path()).map(drop).unwrap_err(),
        Store::read(dir.path()).map(drop).unwrap_err(),
        Store::restore(dir.path(), Loaded::default(), true).unwrap_err(),
    ] {
        let text = refusal.to_string();
        assert!(matches!(refusal, StoreError::InUse { .. }), "{text}");
        assert!(text.contains(&dir.path().display().to_string()), "{text}");
        assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    }
    drop(store);
    drop(Store::open(dir.path()).unwrap());
}

#[test]
fn a_later_format_is_refused_with_both_numbers() {
    let dir = scratch();
    sample(dir.path());
    let file = dir.path().join(DATABASE);
    let database = redb::Database::open(&file).unwrap();
    let transaction = database.begin_write().unwrap();
    let later = (migrate::CURRENT + 4).to_le_bytes();
    transaction.open_table(META).unwrap().insert(FORMAT, later.as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let refusal = Store::open(dir.path()).unwrap_err();
    assert!(matches!(refusal, StoreError::Newer { found: 6, known: 2, .. }), "{refusal}");
    assert!(refusal.to_string().contains(&file.display().to_string()), "{refusal}");
}

#[test]
fn a_format_that_is_not_read_any_more_is_refused_with_both_numbers() {
    let dir = scratch();
    sample(dir.path());
    let database = redb::Database::open(dir.path().join(DATABASE)).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert(FORMAT, &1_u32.to_le_bytes()[..]).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let refusal = Store::open(dir.path()).unwrap_err();
    assert!(matches!(refusal, StoreError::Older { found: 1, oldest: 2, .. }), "{refusal}");
}

#[test]
fn a_restore_replaces_only_when_asked_and_revisions_grow() {
    let dir = scratch();
    let before = sample(dir.path());
    let content = || Loaded {
        revision: Revision(2),
        members: vec![testing::plain(500)],
        policies: vec![(testing::plain(500).instance.service.clone(), Default::default())],
    };
    let refusal = Store::restore(dir.path(), content(), false).unwrap_err();
    assert!(matches!(refusal, StoreError::NotEmpty { .. }), "{refusal}");
    assert!(refusal.to_string().contains("--replace"), "{refusal}");
    assert_eq!(load(dir.path()), before);
    Store::restore(dir.path(), content(), true).unwrap();
    let after = load(dir.path());
    let expected = Model::from(Loaded { revision: before.revision.next(), ..content() });
    assert_eq!(after, expected);
    let kept = scratch();
    std::fs::copy(dir.path().join("rollcall.redb.old"), kept.path().join(DATABASE)).unwrap();
    assert_eq!(load(kept.path()), before, "the replaced store is kept");
}

#[test]
fn a_restore_fills_an_empty_store_and_replaces_a_damaged_one() {
    let dir = scratch();
    drop(Store::open(dir.path()).unwrap());
    let content = || Loaded {
        revision: Revision(70),
        members: (0..1_000).map(testing::plain).collect(),
        policies: Vec::new(),
    };
    Store::restore(dir.path(), content(), false).unwrap();
    assert_eq!(load(dir.path()), content().into());
    let fresh = dir.path().join("fresh");
    Store::restore(&fresh, content(), false).unwrap();
    assert_eq!(load(&fresh), content().into());
    std::fs::write(fresh.join(DATABASE), "garbage").unwrap();
    assert!(matches!(Store::restore(&fresh, content(), false), Err(StoreError::Damaged { .. })));
    Store::restore(&fresh, content(), true).unwrap();
    assert_eq!(load(&fresh).members.len(), 1_000);
    assert_eq!(std::fs::read(fresh.join("rollcall.redb.old")).unwrap(), b"garbage");
}

#[test]
fn health_and_drain_survive() {
    let dir = scratch();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let mut member = testing::plain(1);
    (member.status, member.drained, member.suspect) = (Status::Critical, true, true);
    member.checks[0].status = Status::Critical;
    member.checks[0].output = "connection refused".into();
    commit(&mut store, 1, vec![Change::PutMember(member.clone().into())]).unwrap();
    drop(store);
    member.suspect = false; // an opinion of the moment
    assert_eq!(load(dir.path()).members.into_values().collect::<Vec<_>>(), [member]);
}

/// The tables follow the log while commits go on, and the log does not grow without end.
#[test]
fn logs_are_folded_while_commits_go_on() {
    let dir = scratch();
    let (mut store, _) = open_on(dir.path(), SmallLogs);
    let mut model = Model::default();
    for revision in 1..200 {
        let changes = vec![put(u16::try_from(revision).unwrap()), put(7)];
        commit(&mut store, revision, changes.clone()).unwrap();
        model.apply(Revision(revision), &changes);
        let octets = LOGS.map(|name| std::fs::metadata(dir.path().join(name)).unwrap().len());
        assert!(octets.into_iter().all(|octets| octets <= 4 * 8_192 + 4_096), "{octets:?}");
    }
    drop(store);
    assert_eq!(load(dir.path()), model);
}

#[test]
fn equal_texts_are_loaded_once() {
    let dir = scratch();
    sample(dir.path());
    let (_store, loaded) = Store::open(dir.path()).unwrap();
    let of_zero: Vec<_> =
        loaded.members.iter().filter(|m| m.instance.service.as_str() == "service-0").collect();
    // Short names stand in place; lists and long texts are shared.
    let address =
        |member: &Member| (member.instance.tags.as_ptr(), member.instance.checks.as_ptr());
    assert!(of_zero.len() > 3);
    assert!(of_zero.iter().all(|member| address(member) == address(of_zero[0])));
}

#[test]
fn commits_are_counted() {
    let dir = scratch();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let metrics = Metrics::new();
    store.register(&metrics);
    commit(&mut store, 1, vec![put(1), put(2)]).unwrap();
    commit(&mut store, 2, vec![put(3)]).unwrap();
    let text = metrics.encode().unwrap();
    for line in [
        "rollcall_store_commits_total 2",
        "rollcall_store_changes_total 3",
        "rollcall_store_commit_failures_total 0",
        "rollcall_store_commit_duration_seconds_count 2",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    let size = text.lines().find_map(|line| line.strip_prefix("rollcall_store_size_bytes "));
    let octets: u64 = [DATABASE]
        .into_iter()
        .chain(LOGS)
        .map(|name| std::fs::metadata(dir.path().join(name)).unwrap().len())
        .sum();
    assert_eq!(size.unwrap().parse::<u64>().unwrap(), octets);
    assert!(dir.path().join(WITNESS).exists());
}
