use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::common;
use super::{Password, PasswordError};

/// Which passwords may be set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PasswordPolicy {
    /// The fewest code points; 15 by default (NIST SP 800-63B-4, section 3.1.1.2, for a password
    /// that is the only factor).
    pub min_chars: usize,
    /// The most code points; 128 by default.
    pub max_chars: usize,
    /// Words that must not make up a password, such as the name of the site (ASVS 6.1.2).
    pub context_words: Vec<String>,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            min_chars: 15,
            max_chars: Password::DEFAULT_MAX_CHARS,
            context_words: vec!["countersign".to_owned()],
        }
    }
}

/// Whose password it is to be; the words in it are worthless as a secret.
#[derive(Clone, Copy, Debug)]
pub struct PasswordContext<'a> {
    /// The user's email address.
    pub email: &'a str,
    /// The user's display name.
    pub username: &'a str,
}

impl PasswordPolicy {
    /// The lowest minimum that may be configured (ASVS 6.2.1).
    pub const FLOOR_CHARS: usize = 8;
    /// The lowest maximum that may be configured (ASVS 6.2.9).
    pub const MAX_CHARS_FLOOR: usize = 64;

    /// Reads a password that somebody tries; only its length is bounded.
    ///
    /// # Errors
    ///
    /// When it can be nobody's password.
    pub fn parse_attempt(&self, typed: &str) -> Result<Password, PasswordError> {
        let password = Password::parse(typed).map_err(|error| match error {
            PasswordError::TooLong { .. } => PasswordError::TooLong { max: self.max_chars },
            other => other,
        })?;
        if password.chars() > self.max_chars {
            return Err(PasswordError::TooLong { max: self.max_chars });
        }
        Ok(password)
    }

    /// Reads a password that somebody wants to set: long enough, not a common one, not a pattern,
    /// and not made of what everybody knows about its owner. Nothing is asked of its composition
    /// (NIST SP 800-63B-4, section 3.1.1.2).
    ///
    /// # Errors
    ///
    /// Says which rule it breaks first.
    pub fn parse_new(
        &self,
        typed: &str,
        context: PasswordContext<'_>,
    ) -> Result<Password, PasswordError> {
        let password = self.parse_attempt(typed)?;
        let got = password.chars();
        if got < self.min_chars {
            return Err(PasswordError::TooShort { min: self.min_chars, got });
        }
        self.check_guessable(&password, context)?;
        Ok(password)
    }

    fn check_guessable(
        &self,
        password: &Password,
        context: PasswordContext<'_>,
    ) -> Result<(), PasswordError> {
        let folded = Zeroizing::new(password.0.to_lowercase());
        if is_repetitive(&folded) {
            return Err(PasswordError::Repetitive);
        }
        if is_sequence(&folded) {
            return Err(PasswordError::Sequence);
        }
        if is_common(&folded) {
            return Err(PasswordError::Common);
        }
        let rest = self.without_context(&folded, context);
        if rest.chars().count() < Self::FLOOR_CHARS {
            return Err(PasswordError::Personal);
        }
        if is_common(&rest) {
            return Err(PasswordError::Common);
        }
        Ok(())
    }

    /// Returns `folded` without the words that everybody knows: what is left is the secret part.
    fn without_context(&self, folded: &str, context: PasswordContext<'_>) -> Zeroizing<String> {
        let known = [context.email, context.username]
            .into_iter()
            .chain(self.context_words.iter().map(String::as_str));
        let mut words: Vec<String> = known
            .flat_map(|text| {
                let text = text.nfkc().collect::<String>().to_lowercase();
                let parts = text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned);
                parts.chain([text.clone()]).collect::<Vec<_>>()
            })
            .filter(|word| word.chars().count() >= 3)
            .collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let mut rest = Zeroizing::new(folded.to_owned());
        for word in &words {
            rest = Zeroizing::new(rest.replace(word.as_str(), ""));
        }
        rest
    }
}

/// Returns whether `folded` is a common password, also with spaces between its words or with digits and
/// signs around it.
fn is_common(folded: &str) -> bool {
    let joined = Zeroizing::new(folded.split_whitespace().collect::<String>());
    let core = joined.trim_matches(|c: char| !c.is_alphabetic());
    [folded, joined.as_str(), core].into_iter().any(common::contains)
}

/// Returns whether `folded` is one piece, of at most a third of its length and eight characters, said
/// over and over, or uses hardly any different characters.
fn is_repetitive(folded: &str) -> bool {
    let chars = Zeroizing::new(folded.chars().collect::<Vec<_>>());
    if chars.iter().collect::<HashSet<_>>().len() < 4 {
        return true;
    }
    (1..=(chars.len() / 2).min(8)).any(|period| {
        chars.iter().zip(chars.iter().skip(period)).all(|(earlier, later)| earlier == later)
    })
}

/// Returns whether nearly all of `folded` runs along an alphabet, the digits or a keyboard's row, up or
/// down: `123456789012345`, `abcdefghijklmno`, `qwertyuiopasdfg`.
fn is_sequence(folded: &str) -> bool {
    const RUNS: [&str; 4] = [
        "abcdefghijklmnopqrstuvwxyz",
        "01234567890",
        "qwertyuiopasdfghjklzxcvbnm",
        "qwertzuiopasdfghjklyxcvbnm",
    ];
    let follows = |a: char, b: char| {
        let pair = [a, b].iter().collect::<String>();
        let reverse = [b, a].iter().collect::<String>();
        RUNS.iter().any(|run| run.contains(&pair) || run.contains(&reverse))
    };
    let steps = folded.chars().zip(folded.chars().skip(1));
    let (total, on_a_run) = steps.fold((0_usize, 0_usize), |(total, on_a_run), (a, b)| {
        (total + 1, on_a_run + usize::from(follows(a, b)))
    });
    on_a_run * 5 >= total * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: PasswordContext<'_> =
        PasswordContext { email: "ada.lovelace@example.org", username: "Countess Ada" };

    fn set(typed: &str) -> Result<Password, PasswordError> {
        PasswordPolicy::default().parse_new(typed, ADA)
    }

    #[test]
    fn a_long_passphrase_may_be_set_whatever_it_is_composed_of() {
        for good in [
            "tidal lantern orbit mauve",
            "correct horse battery staple",
            "ada likes punched cards",
            "xk4-9TQ_vv.82hslq",
            "пароль для аналитической машины",
            "🦀 🐙 🌊 crabs and squids",
            "  leading and trailing  ",
        ] {
            assert!(set(good).is_ok(), "{good:?}: {:?}", set(good).unwrap_err());
        }
    }

    #[test]
    fn a_password_of_15_code_points_may_be_set_and_one_of_14_may_not() {
        assert!(set("tidal lantern o").is_ok());
        assert_eq!(
            set("tidal lantern ").unwrap_err(),
            PasswordError::TooShort { min: 15, got: 14 }
        );
        assert!(set("ééàü tidal lant").is_ok(), "code points count, not bytes");
    }

    #[test]
    fn a_password_of_128_code_points_may_be_set_and_one_of_129_may_not() {
        let long: String = "tidal lantern orbit mauve ".chars().cycle().take(100).collect();
        let policy = PasswordPolicy { max_chars: 100, ..PasswordPolicy::default() };
        assert!(policy.parse_attempt(&long).is_ok());
        let error = policy.parse_attempt(&format!("{long}x")).unwrap_err();
        assert_eq!(error, PasswordError::TooLong { max: 100 });
        assert!(PasswordPolicy::default().parse_attempt(&"€".repeat(128)).is_ok());
        assert!(PasswordPolicy::default().parse_attempt(&"€".repeat(129)).is_err());
        assert!(PasswordPolicy::default().parse_attempt(&"x".repeat(1_000_000)).is_err());
    }

    #[test]
    fn common_passwords_are_refused_also_when_dressed_up() {
        for typed in [
            "passwordstandard",
            "PasswordSTANDARD",
            "password standard",
            "password1234567",
            "!!password!!2026",
            "1qaz2wsx3edc4rfv",
            "ada password 2026",
        ] {
            assert_eq!(set(typed).unwrap_err(), PasswordError::Common, "{typed}");
        }
    }

    #[test]
    fn patterns_are_refused() {
        for typed in
            ["aaaaaaaaaaaaaaaa", "passwordpassword", "abcabcabcabcabcabc", "1212121212121212"]
        {
            assert_eq!(set(typed).unwrap_err(), PasswordError::Repetitive, "{typed}");
        }
        for typed in ["123456789012345", "abcdefghijklmnop", "qwertyuiopasdfgh", "ponmlkjihgfedcba"]
        {
            assert_eq!(set(typed).unwrap_err(), PasswordError::Sequence, "{typed}");
        }
    }

    #[test]
    fn what_everybody_knows_of_its_owner_makes_no_password() {
        for typed in [
            "ada.lovelace@example.org",
            "Ada.Lovelace@Example.org!",
            "lovelace-lovelace-1",
            "AdaLovelace2026",
            "countess ada 1815",
            "countersign-ada-1",
        ] {
            assert_eq!(set(typed).unwrap_err(), PasswordError::Personal, "{typed}");
        }
    }
}
