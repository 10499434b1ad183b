//! A folder that changes, and what is served and reported of it.

use std::{fs, path::Path, sync::Arc, time::Duration};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{ZoneFolder, ZoneWatcher};
use crate::{
    dns::zone::set::Zones,
    model::DnsName,
    telemetry::{Board, Metrics},
};

/// A folder under watch.
struct Bench {
    folder: TempDir,
    watcher: ZoneWatcher,
    board: Board,
    metrics: Metrics,
}

fn text(serial: u32) -> String {
    format!("$TTL 60\n@ SOA ns m {serial} 2 3 4 5\n@ NS ns\nns A 192.0.2.53\n")
}

fn folder(path: &Path, is_required: bool) -> ZoneFolder {
    let reserved = vec![DnsName::parse("service.internal").unwrap()];
    ZoneFolder { path: path.to_owned(), is_required, reserved }
}

fn bench(files: &[(&str, String)]) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let (board, metrics) = (Board::default(), Metrics::new());
    let watcher = ZoneWatcher::open(folder(dir.path(), true), board.clone(), &metrics).unwrap();
    Bench { folder: dir, watcher, board, metrics }
}

impl Bench {
    /// Puts a file in place as one should: written beside and moved, so that it is another file
    /// however fast one follows the other.
    fn put(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::write(path.with_extension("tmp"), text).unwrap();
        fs::rename(path.with_extension("tmp"), path).unwrap();
    }

    /// Each zone served, as `name file serial`, sorted.
    fn served(&self) -> Vec<String> {
        served(&self.watcher.handle().load())
    }

    /// What is on the board, as `name: message`.
    fn notes(&self) -> Vec<String> {
        assert!(self.board.is_ready(), "a zone never makes the server unready");
        let notes = self.board.conditions().into_iter();
        notes.map(|(name, note)| format!("{name}: {}", note.message)).collect()
    }

    fn has_metric(&self, line: &str) -> bool {
        self.metrics.encode().unwrap().lines().any(|known| known == line)
    }
}

fn served(zones: &Zones) -> Vec<String> {
    let mut lines: Vec<_> = zones
        .iter()
        .map(|zone| format!("{} {} {}", zone.origin(), zone.file(), zone.serial()))
        .collect();
    lines.sort();
    lines
}

#[test]
fn changed_new_and_removed_files_are_picked_up() {
    let mut bench = bench(&[("a.zone", text(1)), ("b.zone", text(1)), ("c.txt", text(1))]);
    let mut reader = bench.watcher.handle().reader();
    assert_eq!(bench.served(), ["a a.zone 1", "b b.zone 1"]);
    assert!(!bench.watcher.poll(), "nothing changed");
    bench.put("a.zone", &text(2));
    bench.put("new.example.zone", &text(3));
    fs::remove_file(bench.folder.path().join("b.zone")).unwrap();
    assert!(bench.watcher.poll());
    let expected = ["a a.zone 2", "new.example new.example.zone 3"];
    assert_eq!(bench.served(), expected);
    assert_eq!(served(reader.load()), expected, "readers follow");
    assert!(bench.has_metric("rollcall_zones_loaded 2"));
    assert!(!bench.metrics.encode().unwrap().contains("b.zone"), "no metric of what is gone");
}

#[test]
fn a_broken_file_leaves_its_zone_as_it_was_and_is_reported() {
    let mut bench = bench(&[("a.zone", text(1)), ("b.zone", "oops\n".into())]);
    assert_eq!(bench.served(), ["a a.zone 1"], "the others do not notice");
    bench.put("a.zone", &(text(2) + "x A nonsense\n"));
    assert!(bench.watcher.poll());
    assert!(!bench.watcher.poll(), "it is read once, so it is logged once");
    assert_eq!(bench.served(), ["a a.zone 1"]);
    let notes = bench.notes();
    assert!(notes[0].starts_with("zone a.zone: a.zone:5: A record: "), "{notes:?}");
    assert!(notes[0].ends_with("; the zone stays as it was"), "{notes:?}");
    assert!(notes[1].starts_with("zone b.zone: b.zone:1: "), "{notes:?}");
    assert!(notes[1].ends_with("; the zone is not served"), "{notes:?}");
    assert!(bench.has_metric("rollcall_zone_load_failures_total 2"));
    assert!(bench.has_metric("rollcall_zone_last_load_successful{file=\"a.zone\"} 0"));
    let line = "rollcall_zone_mistake_line{zone=\"a.zone\",file=\"a.zone\"} 5";
    assert!(bench.has_metric(line), "{}", bench.metrics.encode().unwrap());
    bench.put("a.zone", &text(3));
    fs::remove_file(bench.folder.path().join("b.zone")).unwrap();
    bench.watcher.poll();
    assert_eq!(bench.served(), ["a a.zone 3"]);
    assert_eq!(bench.notes(), Vec::<String>::new());
    assert!(bench.has_metric("rollcall_zone_last_load_successful{file=\"a.zone\"} 1"));
    assert!(!bench.metrics.encode().unwrap().contains("zone_mistake_line{"));
}

#[test]
fn old_zones_are_freed_by_the_watcher_and_not_by_who_looked_last() {
    let mut bench = bench(&[("a.zone", text(1))]);
    let mut reader = bench.watcher.handle().reader();
    let old = Arc::downgrade(reader.load());
    bench.put("a.zone", &text(2));
    assert!(bench.watcher.poll());
    assert_eq!(served(reader.load()), ["a a.zone 2"]);
    assert_eq!(old.strong_count(), 1, "the reader has let go, and the watcher has not");
    bench.watcher.poll();
    assert_eq!(old.strong_count(), 0);
}

#[test]
fn a_file_whose_name_is_no_zones_is_reported_once() {
    let mut bench = bench(&[("a..b.zone", text(1))]);
    let notes = bench.notes();
    assert!(notes[0].contains("empty label"), "{notes:?}");
    assert!(!bench.watcher.poll(), "it is looked at once, so it is logged once");
    assert!(bench.has_metric("rollcall_zone_load_failures_total 1"));
}

#[test]
fn a_change_of_an_included_file_reloads_its_zones() {
    let mut bench = bench(&[("a.zone", text(1) + "$INCLUDE hosts\n"), ("b.zone", text(1))]);
    assert_eq!(bench.served(), ["b b.zone 1"]);
    assert!(bench.notes()[0].contains("a.zone:5: cannot read `hosts`"), "{:?}", bench.notes());
    let records = |bench: &Bench| {
        let zones = bench.watcher.handle().load();
        zones.find(b"\x01a\x00").map(crate::dns::zone::Zone::record_count)
    };
    bench.put("hosts", "x A 192.0.2.1\n");
    assert!(bench.watcher.poll(), "the missing file has appeared");
    assert_eq!((records(&bench), bench.notes().len()), (Some(4), 0));
    bench.put("hosts", "x A 192.0.2.1\ny A 192.0.2.2\n");
    assert!(bench.watcher.poll());
    assert_eq!(records(&bench), Some(5));
}

#[test]
fn of_two_files_with_one_zone_the_second_is_refused_until_the_first_is_gone() {
    let same = |serial| format!("$ORIGIN same.\n{}", text(serial));
    let mut bench = bench(&[("m.zone", same(1)), ("z.zone", same(2))]);
    assert_eq!(bench.served(), ["same m.zone 1"]);
    let refused = "zone z.zone: the zone `same` is served from `m.zone`; keep one of the two";
    assert_eq!(bench.notes(), [refused]);
    // Who serves it goes on, whatever comes.
    bench.put("a.zone", &same(3));
    bench.watcher.poll();
    assert_eq!(bench.served(), ["same m.zone 1"]);
    assert_eq!(bench.notes().len(), 2);
    fs::remove_file(bench.folder.path().join("m.zone")).unwrap();
    bench.watcher.poll();
    assert_eq!(bench.served(), ["same a.zone 3"]);
    assert_eq!(bench.notes(), [refused.replace("m.zone", "a.zone")]);
}

#[test]
fn an_absent_folder_is_an_error_only_if_it_was_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("zones");
    let (board, metrics) = (Board::default(), Metrics::new());
    let refused = ZoneWatcher::open(folder(&path, true), board.clone(), &metrics).unwrap_err();
    assert!(refused.to_string().contains("cannot read the zone folder"), "{refused}");
    let mut watcher = ZoneWatcher::open(folder(&path, false), board.clone(), &metrics).unwrap();
    assert_eq!(board.conditions(), []);
    fs::create_dir(&path).unwrap();
    fs::write(path.join("a.zone"), text(1)).unwrap();
    watcher.poll();
    assert_eq!(served(&watcher.handle().load()), ["a a.zone 1"]);
    // A folder that goes away altogether is a mishap, not a wish.
    fs::rename(&path, dir.path().join("gone")).unwrap();
    watcher.poll();
    assert_eq!(served(&watcher.handle().load()), ["a a.zone 1"]);
    assert!(board.conditions()[0].1.message.contains("the zones stay as is"));
    fs::rename(dir.path().join("gone"), &path).unwrap();
    watcher.poll();
    assert_eq!(board.conditions(), []);
}

#[tokio::test(start_paused = true)]
async fn the_task_polls_by_itself_and_reloads_on_demand() {
    let bench = bench(&[("a.zone", text(1))]);
    let (handle, metrics) = (bench.watcher.handle(), bench.metrics.clone());
    let path = bench.folder.path().join("a.zone");
    let stop = CancellationToken::new();
    let task = tokio::spawn(bench.watcher.run(stop.clone()));
    fs::write(&path, text(22)).unwrap();
    let wait = async |expected: &str| {
        let seen = async {
            while served(&handle.load()) != [expected] {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), seen).await.expect(expected);
    };
    wait("a a.zone 22").await;
    let before = handle.load();
    handle.reload();
    let reread = async {
        while std::sync::Arc::ptr_eq(&before, &handle.load()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reread).await.expect("read anew");
    assert!(metrics.encode().unwrap().contains("rollcall_zones_loaded 1"));
    stop.cancel();
    task.await.unwrap();
}
