//! The floor as a contestant: fed with a reply that Rollcall gave, one of median length.

use std::{fs, process::Command};

use anyhow::{Context, Result};

use crate::{
    contestant::{Contestant, ask_udp, query},
    part::Env,
    process::{self, Process},
};

/// What the tables call it.
pub(crate) const FLOOR: &str = "floor";

/// So many replies are looked at for the median of their lengths.
const SAMPLE: usize = 400;

/// A reply of median length among those that `server` gives to `questions`, by UDP.
///
/// # Errors
/// When it does not answer.
pub(crate) fn median_reply(server: &Contestant, questions: &str, edns: bool) -> Result<Vec<u8>> {
    let queries = questions.lines().take(SAMPLE).map(|question| query(question, 0, edns));
    let replies: Result<Vec<Vec<u8>>> =
        queries.map(|query| query.and_then(|query| ask_udp(server.dns, &query))).collect();
    let mut replies = replies?;
    replies.sort_by_key(Vec::len);
    let middle = replies.len() / 2;
    replies.into_iter().nth(middle).context("there are no questions")
}

/// Starts the floor on the server's core; it answers everything with `reply`.
///
/// # Errors
/// When it does not come up.
pub(crate) fn start_floor(env: &Env, reply: &[u8], question: &str) -> Result<Contestant> {
    let scratch = process::scratch("floor")?;
    let file = scratch.path().join("reply");
    fs::write(&file, reply).context("the recorded reply")?;
    let dns = process::free_address()?;
    let mut command = Command::new(&env.bench);
    command.args(["floor", "--listen", &dns.to_string(), "--reply"]).arg(&file);
    let mut process = Process::start("floor", &command, env.cores.server, scratch.path())?;
    Contestant::wait_until_it_answers(&mut process, dns, question)?;
    Ok(Contestant { name: FLOOR, dns, process, _scratch: scratch })
}
