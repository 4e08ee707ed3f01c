//! The passwords that are tried first.
//!
//! The list is the text itself: 100,000 passwords of eight characters and more, 9,747 of them of
//! 15 and more, in lower case and sorted. It takes 1,017,838 bytes of the program, nothing of the
//! heap and no time at the start. A search is exact, with 0 false positives, and compares 17 of
//! the passwords or so. Front coding would halve the text, and nobody could review it.
//!
//! `NOTICE` names its sources.

use std::cmp::Ordering;

const LIST: &str = include_str!("common.txt");

/// Returns whether `folded` is on the list.
pub(crate) fn contains(folded: &str) -> bool {
    let mut rest = LIST;
    while !rest.is_empty() {
        let mut half = rest.as_bytes().iter().take(rest.len() / 2);
        let start = half.rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let (before, from) = rest.split_at(start);
        let (middle, after) = from.split_once('\n').unwrap_or((from, ""));
        rest = match folded.cmp(middle) {
            Ordering::Less => before,
            Ordering::Equal => return true,
            Ordering::Greater => after,
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::PasswordPolicy;

    /// "1234567" as "1,234,567"
    fn grouped(number: usize) -> String {
        let digits = number.to_string();
        let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().collect();
        groups.into_iter().map(|g| str::from_utf8(g).unwrap()).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn every_password_on_the_list_is_found_and_nothing_else() {
        let all: HashSet<&str> = LIST.lines().collect();
        for line in LIST.lines() {
            let others = [line.split_at(1).1, &format!("{line}~"), &format!("{line}\n")];
            assert!(contains(line), "{line}");
            for other in others {
                assert_eq!(contains(other), all.contains(other), "{other:?}");
            }
        }
        assert!(!contains("") && !contains("\n") && !contains("zzzzzzzz~"));
    }

    #[test]
    fn the_list_is_sorted_folded_and_of_accepted_lengths() {
        assert!(LIST.lines().is_sorted_by(|one, next| one < next));
        assert!(LIST.ends_with('\n') && !LIST.contains('\r'));
        for line in LIST.lines() {
            assert!(line.is_ascii() && line.len() >= PasswordPolicy::FLOOR_CHARS, "{line}");
            assert_eq!(line, line.to_lowercase());
        }
    }

    #[test]
    fn what_is_said_of_the_list_is_so() {
        let count = grouped(LIST.lines().count());
        let default = PasswordPolicy::default().min_chars;
        let long = grouped(LIST.lines().filter(|line| line.len() >= default).count());
        let bytes = grouped(LIST.len());
        let (here, book) =
            (include_str!("common.rs"), include_str!("../../../../docs/security.md"));
        let here = here.split("#[cfg(test)]").next().unwrap();
        for number in [&count, &long, &bytes] {
            assert!(here.contains(number), "{number}");
            assert!(book.contains(number), "{number}");
        }
        assert!(include_str!("../../../../NOTICE").contains(&count), "{count}");
    }
}
