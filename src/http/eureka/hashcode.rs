//! How many instances are in which state, by which clients tell that they missed a change.

use std::fmt;

use super::body::InstanceStatus;

/// The number of instances in each state. As text it is `apps__hashcode`: the states that there are
/// in the order of their names, `DOWN_1_UP_3_`; of an empty registry it is empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct StatusCounts([usize; InstanceStatus::ALL.len()]);

// === impl StatusCounts ===

impl StatusCounts {
    /// Counts one instance.
    pub(crate) fn add(&mut self, status: InstanceStatus) {
        self.0[status as usize] += 1;
    }

    /// Counts one instance less, which was counted before.
    pub(crate) fn remove(&mut self, status: InstanceStatus) {
        self.0[status as usize] -= 1;
    }
}

impl FromIterator<InstanceStatus> for StatusCounts {
    fn from_iter<I: IntoIterator<Item = InstanceStatus>>(all: I) -> Self {
        let mut counts = Self::default();
        all.into_iter().for_each(|status| counts.add(status));
        counts
    }
}

impl fmt::Display for StatusCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = InstanceStatus::ALL.iter().zip(self.0);
        for (status, count) in named.filter(|(_, count)| *count > 0) {
            write!(f, "{}_{count}_", status.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{
        InstanceStatus::{self, Down, OutOfService, Starting, Unknown, Up},
        StatusCounts,
    };

    #[test]
    fn the_hashcode_counts_the_states_in_the_order_of_their_names() {
        let cases: [(&[InstanceStatus], &str); 5] = [
            (&[], ""),
            (&[Up], "UP_1_"),
            (&[Up, Down, Up, Up], "DOWN_1_UP_3_"),
            (&[Up, Starting, OutOfService, Down], "DOWN_1_OUT_OF_SERVICE_1_STARTING_1_UP_1_"),
            (&[Unknown, Up, Unknown], "UNKNOWN_2_UP_1_"),
        ];
        for (all, hashcode) in cases {
            let counts: StatusCounts = all.iter().copied().collect();
            assert_eq!(counts.to_string(), hashcode);
        }
    }

    #[test]
    fn all_states_are_in_the_order_of_their_names() {
        assert!(InstanceStatus::ALL.is_sorted_by_key(|status| status.as_str()));
        assert!(InstanceStatus::ALL.iter().enumerate().all(|(at, status)| *status as usize == at));
    }
}
