//! The command line.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use super::{
    client::Client,
    examples,
    exit::{EXIT_CODES, Failure},
    verbs,
};
use crate::util::{NoDuration, parse_duration};

/// The server that client verbs speak to unless they are told of another.
const SERVER: &str = "http://127.0.0.1:8500";

/// Its variable.
const SERVER_VARIABLE: &str = "ROLLCALL_SERVER";

/// A DNS server for service discovery: names answer with the instances that are healthy now
#[derive(Debug, Parser)]
#[command(name = "rollcall", version, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    pub(super) client: ClientArgs,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Run the server: DNS, HTTP and health checks
    ///
    /// Flags win over the environment, which wins over the file: the key `dns.listen` is
    /// --dns, ROLLCALL_DNS_LISTEN, and `listen` in the table `dns`.
    #[command(after_long_help = examples::after(examples::SERVE))]
    Serve(verbs::serve::ServeArgs),
    /// Say whether a configuration file is right, and where it is not
    ///
    /// The file alone is read: flags and environment of a server that uses it are not known here.
    #[command(after_long_help = examples::after(examples::CHECK_CONFIG))]
    CheckConfig(verbs::check_config::CheckConfigArgs),
    /// Register an instance, or replace it
    ///
    /// When it returns, the instance is durable and, once it is healthy, in that server's answers.
    #[command(after_long_help = examples::after(examples::REGISTER), allow_negative_numbers = true)]
    Register(WithClient<verbs::register::RegisterArgs>),
    /// Take an instance out of the registry
    ///
    /// When it returns, no later query on that server has the instance in its answer.
    #[command(after_long_help = examples::after(examples::DEREGISTER))]
    Deregister(WithClient<verbs::deregister::DeregisterArgs>),
    /// Take an instance out of the answers, or put it back
    ///
    /// The instance stays registered and checked, and stays drained over restarts of the server.
    #[command(after_long_help = examples::after(examples::DRAIN))]
    Drain(WithClient<verbs::drain::DrainArgs>),
    /// List all services
    ///
    /// Columns: SERVICE INSTANCES ANSWERED PASSING WARNING CRITICAL SUSPECT DRAINED TAGS, of which
    /// a narrow terminal shows what matters most.
    ///
    /// Each instance is passing, warning or critical; beside that it may be suspect (silent, and
    /// kept in the answers by self-preservation) or drained. ANSWERED is what DNS answers with.
    #[command(after_long_help = examples::after(examples::LIST))]
    List(WithClient<verbs::list::ListArgs>),
    /// Show one service and its instances
    ///
    /// Columns: INSTANCE ADDRESS PORT WEIGHT PRIO STATUS SINCE TAGS ORIGIN OUTPUT. ORIGIN is for
    /// what came by another interface: `consul:NODE/ID` or `eureka:APPLICATION/ID`, as it is there.
    ///
    /// OUTPUT is what the check's output begins with. On a narrow terminal lists and texts are cut
    /// and columns left out; --json has all.
    #[command(after_long_help = examples::after(examples::SHOW))]
    Show(WithClient<verbs::show::ShowArgs>),
    /// Show, set or unset how a service is answered
    ///
    /// Without options it shows the policy; options change what they name and keep the rest.
    #[command(after_long_help = examples::after(examples::POLICY), allow_negative_numbers = true)]
    Policy(WithClient<verbs::policy::PolicyArgs>),
    /// Print what happens, as it happens
    ///
    /// A line an event: REVISION TIME EVENT SERVICE/INSTANCE, what changed, and how a check's
    /// output begins; with --json the event's data, whole. It goes on by itself where it was when
    /// the connection was interrupted.
    #[command(after_long_help = examples::after(examples::WATCH))]
    Watch(WithClient<verbs::watch::WatchArgs>),
    /// List the servers that share the registry
    ///
    /// Columns: SERVER HTTP VERSION SINCE INSTANCES ASKED, as the server sees them that is asked.
    /// SINCE is for how long it has been running, INSTANCES how many the one that is asked looks
    /// after. With an embedded store that one is alone.
    #[command(after_long_help = examples::after(examples::SERVERS))]
    Servers(WithClient<verbs::servers::ServersArgs>),
    /// Ask the server's DNS for a name
    ///
    /// Columns: NAME TTL TYPE DATA, below a line with each reply's code and flags. The exit code is
    /// 1 when there is no such name or no such records.
    #[command(after_long_help = examples::after(examples::RESOLVE))]
    #[command(mut_arg("server", |server| server.hide(true)))]
    Resolve(WithClient<verbs::resolve::ResolveArgs>),
    /// Write the store of a stopped server, or what servers share in etcd, as JSON lines
    ///
    /// With an embedded store the server must be stopped: a data directory belongs to one process.
    /// What is in etcd is read as of one moment, while servers go on.
    #[command(after_long_help = examples::after(examples::EXPORT))]
    Export(verbs::export::ExportArgs),
    /// Put an export into the place of a store, or into etcd
    ///
    /// Into an embedded store all or nothing; the server must be stopped. Into etcd it goes in many
    /// transactions, after all of it was read and found to fit. With --replace, also while servers
    /// go on: what is new is put over what is there first, and what the export does not have goes
    /// last, so that no server ever has less than is in either. If it is interrupted, what is there
    /// is partly from the export: repeat it with --replace.
    #[command(after_long_help = examples::after(examples::IMPORT))]
    Import(verbs::import::ImportArgs),
    /// Print the completions for a shell
    #[command(after_long_help = examples::after(examples::COMPLETIONS))]
    Completions(verbs::completions::CompletionsArgs),
}

/// What every client verb takes. It may stand before the verb or behind it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Client options")]
pub(super) struct ClientArgs {
    /// Where the server's HTTP interface is [default: $ROLLCALL_SERVER or http://127.0.0.1:8500]
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// For how long to wait for an answer [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    /// Print JSON instead of text; a failure, too, on standard error
    #[arg(long)]
    pub json: bool,
}

/// A verb's own arguments and those of every client verb.
#[derive(Debug, Args)]
pub(super) struct WithClient<A: Args> {
    #[command(flatten)]
    pub own: A,
    #[command(flatten)]
    pub client: ClientArgs,
}

// === impl Cli ===

impl Cli {
    /// Whether JSON is wanted, wherever that was said.
    pub(super) fn wants_json(&self) -> bool {
        let behind = match &self.verb {
            Verb::Register(verb) => verb.client.json,
            Verb::Deregister(verb) => verb.client.json,
            Verb::Drain(verb) => verb.client.json,
            Verb::List(verb) => verb.client.json,
            Verb::Show(verb) => verb.client.json,
            Verb::Policy(verb) => verb.client.json,
            Verb::Watch(verb) => verb.client.json,
            Verb::Servers(verb) => verb.client.json,
            Verb::Resolve(verb) => verb.client.json,
            Verb::CheckConfig(verb) => verb.json,
            Verb::Export(verb) => verb.json,
            Verb::Import(verb) => verb.json,
            Verb::Completions(_) | Verb::Serve(_) => false,
        };
        self.client.json || behind
    }
}

// === impl ClientArgs ===

impl ClientArgs {
    /// These, and what they leave open as it stood before the verb.
    #[must_use]
    pub(super) fn or(self, before: Self) -> Self {
        Self {
            server: self.server.or(before.server),
            timeout: self.timeout.or(before.timeout),
            json: self.json || before.json,
        }
    }

    /// These, for a verb that has `--json` and no server.
    #[must_use]
    pub(super) fn without_json(self) -> Self {
        Self { json: false, ..self }
    }

    /// The first of the options that was given, to refuse it where it means nothing.
    pub(super) fn given(&self) -> Option<&'static str> {
        let options = [
            ("--server", self.server.is_some()),
            ("--timeout", self.timeout.is_some()),
            ("--json", self.json),
        ];
        options.into_iter().find_map(|(name, given)| given.then_some(name))
    }

    /// Refuses the server's URL where another address counts.
    pub(super) fn no_server(&self, verb: &str) -> Result<(), Failure> {
        match self.server {
            Some(_) => Err(Failure::Usage(format!(
                "--server means nothing to `{verb}`, which asks by DNS; --dns names the place"
            ))),
            None => Ok(()),
        }
    }

    /// For how long to wait for an answer.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_secs(10))
    }

    /// A client of the server that is meant.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        let variable = std::env::var(SERVER_VARIABLE).ok().filter(|url| !url.is_empty());
        let url = self.server.clone().or(variable);
        Client::new(url.as_deref().unwrap_or(SERVER), self.timeout())
    }
}

/// Reads a duration of a flag.
pub(super) fn duration(text: &str) -> Result<Duration, NoDuration> {
    parse_duration(text)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Cli, Verb};

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn client_options_stand_before_the_verb_or_behind_it() {
        for line in
            ["rollcall --json --server http://x list", "rollcall list --json --server http://x"]
        {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            let Verb::List(list) = cli.verb else { panic!("it is the verb list") };
            let client = list.client.or(cli.client);
            assert_eq!((client.json, client.server.as_deref()), (true, Some("http://x")), "{line}");
        }
        assert!(Cli::try_parse_from(["rollcall", "serve", "--json"]).is_err());
    }
}
