//! RESULTS.md: one section per part, each with when, where and with what it was measured.
//!
//! A section stands between two comments that name its part; measuring one part again replaces
//! that section and no other. At the end stands NOTES.md: what was tried and did not help.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{
    machine,
    part::{PARTS, Section},
};

const HEAD: &str = "# Results

Written by `examples/bench/run`, never by hand. CPU is user and system time of the server's process
with its children, over the queries completed; servers have one core, the load another one; figures
are medians over rounds in which the servers take turns, ratios are formed within a round.
";

/// The file, and the notes beside it.
#[derive(Debug)]
pub(crate) struct Results {
    file: PathBuf,
}

// === impl Results ===

impl Results {
    /// The results in `file`, which need not be there yet.
    pub(crate) fn new(file: &Path) -> Self {
        Self { file: file.to_owned() }
    }

    /// Whether it can be written: known before half an hour of measuring, not after.
    ///
    /// # Errors
    /// When it cannot.
    pub(crate) fn try_to_open(&self) -> Result<()> {
        let opened = fs::File::options().append(true).create(true).open(&self.file);
        opened.map(drop).with_context(|| format!("`{}`", self.file.display()))
    }

    /// Replaces the section of the part `name`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn put(&self, name: &str, section: &Section) -> Result<()> {
        let old = fs::read_to_string(&self.file).unwrap_or_default();
        let notes = fs::read_to_string(self.file.with_file_name("NOTES.md")).unwrap_or_default();
        let new = format!(
            "## {name}\n\n{}\n\n{}\n\n{}\n",
            machine::describe()?,
            section.versions().join(" · "),
            section.markdown()
        );
        let mut text = HEAD.to_owned();
        for part in PARTS.iter().map(|part| part.name()) {
            let body = if part == name { Some(new.as_str()) } else { section_of(&old, part) };
            if let Some(body) = body {
                text.push_str(&format!("\n{}\n{body}{}\n", begin(part), end(part)));
            }
        }
        text.push_str(&format!("\n{notes}"));
        fs::write(&self.file, text).with_context(|| format!("`{}`", self.file.display()))
    }
}

fn begin(part: &str) -> String {
    format!("<!-- begin {part} -->")
}

fn end(part: &str) -> String {
    format!("<!-- end {part} -->")
}

fn section_of<'a>(text: &'a str, part: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(&format!("{}\n", begin(part)))?;
    Some(after.split_once(&end(part))?.0)
}
