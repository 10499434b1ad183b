//! A damaged store is refused, or gives back exactly what was committed. Never anything else.

use std::{fs, os::unix::fs::FileExt, path::Path};

use crate::{
    model::Revision,
    registry::Loaded,
    store::{
        Store, StoreError,
        files::{DATABASE, LOGS, WITNESS},
        tables::INSTANCES,
        testing::{Model, commit, encode_member, load, plain, put, sample, scratch},
    },
};

/// The files of a store whose process was killed: copied while it is open.
fn killed(dir: &Path) -> Model {
    let home = scratch();
    let mut model = sample(home.path());
    let (mut store, _) = Store::open(home.path()).unwrap();
    for number in [901, 902, 903] {
        let revision = model.revision.next();
        let changes = vec![put(number), put(number - 895)];
        commit(&mut store, revision.0, changes.clone()).unwrap();
        model.apply(revision, &changes);
    }
    for name in [DATABASE, WITNESS].into_iter().chain(LOGS) {
        fs::copy(home.path().join(name), dir.join(name)).unwrap();
    }
    model
}

/// What a store leaves behind.
#[derive(Clone)]
struct Remains {
    name: &'static str,
    model: Model,
    database: Vec<u8>,
    logs: [Vec<u8>; 2],
    witness: Vec<u8>,
}

impl Remains {
    fn of(name: &'static str, dir: &Path, model: Model) -> Self {
        let read = |name| fs::read(dir.join(name)).unwrap();
        let (database, logs, witness) = (read(DATABASE), LOGS.map(read), read(WITNESS));
        Self { name, model, database, logs, witness }
    }

    fn with_database(&self, octets: &[u8]) -> Self {
        Self { database: octets.to_vec(), ..self.clone() }
    }

    fn with_log(&self, index: usize, octets: &[u8]) -> Self {
        let mut with = self.clone();
        with.logs[index] = octets.to_vec();
        with
    }

    /// Holds what comes of it to the rule. Says whether it was refused.
    fn is_refused(&self, case: &str) -> bool {
        let (dir, case) = (scratch(), format!("{}, {case}", self.name));
        let file = dir.path().join(DATABASE);
        fs::write(&file, &self.database).unwrap();
        fs::write(dir.path().join(WITNESS), &self.witness).unwrap();
        for (name, octets) in LOGS.iter().zip(&self.logs) {
            fs::write(dir.path().join(name), octets).unwrap();
        }
        match Store::open(dir.path()) {
            Ok((mut store, loaded)) => {
                assert_eq!(Model::from(loaded), self.model, "{case}");
                // What was accepted can be built on.
                let revision = self.model.revision.next();
                commit(&mut store, revision.0, vec![put(7_777)]).unwrap();
                drop(store);
                let mut expected = self.model.clone();
                expected.apply(revision, &[put(7_777)]);
                assert_eq!(load(dir.path()), expected, "{case}, after a commit");
                false
            }
            Err(error) => {
                let text = error.to_string();
                assert!(matches!(error, StoreError::Damaged { .. }), "{case}: {text}");
                assert!(text.contains(&file.display().to_string()), "{case}: {text}");
                assert!(text.contains("rollcall import --replace"), "{case}: {text}");
                assert!(file.exists(), "{case}: it is not thrown away");
                true
            }
        }
    }
}

/// Both kinds of files a store can leave behind: closed, and killed.
fn subjects() -> [Remains; 2] {
    let (dir, other) = (scratch(), scratch());
    let model = sample(dir.path());
    let killed_model = killed(other.path());
    [Remains::of("closed", dir.path(), model), Remains::of("killed", other.path(), killed_model)]
}

#[test]
fn the_subjects_are_sound() {
    for subject in subjects() {
        assert!(!subject.is_refused("as it is"), "{}", subject.name);
        assert!(subject.model.members.len() > 40 && subject.model.revision > Revision(3));
    }
    let [closed, killed] = subjects();
    let commits = |remains: &Remains| remains.logs.each_ref().map(|log| log.len() / 4_096 - 1);
    assert_eq!(commits(&closed), [0, 0], "what is closed is all in the tables");
    assert_eq!(commits(&killed), [3, 0]);
}

#[test]
fn a_file_that_was_cut_short_is_refused() {
    for subject in subjects() {
        let octets = &subject.database;
        let mut random = fastrand::Rng::with_seed(1);
        let pages = (0..octets.len()).step_by(4_096);
        let lengths: Vec<usize> = (0..10)
            .chain(pages.step_by(11))
            .chain((0..40).map(|_| random.usize(..octets.len())))
            .chain([octets.len() - 1])
            .collect();
        for length in lengths {
            let case = format!("cut to {length} of {}", octets.len());
            assert!(subject.with_database(&octets[..length]).is_refused(&case), "{case}");
        }
    }
}

#[test]
fn turned_bits_never_change_what_is_read() {
    for subject in subjects() {
        let octets = &subject.database;
        let mut random = fastrand::Rng::with_seed(2);
        // Most of the file is room to grow; look where something is, and at the whole header.
        let used: Vec<usize> = (0..octets.len()).filter(|&at| octets[at] != 0).collect();
        let mut refused = 0;
        let somewhere: Vec<usize> = (0..60).map(|_| used[random.usize(..used.len())]).collect();
        for at in (random.usize(..4)..320).step_by(4).chain(somewhere) {
            let mut turned = octets.clone();
            let bit = random.u8(..8);
            turned[at] ^= 1 << bit;
            let case = format!("bit {bit} of octet {at}");
            refused += usize::from(subject.with_database(&turned).is_refused(&case));
        }
        let name = subject.name;
        assert!(refused > 20, "{name}: only {refused} were refused, so the test looks past it");
    }
}

#[test]
fn a_damaged_log_is_refused_or_says_what_was_committed() {
    let [_, subject] = subjects();
    let log = &subject.logs[0];
    let mut random = fastrand::Rng::with_seed(4);
    for page in 0..log.len() / 4_096 {
        for _ in 0..60 {
            let (at, bit) = (page * 4_096 + random.usize(..700), random.u8(..8));
            let mut turned = log.clone();
            turned[at] ^= 1 << bit;
            subject.with_log(0, &turned).is_refused(&format!("bit {bit} of the log's octet {at}"));
        }
        let mut lost = log.clone();
        lost[page * 4_096..][..4_096].fill(0);
        assert!(subject.with_log(0, &lost).is_refused(&format!("page {page} of the log lost")));
        let length = page * 4_096 + random.usize(..100);
        let case = format!("log cut to {length}");
        assert!(subject.with_log(0, &log[..length]).is_refused(&case), "{case}");
    }
    // The same octets are a log whatever its name is, and what follows them may be in the other.
    let mut renamed = subject.clone();
    renamed.logs.swap(0, 1);
    assert!(!renamed.is_refused("the log under its other name"));
    // Also without a witness.
    let mut gap = subject.with_log(0, &[&log[..4_096], &log[8_192..]].concat());
    gap.witness.clear();
    assert!(gap.is_refused("the first commit of the log lost"));
    // As after a loss of power, which may leave an older witness: a commit that was torn is the
    // last one.
    for page in 0..3 {
        let mut lost = log.clone();
        lost[page * 4_096..][..4_096].fill(0);
        let mut lost = subject.with_log(0, &lost);
        lost.witness.clear();
        assert!(lost.is_refused(&format!("page {page} lost, and others behind it")));
    }
    let mut parted = subject.clone();
    parted.logs = [[&log[..4_096], &log[12_288..]].concat(), log[..12_288].to_vec()];
    assert!(!parted.is_refused("in both logs"));
}

/// The rows of a log belong to its tables, and to no others.
#[test]
fn a_log_without_its_tables_is_not_read_into_others() {
    let dir = scratch();
    let file = |name: &str| dir.path().join(name);
    let (mut store, _) = Store::open(dir.path()).unwrap();
    for revision in 1..4 {
        commit(&mut store, revision, vec![put(1)]).unwrap();
    }
    let log = fs::read(file(LOGS[0])).unwrap();
    drop(store);
    fs::write(file(LOGS[0]), &log).unwrap();
    fs::remove_file(file(DATABASE)).unwrap();
    fs::remove_file(file(WITNESS)).unwrap();
    let refusal = Store::open(dir.path()).unwrap_err().to_string();
    assert!(refusal.contains("it is gone"), "{refusal}");
    assert!(!file(DATABASE).exists());

    let content = || Loaded { members: vec![plain(2)], ..Loaded::default() };
    let kept = Store::restore(dir.path(), content(), false).unwrap();
    assert_eq!(load(dir.path()), content().into());
    assert_eq!(kept, [file("rollcall.redb.old.rollcall.log.0")]);
    assert_eq!(fs::read(&kept[0]).unwrap(), log);
    // The next ones that are kept do not take its place, whichever name is the one that is taken.
    for (nth, bare_log) in [(1, true), (2, false)] {
        fs::write(file(LOGS[0]), [log.as_slice(), b"another"].concat()).unwrap();
        if bare_log {
            fs::remove_file(file(DATABASE)).unwrap();
        } else {
            fs::write(file(DATABASE), "damaged").unwrap();
        }
        let kept = Store::restore(dir.path(), content(), true).unwrap();
        let base = format!("rollcall.redb.old.{nth}");
        let kept_log = file(&format!("{base}.rollcall.log.0"));
        let expected = if bare_log { vec![kept_log] } else { vec![file(&base), kept_log] };
        assert_eq!(kept, expected);
        assert_eq!(fs::read(file("rollcall.redb.old.rollcall.log.0")).unwrap(), log);
    }
}

/// Numbers of commits begin again with each import, so they do not tell stores apart.
#[test]
fn a_store_that_was_put_back_is_not_mixed_with_the_one_that_had_replaced_it() {
    let home = scratch();
    sample(home.path());
    let (mut store, _) = Store::open(home.path()).unwrap();
    for revision in 5..29 {
        commit(&mut store, revision, vec![put(1)]).unwrap();
    }
    drop(store);
    let replaced = load(home.path());
    let content = Loaded { members: vec![plain(500)], ..Loaded::default() };
    Store::restore(home.path(), content, true).unwrap();
    let (mut store, _) = Store::open(home.path()).unwrap();
    for revision in 100..149 {
        commit(&mut store, revision, vec![put(600)]).unwrap();
    }

    let dir = scratch();
    let put_back = |from: &str, to: &str| {
        fs::copy(home.path().join(from), dir.path().join(to)).unwrap();
    };
    let is_refused = |named: &[&str]| {
        let refusal = Store::open(dir.path()).map(drop).unwrap_err();
        assert!(matches!(refusal, StoreError::Damaged { .. }), "{refusal}");
        let text = refusal.to_string();
        for name in named {
            assert!(text.contains(&format!("`{name}`")), "{name}: {text}");
        }
        assert!(text.contains("belongs to another store"), "{text}");
    };
    put_back("rollcall.redb.old", DATABASE);
    put_back(WITNESS, WITNESS);
    is_refused(&[WITNESS]);
    put_back(LOGS[0], LOGS[0]);
    is_refused(&[LOGS[0], WITNESS]);
    fs::remove_file(dir.path().join(WITNESS)).unwrap();
    is_refused(&[LOGS[0]]);
    // Nor one that was written before logs had an id.
    let file = fs::File::options().write(true).open(dir.path().join(LOGS[0])).unwrap();
    file.write_all_at(b"rollcall log 1", 0).unwrap();
    is_refused(&[LOGS[0]]);
    // The way out that the refusals name.
    fs::remove_file(dir.path().join(LOGS[0])).unwrap();
    assert_eq!(load(dir.path()), replaced);
}

/// Where the process dies after a fold, and before the log is empty.
#[test]
fn what_is_in_the_tables_and_in_the_log_is_read_once() {
    let dir = scratch();
    let model = killed(dir.path());
    let logs = LOGS.map(|name| fs::read(dir.path().join(name)).unwrap());
    drop(Store::open(dir.path()).unwrap()); // folds
    for (name, octets) in LOGS.iter().zip(logs) {
        fs::write(dir.path().join(name), octets).unwrap();
    }
    assert!(!Remains::of("folded", dir.path(), model).is_refused("with its log"));
}

#[test]
fn pages_that_were_lost_or_mixed_up_never_change_what_is_read() {
    for subject in subjects() {
        let octets = &subject.database;
        let used: Vec<usize> = (0..octets.len() / 4_096)
            .filter(|page| octets[page * 4_096..][..4_096].iter().any(|&octet| octet != 0))
            .collect();
        for (&page, &other) in used.iter().zip(used.iter().cycle().skip(1)) {
            let (at, from) = (page * 4_096, other * 4_096);
            let mut lost = octets.clone();
            lost[at..at + 4_096].fill(0);
            subject.with_database(&lost).is_refused(&format!("page {page} lost"));
            let mut mixed = octets.clone();
            mixed.copy_within(from..from + 4_096, at);
            subject.with_database(&mixed).is_refused(&format!("page {page} is {other}"));
        }
    }
}

/// A file in which every page is sound, and which is still not what was committed.
#[test]
fn rows_that_were_changed_behind_its_back_are_noticed() {
    use redb::ReadableTable;
    type Change = fn(&mut redb::Table<'_, &'static [u8], &'static [u8]>);
    let cases: [(Change, &str); 4] = [
        (|rows| drop(rows.remove(&b"service-3\0i-3"[..]).unwrap()), "it has 40 instances"),
        (
            |rows| drop(rows.insert(&b"service-3\0i-3"[..], &b"\x01 nonsense"[..]).unwrap()),
            "in the row `service-3/i-3` of table `instances`: its checksum is wrong",
        ),
        (
            |rows| {
                let other = rows.get(&b"service-4\0i-4"[..]).unwrap().unwrap().value().to_vec();
                drop(rows.insert(&b"service-3\0i-3"[..], other.as_slice()).unwrap());
            },
            "in the row `service-3/i-3` of table `instances`: its checksum is wrong",
        ),
        (
            |rows| {
                let mut older = plain(3);
                older.drained = true;
                let key = &b"service-3\0i-3"[..];
                let value = encode_member(key, &older).unwrap();
                drop(rows.insert(key, value.as_slice()).unwrap());
            },
            "or some of them in another state",
        ),
    ];
    for (change, problem) in cases {
        let dir = scratch();
        sample(dir.path());
        let database = redb::Database::open(dir.path().join(DATABASE)).unwrap();
        let transaction = database.begin_write().unwrap();
        change(&mut transaction.open_table(INSTANCES).unwrap());
        transaction.commit().unwrap();
        drop(database);
        let refusal = Store::open(dir.path()).unwrap_err().to_string();
        assert!(refusal.contains(problem), "{refusal}");
    }
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    let dir = scratch();
    let file = dir.path().join(DATABASE);
    let mut random = fastrand::Rng::with_seed(3);
    let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(100_000).collect();
    for content in [&b""[..], b"x", b"redb", &[0; 4_096], &noise, b"[zone]\nname = \"x\"\n"] {
        fs::write(&file, content).unwrap();
        let refusal = Store::open(dir.path()).unwrap_err();
        assert!(matches!(refusal, StoreError::Damaged { .. }), "{refusal}");
        assert_eq!(fs::read(&file).unwrap(), content);
    }
    fs::remove_file(&file).unwrap();
    drop(redb::Database::create(&file).unwrap());
    let refusal = Store::open(dir.path()).unwrap_err().to_string();
    assert!(refusal.contains("no store of Rollcall's"), "{refusal}");
}

#[test]
fn an_older_copy_and_a_missing_file_are_noticed() {
    let dir = scratch();
    let model = sample(dir.path());
    let file = dir.path().join(DATABASE);
    let older = fs::read(&file).unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    commit(&mut store, 9, vec![put(900)]).unwrap();
    drop(store);
    fs::write(&file, &older).unwrap();
    let refusal = Store::open(dir.path()).unwrap_err().to_string();
    assert!(refusal.contains("revision 9 was acknowledged"), "{refusal}");
    fs::remove_file(&file).unwrap();
    let refusal = Store::open(dir.path()).unwrap_err().to_string();
    assert!(refusal.contains("it is gone"), "{refusal}");
    // Both ways out that the refusals name.
    fs::write(&file, &older).unwrap();
    fs::remove_file(dir.path().join(WITNESS)).unwrap();
    assert_eq!(load(dir.path()), model);
    fs::remove_file(&file).unwrap();
    fs::remove_file(dir.path().join(WITNESS)).unwrap();
    assert_eq!(load(dir.path()), Model::default());
}

/// After a crash the logs have commits, which belong to the tables that are moved away.
#[test]
fn the_way_out_that_a_refusal_names_works_after_a_crash() {
    for is_gone in [true, false] {
        let dir = scratch();
        killed(dir.path());
        let file = |name: &str| dir.path().join(name);
        if is_gone {
            fs::remove_file(file(DATABASE)).unwrap();
        } else {
            fs::write(file(DATABASE), "damaged").unwrap();
        }
        let refusal = Store::open(dir.path()).unwrap_err().to_string();
        let (_, way_out) = refusal.split_once("or move ").unwrap();
        let named: Vec<_> = way_out.split('`').skip(1).step_by(2).collect();
        let away = scratch();
        for entry in fs::read_dir(dir.path()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_named = |pattern: &&str| match pattern.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == **pattern,
            };
            if named.iter().any(is_named) {
                fs::copy(file(&name), away.path().join(&name)).unwrap();
                fs::remove_file(file(&name)).unwrap();
            }
        }
        assert_eq!(load(dir.path()), Model::default(), "{refusal}");
    }
}

#[test]
fn a_creation_that_was_broken_off_is_begun_again() {
    let dir = scratch();
    fs::write(dir.path().join("rollcall.redb.new"), "half of a").unwrap();
    assert_eq!(load(dir.path()), Model::default());
    assert!(!dir.path().join("rollcall.redb.new").exists());
    // As does an import into a store that is there, and a look for room.
    fs::write(dir.path().join("rollcall.redb.new"), "half of a").unwrap();
    fs::write(dir.path().join("rollcall.room"), "").unwrap();
    assert_eq!(load(dir.path()), Model::default());
    let mut left: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["rollcall.lock", LOGS[0], LOGS[1], DATABASE, WITNESS]);
}
