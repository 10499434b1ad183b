//! The commands of the binary: one that serves, some for its files, and clients of its API.
//!
//! One file a verb under `verbs`, with its arguments, its requests and its output side by side.
//! Verbs write to an `output::Output` and fail with an `exit::Failure`, so that exit codes and
//! tests see exactly what a user does.
//!
//! The API's replies are read into types of our own (`reply`), all fields optional: a client
//! talks to servers that are older or newer than itself.

mod args;
mod client;
mod examples;
mod exit;
mod output;
mod reply;
mod run;
mod sse;
mod table;
mod verbs;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use args::Cli;
pub use run::run;
