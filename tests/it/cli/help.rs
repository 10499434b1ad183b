//! What the binary says about itself.

use crate::support::command::{rollcall, run, run_with};

/// The verbs, as the help lists them.
fn verbs() -> Vec<String> {
    let help = run(&mut rollcall(["--help"])).ok();
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    commands.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

#[test]
fn the_help_lists_every_verb_and_every_exit_code() {
    let expected = [
        "serve",
        "check-config",
        "register",
        "deregister",
        "drain",
        "list",
        "show",
        "policy",
        "watch",
        "servers",
        "resolve",
        "export",
        "import",
        "completions",
        "help",
    ];
    assert_eq!(verbs(), expected);
    let help = run(&mut rollcall(["--help"])).ok();
    for code in ["  0 ", "  1 ", "  2 ", "  69 ", "  78 "] {
        assert!(help.lines().any(|line| line.starts_with(code)), "{code} is not in {help}");
    }
    let bare = run(&mut rollcall([]));
    assert_eq!((bare.code, bare.stdout.as_str()), (Some(2), ""), "without a verb it is a mistake");
    assert_eq!(bare.stderr.trim_end(), help.trim_end(), "that is told by the help");
}

#[test]
fn every_verb_explains_itself_with_options_examples_and_exit_codes() {
    for verb in verbs().iter().filter(|verb| *verb != "help") {
        let help = run(&mut rollcall([verb, "--help"])).ok();
        let usage = format!("Usage: rollcall {verb}");
        for part in [&usage, "Options:", "Examples:\n  rollcall ", "Exit codes:\n  0 "] {
            assert!(help.contains(part), "{verb}: `{part}` is not in {help}");
        }
        assert_eq!(run(&mut rollcall(["help", verb])).ok(), help);
        let widest = help.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(110), "{verb}: {widest:?}");
        // Every option and argument says what it is for.
        let lines: Vec<_> = help.lines().collect();
        for (line, below) in lines.iter().zip(&lines[1..]) {
            let option = line.trim_start();
            let is_option = option.starts_with("--") || option.starts_with("-h");
            if is_option && !line.contains("rollcall ") {
                assert!(!below.trim().is_empty(), "{verb}: {option} is not explained");
            }
        }
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let expected = concat!("rollcall ", env!("CARGO_PKG_VERSION"), "\n");
    for flag in ["--version", "-V"] {
        assert_eq!(run(&mut rollcall([flag])).ok(), expected);
    }
}

#[test]
fn completions_are_scripts_that_know_every_verb_and_option() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&mut rollcall(["completions", shell])).ok();
        for verb in verbs() {
            assert!(script.contains(&verb), "{shell}: {verb}");
        }
        for option in ["log-filter", "when-none-healthy", "deregister-after", "replace"] {
            assert!(script.contains(option), "{shell}: {option}");
        }
    }
    let script = run(&mut rollcall(["completions", "bash"])).ok();
    let complete = format!(
        "{script}\nCOMP_WORDS=(rollcall dereg) COMP_CWORD=1\n_rollcall rollcall dereg rollcall\n\
         echo \"${{COMPREPLY[@]}}\""
    );
    let mut bash = std::process::Command::new("bash");
    assert_eq!(run_with(bash.arg("-s"), &complete).ok(), "deregister\n");
}
