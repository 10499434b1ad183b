//! Zones of `[forward]` whose upstreams are never asked, because zone files have all their names.
//!
//! Either of the two may be what was meant, and a zone file comes and goes while the server runs:
//! so this is no reason to refuse a configuration or a zone, but it is told (log, `/ready`), and
//! looked for anew when one of them changes. What is delegated in a zone file is not its own, and
//! is what such upstreams are for. Names of services are another matter, as both keys are in one
//! configuration: there it is a mistake (`config/across.rs`).

use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    dns::{
        forward::ForwardSpec,
        zone::{Zones, ZonesHandle},
    },
    model::DnsName,
    telemetry::Board,
};

/// Name of the condition on the board.
const CONDITION: &str = "forward zones";

/// Compares the two; clones share what they know.
#[derive(Debug, Clone)]
pub(super) struct Unasked {
    zones: ZonesHandle,
    board: Board,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    suffixes: Vec<DnsName>,
    problems: Vec<String>,
}

// === impl Unasked ===

impl Unasked {
    pub(super) fn new(zones: ZonesHandle, board: Board) -> Self {
        Self { zones, board, known: Arc::default() }
    }

    /// Compares what is configured now.
    pub(super) fn configure(&self, spec: &ForwardSpec) {
        let mut known = self.known.lock();
        known.suffixes = spec.zones.iter().map(|zone| zone.suffix.clone()).collect();
        self.look(&mut known);
    }

    /// Compares whenever the zones have changed, until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        while stop.run_until_cancelled(self.zones.published()).await.is_some() {
            self.look(&mut self.known.lock());
        }
    }

    fn look(&self, known: &mut Known) {
        let problems = problems(&self.zones.load(), &known.suffixes);
        if problems == known.problems {
            return;
        }
        if problems.is_empty() {
            self.board.clear(CONDITION);
        } else {
            self.board.note(CONDITION, problems.join("; "));
        }
        // Behind the note, so that whoever has read the line finds it.
        for problem in problems.iter().filter(|problem| !known.problems.contains(problem)) {
            warn!("{problem}");
        }
        known.problems = problems;
    }
}

/// What there is to say of zones that are to be forwarded.
pub(super) fn problems<'n>(
    zones: &Zones,
    suffixes: impl IntoIterator<Item = &'n DnsName>,
) -> Vec<String> {
    let problem = |(suffix, zone): (&DnsName, &crate::dns::zone::Zone)| {
        format!(
            "`forward.zones`: nobody is asked for `{suffix}`, as the zone `{}` in `{}` has all its \
             names; delegate it there by NS records, or leave it out in one of the two",
            zone.origin(),
            zone.file()
        )
    };
    zones.own_whole(suffixes.into_iter()).into_iter().map(problem).collect()
}
