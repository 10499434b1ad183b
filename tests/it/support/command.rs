//! A command line, run to its end, and what came of it.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::Node;

/// What a command printed, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// `rollcall` with words, in the scratch directory of a test, with none of our own variables.
pub(crate) fn rollcall<const N: usize>(words: [&str; N]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command.args(words);
    clean(&mut command);
    command
}

/// Takes away what would decide in place of the test.
pub(crate) fn clean(command: &mut Command) {
    without_variables(command, "ROLLCALL_");
    for name in ["COLUMNS", "NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
}

/// Takes away all variables that begin like this.
pub(crate) fn without_variables(command: &mut Command, beginning: &str) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with(beginning)) {
            command.env_remove(name);
        }
    }
}

/// Runs a command, with text on its standard input.
pub(crate) fn run_with(command: &mut Command, stdin: &str) -> Done {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    // It may not be interested.
    let _closed = child.stdin.take().expect("it is piped").write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).expect("it prints UTF-8");
    Done { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Runs a command without input.
pub(crate) fn run(command: &mut Command) -> Done {
    run_with(command, "")
}

// === impl Node ===

impl Node {
    /// Runs a client verb against this server; words are apart by blanks.
    pub(crate) fn cli(&self, line: &str) -> Done {
        run(&mut self.cli_command(line))
    }

    /// The command of a client verb against this server.
    pub(crate) fn cli_command(&self, line: &str) -> Command {
        let mut command = rollcall([]);
        command.current_dir(self.path(".")).args(line.split_whitespace());
        command.env("ROLLCALL_SERVER", self.api().base());
        command
    }
}

// === impl Done ===

impl Done {
    /// The standard output of what must have worked.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{}", self.stdout);
        self.stdout
    }

    /// The standard output of an export that must have worked, which counts on standard error.
    #[track_caller]
    pub(crate) fn exported(mut self, count: &str) -> String {
        assert_eq!(std::mem::take(&mut self.stderr), format!("exported {count}\n"));
        self.ok()
    }

    /// The standard output as JSON, of what must have worked.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Lines of words, of what must have worked.
    #[track_caller]
    pub(crate) fn words(self) -> Vec<Vec<String>> {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
        self.ok().lines().map(words).collect()
    }

    /// Asserts that it failed with this code and says this on standard error, and no panic.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, said: &str) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(self.stderr.starts_with("error: "), "{self:#?}");
        assert!(self.stderr.contains(said), "`{said}` is not in {self:#?}");
    }
}
