//! What came of all cases: failures to be read by people, and proof that the interesting cases are
//! among them.

use std::{collections::BTreeMap, fmt};

use super::{
    compare::{Case, Compared},
    data::{CNAME, DNAME, NS},
    server::PEERS,
};

/// Failures that are shown; the others are only counted.
const SHOWN_MAX: usize = 10;

/// Kinds of cases, of each of which there must be some.
const KINDS: [&str; 11] = [
    "CNAME",
    "DNAME",
    "NODATA",
    "NXDOMAIN",
    "REFUSED",
    "YXDOMAIN",
    "beyond the zone",
    "empty non-terminal",
    "referral",
    "truncated",
    "wildcard",
];

/// Counts, and the shortest failure of each kind.
#[derive(Default)]
pub(crate) struct Tally {
    cases: usize,
    failed: usize,
    /// Cases in which the three agree in all parts.
    agreed: usize,
    /// How often they do not, by part.
    split: BTreeMap<&'static str, usize>,
    /// How many cases there were of each of [`KINDS`].
    kinds: BTreeMap<&'static str, usize>,
    /// By what differs and in which type, so that one mistake does not hide another.
    failures: BTreeMap<String, (usize, String)>,
}

// === impl Tally ===

impl Tally {
    /// Compares a case and counts what came of it.
    pub(crate) fn add(&mut self, seed: u64, case: &Case<'_>) {
        let compared = case.compare();
        self.cases += 1;
        self.agreed += usize::from(compared.split.is_empty());
        for part in &compared.split {
            *self.split.entry(part).or_default() += 1;
        }
        for kind in kinds(case) {
            *self.kinds.entry(kind).or_default() += 1;
        }
        if compared.differences.is_empty() {
            return;
        }
        self.failed += 1;
        let parts: Vec<_> = compared.differences.iter().map(|difference| difference.part).collect();
        let kind = format!("{} of {}", parts.join(", "), case.question.rtype);
        let text = show(seed, case, &compared);
        let (count, shown) = self.failures.entry(kind).or_insert_with(|| (0, text.clone()));
        *count += 1;
        if text.len() < shown.len() {
            *shown = text;
        }
    }

    /// Ends the test if a case failed, if a kind is missing, or if the three seldom agree.
    pub(crate) fn check(&self) {
        let failures = self.failures.iter().take(SHOWN_MAX);
        let shown = failures.map(|(kind, (count, text))| format!("{count} times {kind}:\n{text}"));
        assert!(self.failed == 0, "{}\n{self}", shown.collect::<Vec<_>>().join("\n"));
        for kind in KINDS {
            let count = self.kinds.get(kind).copied().unwrap_or_default();
            // One in ten thousand: the rarest, YXDOMAIN, has some twenty.
            assert!(count >= self.cases / 10_000, "{count} cases of {kind}: {self}");
        }
        assert!(self.agreed >= self.cases / 10 * 9, "the three seldom agree: {self}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cases, agreed, failed, kinds, split, .. } = self;
        write!(f, "{cases} cases, {failed} failed; in {agreed} the three agree on all")?;
        for (what, counts) in [("kinds", kinds), ("split", split)] {
            let counts: Vec<_> = counts.iter().map(|(name, n)| format!("{name} {n}")).collect();
            write!(f, "\n  {what}: {}", counts.join(", "))?;
        }
        Ok(())
    }
}

/// The zones, the question as a line for dig, all replies, and what was expected.
fn show(seed: u64, case: &Case<'_>, compared: &Compared) -> String {
    let mut out = format!("DIFFERENTIAL_SEED={seed}\n");
    case.world.zones.iter().for_each(|zone| out += &format!("{zone}\n"));
    out += &format!("{}\n", case.question);
    let names = PEERS.iter().map(|program| program.name).chain(["Rollcall"]);
    for (name, told) in names.zip(case.peers.iter().chain([&case.ours])) {
        out += &format!("{name}: {}\n", told.first);
        let again = told.whole.as_ref().map(|whole| format!("{name}, over TCP: {whole}\n"));
        out += &again.unwrap_or_default();
    }
    for difference in &compared.differences {
        out += &format!("expected {}: {}\n", difference.part, difference.expected.trim_end());
    }
    out
}

/// Which of [`KINDS`] a case is.
fn kinds(case: &Case<'_>) -> impl Iterator<Item = &'static str> {
    let reply = &case.ours.first;
    let has = |rtype: u16| reply.answer.iter().any(|set| set.rtype == rtype);
    let is_delegation = reply.authority.iter().any(|set| set.rtype == NS.0);
    let is_nodata = reply.rcode == 0 && reply.answer.is_empty() && reply.is_authoritative();
    let name = case.question.name.to_lower();
    let zone = case.world.zone_of(&name);
    let owns_nothing = zone.is_some_and(|zone| zone.types(&name).is_empty());
    let is_above = || zone.is_some_and(|zone| zone.owners().any(|owner| owner.is_within(&name)));
    let is = [
        has(CNAME.0),
        has(DNAME.0),
        is_nodata,
        reply.rcode == 3,
        reply.rcode == 5,
        reply.rcode == 6,
        case.beyond.is_some(),
        is_nodata && owns_nothing && is_above(),
        is_delegation && !reply.is_authoritative(),
        reply.is_truncated(),
        owns_nothing && !has(DNAME.0) && !reply.answer.is_empty(),
    ];
    KINDS.into_iter().zip(is).filter(|(_, is)| *is).map(|(kind, _)| kind)
}
