//! The threads that connections live on.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

use crate::dns::{
    Transport,
    stats::{SharedPen, Stats},
};

/// One thread for each core, with a runtime of its own each: what happens on a connection wakes
/// nobody on another core. They end when this is dropped.
#[derive(Debug)]
pub(in crate::dns) struct Runners {
    all: Vec<Runner>,
    turn: AtomicUsize,
}

/// One of the threads.
#[derive(Debug)]
pub(in crate::dns) struct Runner {
    /// The way to its runtime.
    pub runtime: Handle,
    /// What its connections count with, for each transport that is served. Shared among them, so
    /// the lock is never waited for.
    pens: Vec<(Transport, SharedPen)>,
    _alive: oneshot::Sender<()>,
}

// === impl Runners ===

impl Runners {
    /// Starts `count` threads, at least one, for the connections of some transports; `name` is how
    /// the system shows them.
    ///
    /// # Errors
    /// When the system refuses a thread or what a runtime needs.
    pub(in crate::dns) fn start(
        (name, count): (&str, usize),
        stats: &Stats,
        transports: &[Transport],
    ) -> io::Result<(Self, Vec<thread::JoinHandle<()>>)> {
        let (mut all, mut threads) = (Vec::new(), Vec::new());
        for number in 0..count.max(1) {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let handle = runtime.handle().clone();
            let (alive, is_over) = oneshot::channel::<()>();
            let name = format!("{name}-{number}");
            threads.push(thread::Builder::new().name(name).spawn(move || {
                // Nothing is ever sent: it ends with its sender.
                let _ended = runtime.block_on(is_over);
            })?);
            let pens = transports.iter().map(|&it| (it, stats.pen(it).shared())).collect();
            all.push(Runner { runtime: handle, pens, _alive: alive });
        }
        Ok((Self { all, turn: AtomicUsize::new(0) }, threads))
    }

    /// The one whose turn it is to take a connection.
    pub(in crate::dns) fn next(&self) -> &Runner {
        &self.all[self.turn.fetch_add(1, Relaxed) % self.all.len()]
    }
}

// === impl Runner ===

impl Runner {
    /// What connections of a transport that is served count with.
    pub(in crate::dns) fn pen(&self, transport: Transport) -> SharedPen {
        let pen = self.pens.iter().find(|(other, _)| *other == transport);
        Arc::clone(&pen.expect("it is served: its pens are made at the start").1)
    }
}
