//! `rollcall completions`: what a shell needs to complete our command lines.

use clap::{Args, CommandFactory};

use crate::cli::{Cli, exit::Failure, output::Output};

/// For which shell.
#[derive(Debug, Args)]
pub(in crate::cli) struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

// === impl CompletionsArgs ===

impl CompletionsArgs {
    /// Prints the script.
    pub(in crate::cli) fn run(self, output: &mut Output) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "rollcall", &mut script);
        Ok(output.line(String::from_utf8_lossy(&script).trim_end())?)
    }
}

#[cfg(test)]
mod tests {
    use super::CompletionsArgs;
    use crate::cli::testing::Buffer;

    #[test]
    fn each_verb_is_completed() {
        let buffer = Buffer::default();
        let shell = clap_complete::Shell::Bash;
        CompletionsArgs { shell }.run(&mut buffer.output(false)).unwrap();
        for verb in ["serve", "check-config", "register", "resolve", "--log-filter"] {
            assert!(buffer.text().contains(verb), "{verb}");
        }
    }
}
