//! How hard a password is to guess, as advice to the person who chose it.

use countersign_domain::{PasswordContext, PasswordPolicy};
use zxcvbn::feedback::{Feedback, Warning};
use zxcvbn::zxcvbn;

/// Advice about a password that may be set, but would not resist for long if its hash were stolen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PasswordAdvice {
    /// The number of guesses it takes, as a power of ten.
    pub guesses_log10: f64,
    /// What makes it easy to guess, where one thing stands out.
    pub weakness: Option<PasswordWeakness>,
}

/// What makes a password easy to guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PasswordWeakness {
    /// Much of it is a common password, or like one.
    Common,
    /// Much of it is one word.
    Word,
    /// Much of it is a name.
    Name,
    /// Much of it runs along the keyboard.
    Keyboard,
    /// Much of it is said more than once.
    Repeat,
    /// Much of it counts up or down.
    Sequence,
    /// Much of it is a date or a year.
    Date,
}

/// A password that takes fewer guesses is weak. The highest score of zxcvbn, "strong protection from
/// offline slow-hash scenario", begins here (Wheeler, zxcvbn, USENIX Security 2016, and its README).
const STRONG_LOG10: f64 = 10.0;

/// The number of characters of a password that are looked at. The time of the estimate grows with the
/// square of it, and faster where many signs stand for letters: at worst 0.1 s for 32 characters and 1 s
/// for 100, as measured. The beginning of a strong password is strong at this length.
const MAX_CHARS: usize = 32;

/// Returns the words that everybody knows about the owner of a password, and of the site.
pub(crate) fn known_words(policy: &PasswordPolicy, context: PasswordContext<'_>) -> Vec<String> {
    [context.email, context.username]
        .into_iter()
        .chain(policy.context_words.iter().map(String::as_str))
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()).chain([text]))
        .filter(|word| word.chars().count() >= 3)
        // Bounded like the password, whatever somebody types.
        .map(|word| word.chars().take(MAX_CHARS).collect())
        .take(32)
        .collect()
}

/// Estimates how hard `password` is to guess for somebody who knows the words `known`. Returns nothing when
/// it is strong.
pub(crate) fn estimate(password: &str, known: &[String]) -> Option<PasswordAdvice> {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let end = password.char_indices().nth(MAX_CHARS).map_or(password.len(), |(end, _)| end);
    let entropy = zxcvbn(password.split_at(end).0, &known);
    let warning = entropy.feedback().and_then(Feedback::warning);
    let guesses_log10 = entropy.guesses_log10();
    let weakness = warning.map(PasswordWeakness::from);
    (guesses_log10 < STRONG_LOG10).then_some(PasswordAdvice { guesses_log10, weakness })
}

impl From<Warning> for PasswordWeakness {
    fn from(warning: Warning) -> Self {
        match warning {
            Warning::ThisIsATop10Password
            | Warning::ThisIsATop100Password
            | Warning::ThisIsACommonPassword
            | Warning::ThisIsSimilarToACommonlyUsedPassword => Self::Common,
            Warning::AWordByItselfIsEasyToGuess => Self::Word,
            Warning::NamesAndSurnamesByThemselvesAreEasyToGuess
            | Warning::CommonNamesAndSurnamesAreEasyToGuess => Self::Name,
            Warning::StraightRowsOfKeysAreEasyToGuess
            | Warning::ShortKeyboardPatternsAreEasyToGuess => Self::Keyboard,
            Warning::RepeatsLikeAaaAreEasyToGuess
            | Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => Self::Repeat,
            Warning::SequencesLikeAbcAreEasyToGuess => Self::Sequence,
            Warning::RecentYearsAreEasyToGuess | Warning::DatesAreOftenEasyToGuess => Self::Date,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRONG: [&str; 4] = [
        "tidal lantern orbit mauve",
        "correct horse battery staple",
        "xk4-9TQ_vv.82hslq",
        "пароль для аналитической машины",
    ];

    fn weakness(password: &str) -> Option<PasswordWeakness> {
        estimate(password, &[]).and_then(|advice| advice.weakness)
    }

    #[test]
    fn nothing_is_said_of_a_strong_password() {
        for password in STRONG {
            assert_eq!(estimate(password, &[]), None, "{password}");
        }
    }

    #[test]
    fn a_weak_password_is_told_by_its_guesses_and_by_what_stands_out() {
        for password in ["london london 2026", "jennifer jessica", "Password is password"] {
            let advice = estimate(password, &[]).unwrap();
            assert!((4.0..STRONG_LOG10).contains(&advice.guesses_log10), "{password}: {advice:?}");
        }
        assert_eq!(weakness("london london 2026"), Some(PasswordWeakness::Repeat));
        assert_eq!(weakness("11.12.2013"), Some(PasswordWeakness::Date));
        assert_eq!(weakness("jennifer"), Some(PasswordWeakness::Name));
    }

    #[test]
    fn what_is_known_of_a_user_is_easy_to_guess() {
        let password = "brzeczyszczykiewicz7";
        let known = ["brzeczyszczykiewicz".to_owned()];
        assert_eq!(estimate(password, &[]), None);
        assert!(estimate(password, &known).is_some());
    }

    #[test]
    fn what_comes_late_in_a_long_password_is_not_looked_at() {
        let beginning = "€".repeat(MAX_CHARS);
        let estimated = estimate(&beginning, &[]);
        assert!(estimated.is_some());
        assert_eq!(estimate(&format!("{beginning}{}", STRONG.concat()), &[]), estimated);
    }
}
