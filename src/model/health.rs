//! Health: the three states, what is known of one check, and when a result is believed.

use std::{fmt, sync::Arc};

use super::{CheckSpec, Thresholds, Timestamp};

/// The state of a check or of an instance, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// In order; answered.
    Passing,
    /// Worth a look; answered.
    Warning,
    /// Down; not answered.
    Critical,
}

/// What the registry knows of one check of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckState {
    /// The state that is believed.
    pub status: Status,
    /// What the last result that changed something said; for a person.
    pub output: Arc<str>,
    /// Since when the check is in this state.
    pub since: Timestamp,
}

/// Counts results in a row, and says when they are enough to believe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streak {
    believed: Status,
    /// Whether it is a warning because of failures, and not because a result said so.
    is_warned: bool,
    /// Successes in a row, or failures, which are below zero.
    row: i16,
}

// === impl Status ===

impl Status {
    /// All states, from good to bad.
    pub const ALL: [Self; 3] = [Self::Passing, Self::Warning, Self::Critical];

    /// The name the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The state with that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether an instance in this state is answered.
    pub fn is_up(self) -> bool {
        self != Self::Critical
    }

    /// The state of an instance: its worst check's, passing when it has none.
    pub fn worst(states: impl IntoIterator<Item = Self>) -> Self {
        states.into_iter().max().unwrap_or(Self::Passing)
    }

    /// The same of checks as they are. What is known of the node that an instance is on is not in
    /// it: that is not shared, and each server adds it.
    pub fn of_checks(checks: &[CheckState]) -> Self {
        Self::worst(checks.iter().map(|check| check.status))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl CheckState ===

impl CheckState {
    const PRESET: &str = "initial status";
    const REGISTERED: &str = "registered";
    const UNKNOWN: &str = "not checked yet";

    /// The state of a check before its first result: its own, or `initial`. Without either a `ttl`
    /// check passes, because registering is its first heartbeat, and any other is critical.
    pub fn initial(spec: &CheckSpec, initial: Option<Status>, at: Timestamp) -> Self {
        let (status, output) = match (spec.ttl(), spec.start.or(initial)) {
            (Some(_), None) => (Status::Passing, Self::REGISTERED),
            (_, Some(status)) => (status, Self::PRESET),
            (None, None) => (Status::Critical, Self::UNKNOWN),
        };
        Self { status, output: output.into(), since: at }
    }

    /// What somebody said of a check that passes or warns; `None` when nobody has said anything.
    pub fn last_word(&self) -> Option<&str> {
        let is_said = !matches!(&*self.output, "" | Self::PRESET | Self::REGISTERED);
        Some(&*self.output).filter(|_| is_said && self.status.is_up())
    }

    /// Whether an active check has had no result yet, so that its state is only presumed. A result
    /// always says something; a door whose clients are shown an output of their own begins with
    /// none.
    pub fn awaits_first_result(&self) -> bool {
        matches!(&*self.output, "" | Self::PRESET | Self::UNKNOWN)
    }
}

// === impl Streak ===

impl Streak {
    /// A count that starts from a state that is believed.
    pub fn new(believed: Status) -> Self {
        Self { believed, is_warned: false, row: 0 }
    }

    /// The state that is believed now.
    pub fn believed(&self) -> Status {
        self.believed
    }

    /// Whether a result is what the believed state comes from, so that its words explain it.
    pub fn agrees(&self, result: Status) -> bool {
        result == self.believed || self.is_warned && !result.is_up()
    }

    /// Takes the first result of a check of which nothing was known: it is believed by itself.
    /// Says whether the believed state changed by it.
    pub fn begin(&mut self, result: Status) -> bool {
        let before = self.believed;
        *self = Self::new(result);
        self.count(result);
        before != result
    }

    /// Takes one result, and says whether the believed state changed by it.
    ///
    /// Going down takes `fall` failures in a row, coming up `rise` successes in a row; between
    /// passing and warning one result is enough. `warn_after` failures in a row are a warning, from
    /// which it comes up as from below.
    pub fn observe(&mut self, result: Status, thresholds: &Thresholds) -> bool {
        let (before, row) = (self.believed, self.count(result));
        let is_enough = match result.is_up() {
            true => row >= thresholds.rise || before.is_up() && !self.is_warned,
            false => row >= thresholds.fall,
        };
        let is_worrying = !result.is_up() && (1..=row).contains(&thresholds.warn_after);
        if is_enough {
            (self.believed, self.is_warned) = (result, false);
        } else if before.is_up() && is_worrying {
            (self.believed, self.is_warned) = (Status::Warning, true);
        }
        before != self.believed
    }

    /// Counts a result, and says how many like it there are in a row.
    fn count(&mut self, result: Status) -> u16 {
        self.row = match result.is_up() {
            true => self.row.max(0).saturating_add(1),
            false => self.row.min(0).saturating_sub(1),
        };
        self.row.unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        CheckState,
        Status::{self, Critical, Passing, Warning},
        Streak,
    };
    use crate::model::{CheckKind, CheckSpec, Target, TcpCheck, Thresholds, Timestamp};

    #[test]
    fn results_are_believed_after_rise_and_fall() {
        let thresholds = Thresholds { rise: 2, fall: 3, ..Thresholds::DEFAULT };
        let mut streak = Streak::new(Critical);
        let script = [
            (Passing, Critical),
            (Critical, Critical), // breaks the row
            (Passing, Critical),
            (Warning, Warning), // second success in a row: up, in its own state
            (Passing, Passing),
            (Critical, Passing),
            (Critical, Passing),
            (Passing, Passing), // breaks the row
            (Critical, Passing),
            (Critical, Passing),
            (Critical, Critical),
        ];
        for (step, (result, expected)) in script.into_iter().enumerate() {
            let before = streak.believed();
            let changed = streak.observe(result, &thresholds);
            assert_eq!(streak.believed(), expected, "step {step}");
            assert_eq!(changed, before != expected, "step {step}");
        }
    }

    #[test]
    fn failures_in_a_row_may_be_a_warning_before_they_are_believed() {
        let thresholds = Thresholds { rise: 2, fall: 4, warn_after: 2, ..Thresholds::DEFAULT };
        let mut streak = Streak::new(Passing);
        let script = [
            (Critical, Passing),
            (Critical, Warning),
            (Passing, Warning), // breaks the row, and is one of two
            (Passing, Passing),
            (Critical, Passing),
            (Critical, Warning),
            (Critical, Warning),
            (Critical, Critical),
            (Passing, Critical),
            (Passing, Passing),
        ];
        for (step, (result, expected)) in script.into_iter().enumerate() {
            streak.observe(result, &thresholds);
            assert_eq!(streak.believed(), expected, "step {step}");
            let explains = result == expected || result == Critical && expected == Warning;
            assert_eq!(streak.agrees(result), explains, "step {step}");
        }
        assert!(Thresholds { warn_after: 4, ..thresholds }.checked().is_err());
    }

    #[test]
    fn a_first_result_that_decides_is_the_first_of_a_row() {
        let thresholds = Thresholds { rise: 3, fall: 2, ..Thresholds::DEFAULT };
        let mut streak = Streak::new(Critical);
        assert!(streak.begin(Passing));
        assert!(!streak.observe(Critical, &thresholds));
        assert!(streak.observe(Critical, &thresholds));
        let mut streak = Streak::new(Critical);
        assert!(!streak.begin(Critical), "it was presumed");
        assert!(Streak::new(Passing).begin(Warning));
    }

    #[test]
    fn a_check_starts_by_its_own_word_then_the_instances_then_its_kind() {
        let ttl = CheckKind::ttl(Duration::from_secs(1)).unwrap();
        let tcp = CheckKind::Tcp(Box::new(TcpCheck::new(Target::default(), Thresholds::DEFAULT)));
        for (kind, own, initial, expected) in [
            (&ttl, None, None, Passing),
            (&ttl, None, Some(Warning), Warning),
            (&ttl, Some(Critical), None, Critical),
            (&ttl, Some(Critical), Some(Passing), Critical),
            (&tcp, None, None, Critical),
            (&tcp, None, Some(Passing), Passing),
            (&tcp, Some(Warning), Some(Passing), Warning),
            (&CheckKind::Manual, None, None, Critical),
            (&CheckKind::Manual, Some(Passing), None, Passing),
        ] {
            let spec = CheckSpec { start: own, ..CheckSpec::new(kind.clone()) };
            let state = CheckState::initial(&spec, initial, Timestamp(0));
            assert_eq!(state.status, expected, "{kind:?}, {own:?}, {initial:?}");
        }
    }

    #[test]
    fn an_instance_is_as_well_as_its_worst_check() {
        assert_eq!(Status::worst([]), Passing);
        assert_eq!(Status::worst([Passing, Critical, Warning]), Critical);
        assert_eq!(Status::worst([Passing, Warning]), Warning);
    }
}
