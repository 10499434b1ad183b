//! The `rollcall` binary: hands the command line to [`rollcall::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    rollcall::cli::run()
}
