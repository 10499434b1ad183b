//! Where log lines go and what they look like.

use std::io::IsTerminal;

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

/// Starts logging to standard error, by a filter such as `info` or `info,rollcall::dns=debug`.
///
/// hickory logs each request at INFO, which would cost every query on the full path, and its
/// decoder warns of odd packets, with which anybody could fill the disk; they are held to warnings
/// and to errors unless the filter names them.
///
/// # Errors
/// When the filter does not parse, or logging was started before.
pub fn init_logging(filter: &str, format: LogFormat) -> Result<FilterHandle, anyhow::Error> {
    let (filter, handle) = reload::Layer::new(parse_filter(filter)?);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Json => {
            registry.with(fmt::layer().json().with_writer(std::io::stderr)).try_init()?;
        }
        LogFormat::Text => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let layer = fmt::layer().with_ansi(colour).with_writer(std::io::stderr);
            registry.with(layer).try_init()?;
        }
    }
    Ok(handle)
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
