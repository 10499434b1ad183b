//! The turns that contestants took in rounds, and what is made of them: medians, and medians of
//! ratios that are formed within a round.

use crate::{
    recorded::FLOOR,
    stats::{median, median_ratio},
    table::Table,
    turn::Turn,
};

/// The turns of each contestant, in the order of their first turns.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    contestants: Vec<(String, Vec<Turn>)>,
}

// === impl Rounds ===

impl Rounds {
    /// Adds the next turn of `contestant`.
    pub(crate) fn add(&mut self, contestant: &str, turn: Turn) {
        match self.contestants.iter_mut().find(|(name, _)| name == contestant) {
            Some((_, turns)) => turns.push(turn),
            None => self.contestants.push((contestant.to_owned(), vec![turn])),
        }
    }

    /// The median of a figure over the rounds; `None` of one that took no part.
    pub(crate) fn median(&self, contestant: &str, figure: impl Fn(&Turn) -> f64) -> Option<f64> {
        median(self.turns(contestant).iter().map(figure))
    }

    /// The median ratio of the CPU time per query of `ours` to that of `theirs`.
    pub(crate) fn ratio(&self, ours: &str, theirs: &str) -> Option<f64> {
        self.ratio_of(ours, theirs, |turn| turn.cpu_micros)
    }

    /// The median ratio of a figure of `ours` to that of `theirs`.
    pub(crate) fn ratio_of(
        &self,
        ours: &str,
        theirs: &str,
        figure: impl Fn(&Turn) -> f64,
    ) -> Option<f64> {
        let of = |name: &str| self.turns(name).iter().map(&figure).collect::<Vec<f64>>();
        median_ratio(&of(ours), &of(theirs))
    }

    /// All contestants with their medians, and the ratios to those that are measured by.
    pub(crate) fn table(&self) -> Table {
        let yardsticks = [FLOOR, "NSD", "Knot"].map(|name| (name, format!("÷ {name}")));
        let yardsticks: Vec<_> =
            yardsticks.into_iter().filter(|(name, _)| !self.turns(name).is_empty()).collect();
        let mut columns = vec!["server", "CPU µs"];
        columns.extend(yardsticks.iter().map(|(_, column)| column.as_str()));
        columns.extend(["queries/s", "mean µs", "p99 µs", "memory MiB"]);
        let mut table = Table::new(columns);
        for (name, _) in &self.contestants {
            let middle = |figure: fn(&Turn) -> f64, digits: usize| {
                format!("{:.digits$}", self.median(name, figure).unwrap_or(f64::NAN))
            };
            let mut row = vec![name.clone(), middle(|turn| turn.cpu_micros, 2)];
            row.extend(yardsticks.iter().map(|(theirs, _)| {
                self.ratio(name, theirs).map_or_else(String::new, |ratio| format!("{ratio:.3}"))
            }));
            row.extend([
                middle(|turn| turn.per_second, 0),
                middle(|turn| turn.mean_micros, 0),
                middle(|turn| turn.p99_micros, 0),
                middle(|turn| turn.resident_mib, 1),
            ]);
            table.row(row);
        }
        table
    }

    fn turns(&self, contestant: &str) -> &[Turn] {
        let found = self.contestants.iter().find(|(name, _)| name == contestant);
        found.map_or(&[], |(_, turns)| turns)
    }
}
