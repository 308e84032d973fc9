//! The known word that a mistyped one most likely stands for.

/// The one of `known` that takes the fewest single-letter edits, if they are few for its length.
pub(super) fn nearest(word: &str, known: &[&'static str]) -> Option<&'static str> {
    let word = word.to_lowercase().replace('_', "-");
    known
        .iter()
        .map(|candidate| (distance(&word, candidate), *candidate))
        .filter(|(edits, candidate)| {
            // `peer-address` for `peer-ip-address`: the letters of one in the order of the other count as near.
            *edits <= (candidate.len() / 3).max(1) || is_shortened(&word, candidate)
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// True if `word` of four letters or more is `whole` with letters left out.
fn is_shortened(word: &str, whole: &str) -> bool {
    let mut rest = whole.chars();
    word.len() >= 4 && word.chars().all(|letter| rest.any(|other| other == letter))
}

/// Number of insertions, deletions, replacements and swaps of neighbours between the two.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // Three rows of the table of edits: two back (for swaps), one back, and the present one.
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_find_their_key() {
        let known = ["bind-address", "chassis-mode", "dead-interval", "hello-interval", "peer-ip-address"];
        for (word, wanted) in [
            ("helo-interval", Some("hello-interval")),
            ("hello_interval", Some("hello-interval")),
            ("peer-address", Some("peer-ip-address")),
            ("chasiss-mode", Some("chassis-mode")),
            ("Bind-Address", Some("bind-address")),
            ("colour", None),
        ] {
            assert_eq!(nearest(word, &known), wanted, "{word}");
        }
    }

    #[test]
    fn a_swap_of_neighbours_is_one_edit() {
        assert_eq!(distance("tpye", "type"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
