//! A look at a time, so that what happens between two of them is certain.

use std::{fs, path::Path};

use rcgen::{CertificateParams, KeyPair};

use super::{CertificateFiles, CertificateWatcher, Validity};
use crate::{
    telemetry::{Board, Metrics},
    util::Clock,
};

/// The certificate and the key of a pair, as files have them.
fn pair() -> [String; 2] {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    [params.self_signed(&key).unwrap().pem(), key.serialize_pem()]
}

fn open(folder: &Path, board: &Board) -> CertificateWatcher {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let files = CertificateFiles { certificate, key };
    CertificateWatcher::open(files, Clock::system(), board.clone(), &Metrics::new()).unwrap()
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
