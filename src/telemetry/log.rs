//! Where log lines go and what they look like.
//!
//! Lines are written by a thread of their own: a log that is read slowly, or not at all, must not
//! hold up the registry's writer. When the queue is full, lines are lost rather than work.

use std::io::IsTerminal;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt};

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Time, level, module, message, fields; coloured on a terminal.
    #[default]
    Text,
}

/// Changes the filter while the server runs.
pub type FilterHandle = reload::Handle<EnvFilter, tracing_subscriber::Registry>;

/// Lines that wait to be written: 10 MB at 160 octets a line, or some seconds of a mass failure.
const LINES_WAITING_MAX: usize = 65_536;

/// Logging that has been started; its end writes the lines that wait.
#[must_use = "lines that wait are lost without it"]
pub struct Logging {
    /// Changes the filter.
    pub filter: FilterHandle,
    _written_at_the_end: WorkerGuard,
}

/// Starts logging to standard error, by a filter such as `info` or `info,rollcall::dns=debug`.
///
/// hickory logs each request at INFO, which would cost every query on the full path, and its
/// decoder warns of odd packets, with which anybody could fill the disk; they are held to warnings
/// and to errors unless the filter names them.
///
/// # Errors
/// When the filter does not parse, or logging was started before.
pub fn init_logging(filter: &str, format: LogFormat) -> Result<Logging, anyhow::Error> {
    let (filter, handle) = reload::Layer::new(parse_filter(filter)?);
    let registry = tracing_subscriber::registry().with(filter);
    let builder = NonBlockingBuilder::default().buffered_lines_limit(LINES_WAITING_MAX);
    let (writer, guard) = builder.thread_name("log").finish(std::io::stderr());
    match format {
        LogFormat::Json => registry.with(fmt::layer().json().with_writer(writer)).try_init()?,
        LogFormat::Text => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let layer = fmt::layer().with_ansi(colour).with_writer(writer);
            registry.with(layer).try_init()?;
        }
    }
    Ok(Logging { filter: handle, _written_at_the_end: guard })
}

/// Parses a filter and adds what is always held down.
///
/// # Errors
/// When the text is no filter.
pub fn parse_filter(filter: &str) -> Result<EnvFilter, anyhow::Error> {
    const QUIET: &str = ",hickory_server=warn,hickory_net=warn,hickory_proto=error";
    let quiet = if filter.contains("hickory") { "" } else { QUIET };
    Ok(EnvFilter::try_new(format!("{filter}{quiet}"))?)
}
