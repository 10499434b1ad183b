//! The word that was probably meant.

/// The candidate that is the fewest changes away from `word`, if that is few enough to be a slip.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let slips_max = word.len().div_ceil(3).min(3);
    closest(word, candidates).filter(|candidate| distance(word, candidate) <= slips_max)
}

/// The candidate that is the fewest changes away from `word`, however many those are.
pub(super) fn closest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let measured = candidates.map(|candidate| (distance(word, candidate), candidate));
    measured.min().map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `left` into `right`
/// (optimal string alignment over octets).
fn distance(left: &str, right: &str) -> usize {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for i in 1..=left.len() {
        let mut next = vec![i; right.len() + 1];
        for j in 1..=right.len() {
            let replaced = row[j - 1] + usize::from(left[i - 1] != right[j - 1]);
            next[j] = replaced.min(row[j] + 1).min(next[j - 1] + 1);
            let swapped =
                i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
            if swapped {
                next[j] = next[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut row, next);
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("dsn", "dns"), 1);
        assert_eq!(distance("", "dns"), 3);
        let words = ["listen", "udp_size", "udp_workers"];
        assert_eq!(nearest("udpsize", words.into_iter()), Some("udp_size"));
        assert_eq!(nearest("lsten", words.into_iter()), Some("listen"));
        assert_eq!(nearest("forwarders", words.into_iter()), None);
    }
}
