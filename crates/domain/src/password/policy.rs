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
    /// All of that must hold of the normalised password and of the one that a person sees: one character
    /// on the screen may be eighteen after normalisation, and is one choice all the same.
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
        let seen = as_seen(typed);
        let got = seen.chars().count();
        if got.min(password.chars()) < self.min_chars {
            return Err(PasswordError::TooShort { min: self.min_chars, got });
        }
        for form in [&password.0, &seen] {
            self.check_guessable(form, context)?;
        }
        Ok(password)
    }

    fn check_guessable(
        &self,
        password: &str,
        context: PasswordContext<'_>,
    ) -> Result<(), PasswordError> {
        let folded = Zeroizing::new(password.to_lowercase());
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

/// Returns a password as a person sees it: normalised, except that a character of which normalisation makes
/// several stays one. It has no more characters than what was typed.
fn as_seen(typed: &str) -> Zeroizing<String> {
    // Room for all of it first: growing would leave copies behind. One code point that becomes another one
    // takes at most three times the bytes (UAX 15, section 8).
    let mut seen = Zeroizing::new(String::with_capacity(typed.len() * 3));
    let mut rest = typed;
    while let Some((at, wide)) = rest.char_indices().find(|(_, c)| is_wide(*c)) {
        let (plain, from) = rest.split_at(at);
        seen.extend(plain.nfkc());
        seen.push(wide);
        rest = from.get(wide.len_utf8()..).unwrap_or_default();
    }
    seen.extend(rest.nfkc());
    seen
}

/// Returns whether normalisation makes several characters of this one.
fn is_wide(c: char) -> bool {
    !c.is_ascii() && std::iter::once(c).nfkc().nth(1).is_some()
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
/// down: `123456789012345`, `abcdefghijklmno`, `qwertyuiopasdfg`, `абвгдежзийклмно`.
fn is_sequence(folded: &str) -> bool {
    const RUNS: [&str; 4] = [
        "abcdefghijklmnopqrstuvwxyz",
        "01234567890",
        "qwertyuiopasdfghjklzxcvbnm",
        "qwertzuiopasdfghjklyxcvbnm",
    ];
    let follows = |a: char, b: char| {
        if u32::from(a).abs_diff(u32::from(b)) == 1 {
            return true;
        }
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
    fn a_character_that_normalisation_makes_long_counts_once() {
        let short = |got| PasswordError::TooShort { min: 15, got };
        // Normalised it is a sentence of 18 characters.
        assert_eq!(set("\u{fdfa}").unwrap_err(), short(1));
        assert_eq!(set("tidal lante \u{fdfa}").unwrap_err(), short(13));
        assert!(set("tidal lantern \u{fdfa}").is_ok(), "15 on the screen");
        assert_eq!(set("tidal \u{2026}\u{fdfb}\u{2a74}").unwrap_err(), short(9));
        // What is one character on the screen counts once, in however many it was typed.
        let decomposed = "e\u{301}a\u{300}o\u{302}u\u{308}n\u{303}c\u{327}s\u{30c}z\u{307}";
        assert_eq!(set(decomposed).unwrap_err(), short(8));
        assert_eq!(set(&format!("{decomposed}\u{fdfa}")).unwrap_err(), short(9));
    }

    #[test]
    fn the_maximum_holds_after_normalisation_as_well() {
        let policy = PasswordPolicy::default();
        assert_eq!(
            policy.parse_attempt(&"\u{fdfa}".repeat(8)).unwrap_err(),
            PasswordError::TooLong { max: 128 }
        );
        assert!(policy.parse_attempt(&"\u{fdfa}".repeat(7)).is_ok());
        assert!(
            policy.parse_attempt(&"e\u{301}".repeat(128)).is_ok(),
            "one password, two keyboards"
        );
        assert!(policy.parse_attempt(&"e\u{301}".repeat(129)).is_err());
    }

    #[test]
    fn a_character_that_normalisation_makes_long_hides_no_pattern() {
        let policy = PasswordPolicy { max_chars: 1024, ..PasswordPolicy::default() };
        let set = |typed: &str| policy.parse_new(typed, ADA).unwrap_err();
        assert_eq!(set(&"\u{fdfa}".repeat(16)), PasswordError::Repetitive);
        assert_eq!(set(&"\u{fdfa}\u{fdfb}a2".repeat(4)), PasswordError::Repetitive);
        // A parenthesis around each letter, and the telegraph's symbols for the hours.
        assert_eq!(set(&('\u{249c}'..='\u{24ab}').collect::<String>()), PasswordError::Sequence);
        assert_eq!(set(&('\u{3358}'..='\u{3370}').collect::<String>()), PasswordError::Sequence);
        assert_eq!(set(&('а'..='п').collect::<String>()), PasswordError::Sequence);
        for typed in ["ada.lovelace@example.org\u{fdfa}", "lovelace countersign \u{fdfa}\u{fdfb}"] {
            assert_eq!(set(typed), PasswordError::Personal, "{typed}");
        }
        assert_eq!(set("ada ｐａｓｓｗｏｒｄ 2026"), PasswordError::Common);
    }

    proptest::proptest! {
        #[test]
        fn what_may_be_set_is_long_enough_in_every_form(typed in "[a-d\u{300}-\u{303}\u{2026}\u{fdfa}-\u{fdfc}é한\u{1100}\u{1161}\u{11a8}]{0,24}") {
            let policy = PasswordPolicy { min_chars: 8, max_chars: 1024, ..PasswordPolicy::default() };
            if let Ok(password) = policy.parse_new(&typed, ADA) {
                proptest::prop_assert!(typed.chars().count() >= 8);
                proptest::prop_assert!(password.chars() >= 8);
            }
        }
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
