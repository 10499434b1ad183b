//! The weather of a server: the times in which less is asked of it.

use std::time::Duration;

use super::{At, MEMORY, Server};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is dead or stands still: nothing is asked of it.
    Down,
    /// It alone is cut off from etcd, and from others, perhaps: it answers, what it knows, and what
    /// it is told by clients may stay with it.
    Apart,
    /// No server has etcd, and all reach one another.
    Outage,
    /// It does not hear of changes, or not at once: it answers, what it knows.
    Behind,
    /// It is told of everything, but what says how instances are may be on the move.
    Moving,
}

/// Bad weather that has begun, wherever it is.
#[derive(Debug)]
pub(crate) struct Excuse {
    pub(super) of_all: u32,
    pub(super) of_each: Vec<(Server, u32)>,
}

/// All bad weather of a server, by its beginning.
#[derive(Debug, Default)]
pub(super) struct Excuses {
    spans: Vec<Span>,
    next: u32,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    number: u32,
    kind: Kind,
    from: At,
    to: Option<At>,
    /// When it was found that the server has caught up, where anybody has looked.
    caught_up: Option<At>,
}

// === impl Excuses ===

impl Excuses {
    pub(super) fn begin(&mut self, kind: Kind, at: At) -> u32 {
        self.spans.retain(|span| span.to.is_none_or(|to| to + MEMORY > at));
        let number = self.next;
        self.next += 1;
        self.spans.push(Span { number, kind, from: at, to: None, caught_up: None });
        number
    }

    pub(super) fn end(&mut self, number: u32, at: At) {
        let mut all = self.spans.iter_mut();
        all.find(|span| span.number == number).expect("it has begun").to = Some(at);
    }

    /// Notes that all of it that has ended has settled by now, however long it may have taken.
    pub(super) fn caught_up(&mut self, at: At) {
        let ended = self.spans.iter_mut().filter(|span| span.to.is_some());
        ended.for_each(|span| {
            span.caught_up.get_or_insert(at);
        });
    }

    /// The earliest moment whose truth may still be told at `at`, when it takes `settled` after bad
    /// weather to catch up: `at` itself in good weather. Bad weather before the last one has
    /// settled counts together with it.
    pub(super) fn reach(&self, at: At, settled: Duration) -> At {
        let mut earliest = at;
        while let Some(span) = self
            .spans
            .iter()
            .find(|span| span.from < earliest && span.end(settled).is_none_or(|end| end > earliest))
        {
            earliest = span.from;
        }
        earliest
    }

    pub(super) fn is_open(&self, kind: Kind) -> bool {
        self.spans.iter().any(|span| span.kind == kind && span.to.is_none())
    }

    /// Whether it was so at some moment from one to another.
    pub(super) fn was(&self, kind: Kind, from: At, to: At) -> bool {
        let mut of_kind = self.spans.iter().filter(|span| span.kind == kind);
        of_kind.any(|span| span.from <= to && span.to.is_none_or(|end| end >= from))
    }

    /// Whether there was bad weather between, or it had not settled.
    pub(super) fn is_within(&self, from: At, to: At, settled: Duration) -> bool {
        let mut all = self.spans.iter();
        all.any(|span| span.from <= to && span.end(settled).is_none_or(|end| end >= from))
    }

    /// When the outage began that is at a moment, or settles; none in other bad weather.
    pub(super) fn outage_at(&self, at: At, settled: Duration) -> Option<At> {
        let is_then =
            |span: &&Span| span.from <= at && span.end(settled).is_none_or(|end| end >= at);
        let mut then = self.spans.iter().filter(is_then);
        let only = then.next().filter(|span| span.kind == Kind::Outage)?;
        then.next().is_none().then_some(only.from)
    }

    /// Since when there has been no bad weather; none when there is.
    pub(super) fn calm_since(&self, at: At) -> Option<At> {
        let ends = self.spans.iter().map(|span| span.to.filter(|to| *to <= at));
        ends.collect::<Option<Vec<At>>>().map(|ends| ends.into_iter().max().unwrap_or_default())
    }
}

// === impl Span ===

impl Span {
    /// When it has settled, which takes so long at the most; `None` while it lasts.
    fn end(&self, settled: Duration) -> Option<At> {
        let end = self.to? + settled;
        Some(self.caught_up.map_or(end, |caught_up| caught_up.min(end)))
    }
}
