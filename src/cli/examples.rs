//! What stands below the options in `rollcall VERB --help`: command lines to start from, and the
//! exit codes. A test reads every line as the command line that it is.

use super::exit::EXIT_CODES;

pub(super) const SERVE: &[&str] = &[
    "rollcall serve",
    "rollcall serve --dns 10.0.0.2:53 --dns [fd00::2]:53 --http 10.0.0.2:8500 --data /data",
    "rollcall serve --config /etc/rollcall.toml --log-format json",
    "rollcall serve --tls-self-signed",
];

pub(super) const CHECK_CONFIG: &[&str] = &["rollcall check-config /etc/rollcall.toml"];

pub(super) const REGISTER: &[&str] = &[
    "rollcall register payment payment-1 --port 8080 --http /health --interval 5s",
    "rollcall register payment payment-2 --address 10.0.1.7 --port 8080 --weight 10 --ttl 15s",
    "rollcall register mail mail-1 --address mail.example.net --port 25",
    "rollcall register payment payment-3 --file payment-3.json",
];

pub(super) const DEREGISTER: &[&str] = &["rollcall deregister payment payment-1"];

pub(super) const DRAIN: &[&str] =
    &["rollcall drain payment payment-1", "rollcall drain payment payment-1 --undo"];

pub(super) const LIST: &[&str] =
    &["rollcall list", "rollcall list --json --server http://10.0.0.2:8500"];

pub(super) const SHOW: &[&str] = &["rollcall show payment", "rollcall show payment --json"];

pub(super) const POLICY: &[&str] = &[
    "rollcall policy payment",
    "rollcall policy payment --ttl 0s --answer-limit 1",
    "rollcall policy payment --when-none-healthy all --min-healthy 0.3",
    "rollcall policy payment --unset",
];

pub(super) const WATCH: &[&str] =
    &["rollcall watch", "rollcall watch payment --json", "rollcall watch --since 0"];

pub(super) const SERVERS: &[&str] =
    &["rollcall servers", "rollcall servers --json --server http://10.0.0.2:8500"];

pub(super) const RESOLVE: &[&str] = &[
    "rollcall resolve payment",
    "rollcall resolve payment --type SRV --dns 10.0.0.2:53",
    "rollcall resolve v1.payment.service.internal --tcp",
    "rollcall resolve 10.0.1.6",
];

pub(super) const EXPORT: &[&str] = &[
    "rollcall export backup.jsonl",
    "rollcall export --data /var/lib/rollcall -",
    "rollcall export --store etcd=http://10.0.0.1:2379 backup.jsonl",
];

pub(super) const IMPORT: &[&str] = &[
    "rollcall import backup.jsonl --data /var/lib/rollcall",
    "rollcall import backup.jsonl --replace",
    "rollcall import backup.jsonl --store etcd=http://10.0.0.1:2379",
];

pub(super) const COMPLETIONS: &[&str] = &[
    "rollcall completions bash > /etc/bash_completion.d/rollcall",
    "rollcall completions zsh > ~/.zfunc/_rollcall",
    "rollcall completions fish > ~/.config/fish/completions/rollcall.fish",
];

/// The end of a verb's help.
pub(super) fn after(examples: &[&str]) -> String {
    format!("Examples:\n  {}\n\n{EXIT_CODES}", examples.join("\n  "))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use crate::cli::Cli;

    #[test]
    fn every_verb_has_examples_that_can_be_typed() {
        for verb in Cli::command().get_subcommands() {
            let help = verb.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
            let mut examples = 0;
            for line in lines.take_while(|line| !line.is_empty()) {
                // What follows a `>` is the shell's.
                let words = line.split_whitespace().take_while(|word| *word != ">");
                let parsed = Cli::try_parse_from(words);
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
                let begin = format!("  rollcall {}", verb.get_name());
                assert!(line.starts_with(&begin), "{line} is not of {}", verb.get_name());
                examples += 1;
            }
            assert!(examples > 0, "{} has no examples", verb.get_name());
        }
    }
}
