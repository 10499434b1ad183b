//! The process as Prometheus' client libraries show it: `process_…`, read from /proc on scrape.
//!
//! Own code because the usual crate brings a second metrics facade; the names, units and meanings
//! are those that every dashboard for Go and Python programs knows.

use std::{fs, io};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
};

/// Reads the numbers when somebody asks.
#[derive(Debug)]
pub(super) struct Process;

/// What /proc says of this process.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Numbers {
    cpu_seconds: f64,
    started_at_seconds: f64,
    resident_octets: u64,
    virtual_octets: u64,
    open_files: u64,
    open_files_max: u64,
    threads: u64,
}

/// Ticks of the kernel's clock in a second, as it shows them: fixed for all of Linux' programs.
const TICKS: f64 = 100.0;

// === impl Process ===

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        // Without /proc there is nothing to show, which is no reason to show nothing else.
        let Ok(numbers) = Numbers::read() else { return Ok(()) };
        let help = "User and system time, seconds.";
        encoder
            .encode_descriptor("process_cpu_seconds", help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, f64, u64>(&numbers.cpu_seconds, None)?;
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float to whoever reads it")]
        let count = |number: u64| number as f64;
        for (name, help, value) in [
            ("process_start_time_seconds", "Start, Unix time.", numbers.started_at_seconds),
            ("process_resident_memory_bytes", "Resident memory.", count(numbers.resident_octets)),
            ("process_virtual_memory_bytes", "Virtual memory.", count(numbers.virtual_octets)),
            ("process_open_fds", "Open file descriptors.", count(numbers.open_files)),
            ("process_max_fds", "File descriptors allowed.", count(numbers.open_files_max)),
            ("process_threads", "Threads.", count(numbers.threads)),
        ] {
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)?;
        }
        Ok(())
    }
}

// === impl Numbers ===

impl Numbers {
    fn read() -> io::Result<Self> {
        let [stat, status, limits, system] =
            ["/proc/self/stat", "/proc/self/status", "/proc/self/limits", "/proc/stat"]
                .map(fs::read_to_string);
        let open_files = fs::read_dir("/proc/self/fd")?.count() as u64;
        Self::parse([&stat?, &status?, &limits?, &system?], open_files)
            .ok_or_else(|| io::Error::other("/proc is in another form"))
    }

    fn parse([stat, status, limits, system]: [&str; 4], open_files: u64) -> Option<Self> {
        // The second field is the program's name in parentheses, with anything in it.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
        let after = |text: &str, name: &str| -> Option<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        // Counted from the third field, the state: utime 14, stime 15, starttime 22 (proc(5)).
        let (user, kernel, start) = (ticks(11)?, ticks(12)?, ticks(19)?);
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
        let booted_at = after(system, "btime")? as f64;
        Some(Self {
            cpu_seconds: (user + kernel) / TICKS,
            started_at_seconds: booted_at + start / TICKS,
            resident_octets: after(status, "VmRSS:")? * 1024,
            virtual_octets: after(status, "VmSize:")? * 1024,
            open_files,
            open_files_max: after(limits, "Max open files")?,
            threads: after(status, "Threads:")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Numbers;

    #[test]
    fn the_fields_are_counted_behind_the_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 9 0 0 0 150 50 0 0 20 0 5 0 1000 9 9 9";
        let status = "Name:\ta\nVmSize:\t  2048 kB\nVmRSS:\t  1024 kB\nThreads:\t5\n";
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files  1024  4096  files\n";
        let numbers = Numbers::parse([stat, status, limits, "cpu 1\nbtime 500\n"], 9).unwrap();
        let expected = Numbers {
            cpu_seconds: 2.0,
            started_at_seconds: 510.0,
            resident_octets: 1 << 20,
            virtual_octets: 2 << 20,
            open_files: 9,
            open_files_max: 1024,
            threads: 5,
        };
        assert_eq!(numbers, expected);
    }

    #[test]
    fn this_process_can_be_read() {
        let numbers = Numbers::read().unwrap();
        assert!(numbers.resident_octets > 0 && numbers.open_files > 2 && numbers.threads > 0);
    }
}
