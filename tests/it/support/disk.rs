//! A small disk that can be filled: a tmpfs in a mount namespace of its own, which a process of
//! ours holds open over restarts of the server. As root, or where user namespaces are allowed.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// The disk; it is gone when this is dropped.
pub(crate) struct Disk {
    holder: Child,
    /// The ballast as it is seen from here.
    ballast: PathBuf,
    is_root: bool,
}

// === impl Disk ===

impl Disk {
    /// Mounts a disk of so many MiB on `folder`, which is made.
    pub(crate) fn mount(folder: &Path, mebibytes: u32) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let uid = Command::new("id").arg("-u").output().unwrap().stdout;
        let is_root = uid.trim_ascii() == b"0";
        // Lives as long as its standard input is open: also when the test is killed, it ends.
        let script = r#"mount -t tmpfs -o "size=$2" tmpfs "$1" && echo mounted && exec cat"#;
        let mut holder = Command::new("unshare")
            .args([if is_root { "-m" } else { "-rm" }, "sh", "-c", script, "sh"])
            .arg(folder)
            .arg(format!("{mebibytes}m"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare is there");
        let mut said = String::new();
        let stdout = holder.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut said).unwrap();
        assert_eq!(said, "mounted\n", "root, or a system that allows user namespaces, is needed");
        let inside = format!("/proc/{}/root{}/ballast", holder.id(), folder.display());
        Self { holder, ballast: inside.into(), is_root }
    }

    /// The words before a command that make it see the disk.
    pub(super) fn enter(&self) -> Vec<String> {
        let target = self.holder.id().to_string();
        let mut words = vec!["nsenter", "--mount", "--target", &target];
        if !self.is_root {
            words.extend(["--user", "--preserve-credentials"]);
        }
        words.into_iter().map(str::to_owned).collect()
    }

    /// Fills it to the last octet.
    pub(crate) fn fill(&self) {
        let mut ballast = File::options().append(true).create(true).open(&self.ballast).unwrap();
        for size in [65_536, 4_096, 1] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Makes room again.
    pub(crate) fn free(&self) {
        std::fs::remove_file(&self.ballast).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Both may have ended with the test.
        let _ended = self.holder.kill();
        let _status = self.holder.wait();
    }
}
