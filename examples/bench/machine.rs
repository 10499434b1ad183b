//! Where and with what it was measured: figures of another machine are other figures.

use std::{fs, process::Command};

use anyhow::{Context, Result};

/// Processor, cores, kernel and day, in one line.
///
/// # Errors
/// When the system does not say.
pub(crate) fn describe() -> Result<String> {
    let processor = fs::read_to_string("/proc/cpuinfo").context("/proc/cpuinfo")?;
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    let model = model.trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().context("the number of cores")?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("the kernel's name")?;
    let day = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string();
    Ok(format!("{day} · {model}, {cores} cores · Linux {}", kernel.trim()))
}

/// `name` with the version that `program` prints, on either output, when it is asked for it: none
/// of them agree on how, but all write it with a point, and first.
///
/// # Errors
/// When it is not installed.
pub(crate) fn version(name: &str, program: &str, argument: &str) -> Result<String> {
    let output = Command::new(program).arg(argument).output();
    let output = output.with_context(|| format!("`{program}`: is it installed?"))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let is_version = |word: &&str| {
        let mut parts = word.split('.');
        parts.clone().count() > 1 && parts.next().is_some_and(|part| part.parse::<u16>().is_ok())
    };
    // `nginx/1.26.3` has its name before it, `v1.8.7` a letter.
    let words = text.split(|c: char| c.is_whitespace() || c == '/');
    let mut words = words.map(|word| word.trim_start_matches('v'));
    let version = words.find(is_version).context("it prints no version")?;
    Ok(format!("{name} {version}"))
}

/// The commit that is checked out, where there is one: a version alone says little of what is built
/// every day.
pub(crate) fn commit() -> Option<String> {
    let arguments = ["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "--short", "HEAD"];
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
