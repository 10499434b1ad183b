//! From the command line to the exit code.

use std::{io::Write, process::ExitCode};

use clap::Parser;

use super::{
    Cli,
    args::{ClientArgs, Verb},
    exit::{Failure, is_closed_pipe},
    output::Output,
};
use crate::util::Clock;

/// Does what the command line says.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are "errors" too; they go to standard output and are code 0.
            return match error.print() {
                Err(error) if !is_closed_pipe(&error) => ExitCode::FAILURE,
                _ => u8::try_from(error.exit_code()).unwrap_or(2).into(),
            };
        }
    };
    let is_json = cli.wants_json();
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let message = if is_json { failure.json() } else { failure.message() };
            if let Some(message) = message {
                // Where nobody listens the exit code still says it; `eprintln!` would panic.
                let _unheard = writeln!(std::io::stderr(), "{message}");
            }
            ExitCode::from(&failure)
        }
    }
}

fn dispatch(cli: Cli) -> Result<(), Failure> {
    let is_json = cli.wants_json();
    let Cli { client: before, verb } = cli;
    match verb {
        Verb::Serve(serve) => {
            no_client(&before, "serve")?;
            serve.run()
        }
        Verb::CheckConfig(check) => {
            no_client(&before.without_json(), "check-config")?;
            check.run(&mut Output::stdout(is_json), std::io::stderr(), &Clock::system())
        }
        Verb::Completions(completions) => {
            no_client(&before, "completions")?;
            completions.run(&mut Output::stdout(false))
        }
        Verb::Export(mut export) => {
            no_client(&before.without_json(), "export")?;
            export.json = is_json;
            export.run(std::io::stdout(), std::io::stderr(), &Clock::system())
        }
        Verb::Import(import) => {
            no_client(&before.without_json(), "import")?;
            let (mut output, clock) = (Output::stdout(is_json), Clock::system());
            import.run(std::io::stdin().lock(), &mut output, std::io::stderr(), &clock)
        }
        verb => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(anyhow::Error::from)?;
            runtime.block_on(dispatch_client(verb, before))
        }
    }
}

/// The verbs that speak to a server.
async fn dispatch_client(verb: Verb, before: ClientArgs) -> Result<(), Failure> {
    /// Runs a verb with its client and its output.
    macro_rules! with_client {
        ($verb:expr $(, $more:expr)*) => {{
            let args = $verb.client.or(before);
            let mut output = Output::stdout(args.json);
            $verb.own.run(&args.client()?, &mut output $(, $more)*).await
        }};
    }
    match verb {
        Verb::Register(verb) => with_client!(verb),
        Verb::Deregister(verb) => with_client!(verb),
        Verb::Drain(verb) => with_client!(verb),
        Verb::List(verb) => with_client!(verb),
        Verb::Show(verb) => with_client!(verb, &Clock::system()),
        Verb::Policy(verb) => with_client!(verb),
        Verb::Watch(verb) => with_client!(verb),
        Verb::Servers(verb) => with_client!(verb, &Clock::system()),
        Verb::Resolve(verb) => {
            let args = verb.client.or(before);
            args.no_server("resolve")?;
            verb.own.run(&args, &mut Output::stdout(args.json)).await
        }
        Verb::CheckConfig(_)
        | Verb::Completions(_)
        | Verb::Export(_)
        | Verb::Import(_)
        | Verb::Serve(_) => Ok(()),
    }
}

/// Client options before a verb that is no client would be silently without effect.
fn no_client(given: &ClientArgs, verb: &str) -> Result<(), Failure> {
    match given.given() {
        Some(option) => Err(Failure::Usage(format!("{option} means nothing to `{verb}`"))),
        None => Ok(()),
    }
}
