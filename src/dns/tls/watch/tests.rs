//! A look at a time, so that what happens between two of them is certain.

use std::{fs, path::Path, time::Duration};

use rcgen::{CertificateParams, KeyPair};

use super::{CertificateFiles, CertificateWatcher, Validity};
use crate::{
    telemetry::{Board, Metrics},
    util::Clock,
};

/// The certificate and the key of a pair, as files have them.
fn pair() -> [String; 2] {
    pair_from(1975)
}

/// The same, valid from the first day of that year on.
fn pair_from(year: i32) -> [String; 2] {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(year, 1, 1);
    [params.self_signed(&key).unwrap().pem(), key.serialize_pem()]
}

fn open(folder: &Path, board: &Board) -> CertificateWatcher {
    open_at(folder, board, Clock::system())
}

fn open_at(folder: &Path, board: &Board, clock: Clock) -> CertificateWatcher {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let files = CertificateFiles { certificate, key };
    CertificateWatcher::open(files, clock, board.clone(), &Metrics::new()).unwrap()
}

#[test]
fn two_files_that_change_one_after_the_other_are_never_taken_for_a_pair() {
    let (folder, board) = (tempfile::tempdir().unwrap(), Board::default());
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let ([certificate, key], [next, next_key]) = (pair(), pair());
    put("certificate.pem", &certificate);
    put("key.pem", &key);
    let mut watcher = open(folder.path(), &board);
    let before = watcher.shown().load().pin();
    put("certificate.pem", &next);
    watcher.poll(false);
    put("key.pem", &next_key);
    watcher.poll(false);
    assert!(board.conditions().is_empty(), "{:?}", board.conditions());
    assert_eq!(watcher.shown().load().pin(), before, "it may still change");
    watcher.poll(false);
    assert_ne!(watcher.shown().load().pin(), before, "it has been the same for two looks");
    assert!(board.conditions().is_empty(), "{:?}", board.conditions());

    // A pair that stays wrong is told of once, and again only when it changes.
    put("certificate.pem", &certificate);
    watcher.poll(false);
    watcher.poll(false);
    assert_eq!(board.conditions().len(), 1);
    board.clear("tls certificate");
    watcher.poll(false);
    assert!(board.conditions().is_empty());
    watcher.poll(true);
    assert_eq!(board.conditions().len(), 1, "unless somebody asks");
}

/// Nobody would touch the files again when its time has come.
#[tokio::test(start_paused = true)]
async fn a_certificate_that_comes_before_its_time_is_shown_from_then_on() {
    const DAY: Duration = Duration::from_secs(24 * 3_600);
    let (folder, board) = (tempfile::tempdir().unwrap(), Board::default());
    let put = |[certificate, key]: [String; 2]| {
        fs::write(folder.path().join("certificate.pem"), certificate).unwrap();
        fs::write(folder.path().join("key.pem"), key).unwrap();
    };
    put(pair());
    // The day before 2030.
    let clock = Clock::starting_at(Duration::from_secs(1_893_456_000) - DAY);
    let mut watcher = open_at(folder.path(), &board, clock);
    let before = watcher.shown().load().pin();
    put(pair_from(2030));
    watcher.poll(true);
    assert_eq!(board.conditions().len(), 1, "{:?}", board.conditions());
    tokio::time::advance(DAY - Duration::from_secs(1)).await;
    watcher.poll(false);
    assert_eq!(watcher.shown().load().pin(), before);
    tokio::time::advance(Duration::from_secs(1)).await;
    watcher.poll(false);
    assert_ne!(watcher.shown().load().pin(), before);
    assert!(board.conditions().is_empty(), "{:?}", board.conditions());

    // What has taken its place in the files meanwhile counts.
    put(pair_from(2031));
    watcher.poll(true);
    let before = watcher.shown().load().pin();
    put(pair());
    watcher.poll(true);
    let last = watcher.shown().load().pin();
    assert_ne!(last, before);
    tokio::time::advance(366 * DAY).await;
    watcher.poll(false);
    assert_eq!(watcher.shown().load().pin(), last);
}

#[test]
fn the_last_tenth_of_its_life_is_told_of_in_time() {
    const DAY: i64 = 24 * 3_600;
    for (now, days, expected) in [
        (-1, 90, Validity::NotYet),
        (0, 90, Validity::Valid),
        (80 * DAY, 90, Validity::Valid),
        (82 * DAY, 90, Validity::Ending),
        (5 * DAY, 6, Validity::Valid),
        (90 * DAY - 1, 90, Validity::Ending),
        (90 * DAY, 90, Validity::Over),
    ] {
        assert_eq!(Validity::at(now, 0, days * DAY), expected, "{now} of {days} days");
    }
}
