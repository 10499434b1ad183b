//! The `rollcall` binary: hands the command line to [`rollcall::cli`].

fn main() {}
