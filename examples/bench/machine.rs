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

/// The first line with a digit that `program` prints, on either output, when it is asked for its
/// version: none of them agree on how.
///
/// # Errors
/// When it is not installed.
pub(crate) fn version(program: &str, argument: &str) -> Result<String> {
    let output = Command::new(program).arg(argument).output();
    let output = output.with_context(|| format!("`{program}`: is it installed?"))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|line| line.contains(|c: char| c.is_ascii_digit()));
    Ok(line.unwrap_or(program).trim().to_owned())
}
