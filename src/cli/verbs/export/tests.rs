//! Export and import, one into the other.

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};

use super::{super::import::ImportArgs, DataArgs, ExportArgs};
use crate::{
    cli::{exit::Failure, testing::Buffer},
    util::Clock,
};

const EXPORT: &str = r#"{"rollcall_export":1,"revision":12,"exported_at":"2026-01-01T00:00:00Z"}
{"service":"web","instance":"w1","addresses":["10.0.0.1"],"port":80}
{"service":"web","policy":{"ttl":"7s"}}
{"end":{"instances":1,"policies":1}}
"#;

async fn export(file: &Path, folder: &Path) -> Result<String, Failure> {
    let buffer = Buffer::default();
    let clock = Clock::starting_at(Duration::from_secs(1_767_225_600));
    let verb = ExportArgs { file: file.to_owned(), data: DataArgs::of(folder), json: false };
    verb.run(buffer.clone(), std::io::sink(), &clock).map(|()| buffer.text())
}

fn import(text: &str, folder: &Path, replace: bool) -> Result<String, Failure> {
    let (buffer, clock) = (Buffer::default(), Clock::system());
    let verb = ImportArgs::of(Path::new("-"), folder, replace);
    verb.run(text.as_bytes(), &mut buffer.output(false), std::io::sink(), &clock)
        .map(|()| buffer.text())
}

/// Time stands still, so that two exports have the same.
#[tokio::test(start_paused = true)]
async fn an_export_is_imported_and_exported_alike() {
    let scratch = tempfile::tempdir().unwrap();
    let (first, second) = (scratch.path().join("a"), scratch.path().join("b"));
    let said = import(EXPORT, &first, false).unwrap();
    let expected = format!("imported 1 instance and 1 policy into `{}`\n", first.display());
    assert_eq!(said, expected);
    let exported = export(Path::new("-"), &first).await.unwrap();
    for part in ["\"w1\"", "\"10.0.0.1\"", "\"ttl\":\"7s\"", "{\"end\":"] {
        assert!(exported.contains(part), "{part}: {exported}");
    }
    let file = scratch.path().join("backup.jsonl");
    fs::write(&file, "an old export").unwrap();
    assert_eq!(export(&file, &first).await.unwrap(), "");
    let written = fs::read_to_string(&file).unwrap();
    assert_eq!(written, exported);
    import(&written, &second, false).unwrap();
    assert_eq!(export(Path::new("-"), &second).await.unwrap(), exported);
    let left: Vec<_> = fs::read_dir(scratch.path()).unwrap().collect();
    assert_eq!(left.len(), 3, "two folders and one file: {left:?}");
}

/// Both spoke to people only.
#[test]
fn with_json_an_export_and_an_import_are_summed_up_in_an_object() {
    let scratch = tempfile::tempdir().unwrap();
    let (folder, file) = (scratch.path().join("data"), scratch.path().join("backup.jsonl"));
    let read = |text: String| serde_json::from_str::<Value>(&text).expect(&text);
    let import = |replace| {
        let (buffer, clock) = (Buffer::default(), Clock::system());
        let verb = ImportArgs::of(Path::new("-"), &folder, replace);
        let outcome =
            verb.run(EXPORT.as_bytes(), &mut buffer.output(true), std::io::sink(), &clock);
        outcome.map(|()| read(buffer.text()))
    };
    let done = json!({"instances": 1, "policies": 1, "into": folder.to_str(), "kept": []});
    assert_eq!(import(false).unwrap(), done);
    let kept = import(true).unwrap()["kept"][0].clone();
    assert!(kept.as_str().unwrap().ends_with("rollcall.redb.old"), "{kept}");
    let refused = read(import(false).unwrap_err().json().unwrap());
    assert!(refused["error"].as_str().unwrap().contains("--replace"), "{refused}");

    for file in [&*file, Path::new("-")] {
        let (stdout, mut stderr) = (Buffer::default(), Vec::new());
        let data = DataArgs::of(&folder);
        let verb = ExportArgs { file: file.to_owned(), data, json: true };
        verb.run(stdout.clone(), &mut stderr, &Clock::system()).unwrap();
        // Standard output has the summary, unless it has the export.
        let (stdout, stderr) = (stdout.text(), String::from_utf8(stderr).unwrap());
        let is_stream = file == Path::new("-");
        let (summary, other) = if is_stream { (stderr, stdout) } else { (stdout, stderr) };
        let summary = read(summary);
        assert_eq!((&summary["instances"], &summary["policies"]), (&json!(1), &json!(1)));
        assert_eq!((&summary["file"], &summary["warnings"]), (&json!(file.to_str()), &json!([])));
        assert_eq!(other.lines().count(), if is_stream { 4 } else { 0 }, "{other}");
    }
}

/// Time stands still, so that two exports have the same.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_changes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    let absent = export(Path::new("-"), &folder).await.unwrap_err();
    assert_eq!(absent.code(), 1);
    assert!(absent.to_string().starts_with("there is no store in "), "{absent}");

    import(EXPORT, &folder, false).unwrap();
    let before = export(Path::new("-"), &folder).await.unwrap();
    let full = import(EXPORT, &folder, false).unwrap_err().to_string();
    assert!(full.contains("--replace"), "{full}");
    let cut = &EXPORT[..EXPORT.len() - 40];
    let broken = import(cut, &folder, true).unwrap_err().to_string();
    assert!(broken.starts_with("`-`, line "), "{broken}");
    assert!(broken.ends_with("nothing was changed"), "{broken}");
    assert_eq!(export(Path::new("-"), &folder).await.unwrap(), before);

    let nowhere = scratch.path().join("no/such/folder/x.jsonl");
    let unwritten = export(&nowhere, &folder).await.unwrap_err().to_string();
    assert!(unwritten.contains("cannot be written"), "{unwritten}");
    import(EXPORT, &folder, true).unwrap();
}
