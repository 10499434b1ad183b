//! Where log lines go and what they look like.
//!
//! Lines are written by a thread of their own: a log that is read slowly, or not at all, must not
//! hold up the registry's writer. When the queue is full, lines are lost rather than work, and
//! counted.

use std::io::{IsTerminal, Write};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt};

use super::{Metrics, filter::parse_filter};

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
    dropped: Dropped,
    _written_at_the_end: WorkerGuard,
}

/// Shows how many lines found no room.
#[derive(Debug, Clone)]
struct Dropped(ErrorCounter);

/// Starts logging to standard error, by a filter as [`parse_filter`] takes it.
///
/// # Errors
/// When the filter does not parse, or logging was started before.
pub fn init_logging(filter: &str, format: LogFormat) -> Result<Logging, anyhow::Error> {
    let (filter, handle) = reload::Layer::new(parse_filter(filter)?);
    let registry = tracing_subscriber::registry().with(filter);
    let (writer, dropped, guard) = queue(std::io::stderr(), LINES_WAITING_MAX);
    match format {
        LogFormat::Json => registry.with(fmt::layer().json().with_writer(writer)).try_init()?,
        LogFormat::Text => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let layer = fmt::layer().with_ansi(colour).with_writer(writer);
            registry.with(layer).try_init()?;
        }
    }
    Ok(Logging { filter: handle, dropped, _written_at_the_end: guard })
}

/// A queue of lines, and the thread that writes them to `out`.
fn queue(
    out: impl Write + Send + 'static,
    lines_max: usize,
) -> (NonBlocking, Dropped, WorkerGuard) {
    let builder = NonBlockingBuilder::default().buffered_lines_limit(lines_max);
    let (writer, guard) = builder.thread_name("log").finish(out);
    let dropped = Dropped(writer.error_counter());
    (writer, dropped, guard)
}

// === impl Logging ===

impl Logging {
    /// Registers what logging counts of itself.
    pub fn register(&self, metrics: &Metrics) {
        self.dropped.clone().register(metrics);
    }
}

// === impl Dropped ===

impl Dropped {
    fn register(self, metrics: &Metrics) {
        metrics.register(|registry| registry.register_collector(Box::new(self)));
    }
}

impl Collector for Dropped {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let help = "Log lines lost because too many waited to be written.";
        let lines = self.0.dropped_lines() as u64;
        encoder
            .encode_descriptor("log_lines_dropped", help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, u64, u64>(&lines, None)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::mpsc::{Receiver, Sender, channel},
    };

    use super::{Metrics, queue};

    /// Says that a line has come, and takes it when it is told to.
    struct Slow {
        came: Sender<()>,
        may_go_on: Receiver<()>,
    }

    impl Write for Slow {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            // The test is over when the other ends are gone.
            let _over = self.came.send(());
            let _over = self.may_go_on.recv();
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// They were lost without a trace.
    #[test]
    fn lines_that_find_no_room_are_counted() {
        let ((came, has_come), (go_on, may_go_on)) = (channel(), channel());
        let (mut log, dropped, _guard) = queue(Slow { came, may_go_on }, 2);
        let metrics = Metrics::new();
        dropped.register(&metrics);
        let shows = |count: u64| {
            let text = metrics.encode_classic().unwrap();
            assert!(
                text.contains(&format!("\nrollcall_log_lines_dropped_total {count}\n")),
                "{text}"
            );
        };
        log.write_all(b"being written\n").unwrap();
        has_come.recv().unwrap();
        (0..2).for_each(|_| log.write_all(b"waiting\n").unwrap());
        shows(0);
        (0..3).for_each(|_| log.write_all(b"lost\n").unwrap());
        shows(3);
        drop(go_on);
    }
}
