//! Whose word counts: the instance's own, an operator's, or what is known already.

use std::cmp::Ordering;

use super::body::InstanceStatus::{self, OutOfService, Up};

/// The state that an instance is given when it registers, by the rules of Eureka in their order:
/// what does not want traffic gets none; an operator's override stands; of an instance that is
/// `known` the state stands, unless a peer registers it; else it is what it `said`.
pub(super) fn status(
    said: InstanceStatus,
    overridden: Option<InstanceStatus>,
    known: Option<InstanceStatus>,
) -> InstanceStatus {
    let is_about_traffic = |status: &InstanceStatus| matches!(status, Up | OutOfService);
    if !is_about_traffic(&said) {
        return said;
    }
    overridden.or(known.filter(is_about_traffic)).unwrap_or(said)
}

/// Whether a registration is older than what is known, by the times at which the instance's owner
/// changed it. One that says no time is as new as it can be, as it is to Eureka, which takes the
/// time at which it came; and nothing is older than what was said without one.
pub(super) fn is_outdated(sent: Option<i64>, said: Option<i64>) -> bool {
    matches!((sent, said), (Some(sent), Some(said)) if sent < said)
}

/// How new what somebody renews is against what is `shown`, where the time of the registration
/// stands for one that was not said. Who says no time knows no better.
pub(super) fn newness(sent: Option<i64>, shown: i64) -> Ordering {
    sent.map_or(Ordering::Equal, |sent| sent.cmp(&shown))
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Equal, Greater, Less};

    use super::{
        super::body::InstanceStatus::{Down, OutOfService, Starting, Unknown, Up},
        is_outdated, newness, status,
    };

    #[test]
    fn the_first_rule_that_applies_decides_the_state() {
        for (said, overridden, known, expected) in [
            // What does not want traffic gets none, whatever else is said.
            (Down, None, None, Down),
            (Starting, Some(Up), Some(Up), Starting),
            (Unknown, Some(OutOfService), None, Unknown),
            // An override stands.
            (Up, Some(OutOfService), Some(Up), OutOfService),
            (Up, Some(Down), None, Down),
            (OutOfService, Some(Up), Some(OutOfService), Up),
            // What is known stands, if it is about traffic.
            (Up, None, Some(OutOfService), OutOfService),
            (OutOfService, None, Some(Up), Up),
            (Up, None, Some(Starting), Up),
            (Up, None, Some(Down), Up),
            (OutOfService, None, Some(Unknown), OutOfService),
            // Else its own word.
            (Up, None, None, Up),
            (OutOfService, None, None, OutOfService),
        ] {
            assert_eq!(
                status(said, overridden, known),
                expected,
                "{said:?} {overridden:?} {known:?}"
            );
        }
    }

    #[test]
    fn a_registration_without_a_time_is_not_outdated() {
        for (sent, said, expected) in [
            (None, Some(5), false),
            (None, None, false),
            (Some(4), Some(5), true),
            (Some(5), Some(5), false),
            (Some(6), Some(5), false),
            (Some(4), None, false),
        ] {
            assert_eq!(is_outdated(sent, said), expected, "{sent:?} {said:?}");
        }
    }

    #[test]
    fn a_renewal_without_a_time_is_neither_newer_nor_older() {
        for (sent, shown, expected) in
            [(None, 5, Equal), (Some(5), 5, Equal), (Some(6), 5, Greater), (Some(4), 5, Less)]
        {
            assert_eq!(newness(sent, shown), expected, "{sent:?} {shown}");
        }
    }
}
