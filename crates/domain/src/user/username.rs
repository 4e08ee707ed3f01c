use std::fmt;

use unicode_normalization::UnicodeNormalization;

use crate::text::first_invisible;

/// The name that others see. It identifies nobody: two users may carry the same one.
///
/// One to [`Username::MAX_CHARS`] code points in Unicode NFC, without surrounding white space and
/// without characters that cannot be seen or that reorder their neighbours. The zero-width joiner and
/// non-joiner are a part of a name where its script or an emoji needs them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Username(String);

/// The reason why a text cannot be a [`Username`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    /// Nothing, or nothing but white space.
    #[error("the username is empty")]
    Empty,
    /// More code points than allowed.
    #[error("the username has {got} characters, {max} are allowed")]
    TooLong {
        /// The most code points a username may have.
        max: usize,
        /// How many it has.
        got: usize,
    },
    /// A control, bidirectional, zero-width or otherwise invisible character.
    #[error("the username holds an invisible character: {}", .0.escape_unicode())]
    Invisible(char),
}

impl Username {
    /// The most code points a username may have.
    pub const MAX_CHARS: usize = 64;

    /// Reads a username as a person typed it; white space around it is dropped.
    ///
    /// # Errors
    ///
    /// When the text is empty, too long or holds a character that cannot be seen.
    pub fn parse(typed: &str) -> Result<Self, UsernameError> {
        // Normalising costs time for each character: nothing is normalised that cannot be short
        // enough afterwards (NFC shrinks a text to a third of its code points at the most).
        let typed = typed.trim();
        let got = typed.chars().count();
        if got > Self::MAX_CHARS * 3 {
            return Err(UsernameError::TooLong { max: Self::MAX_CHARS, got });
        }
        let name: String = typed.nfc().collect();
        if let Some(c) = first_invisible(&name) {
            return Err(UsernameError::Invisible(c));
        }
        match name.chars().count() {
            0 => Err(UsernameError::Empty),
            got if got > Self::MAX_CHARS => {
                Err(UsernameError::TooLong { max: Self::MAX_CHARS, got })
            }
            _ => Ok(Self(name)),
        }
    }

    /// Takes a name as a store kept it. It was parsed before it was saved: a rule that has become
    /// stricter since then locks nobody out.
    ///
    /// # Errors
    ///
    /// When it is empty, which it can never have been.
    pub fn from_saved(name: String) -> Result<Self, UsernameError> {
        if name.is_empty() { Err(UsernameError::Empty) } else { Ok(Self(name)) }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_be_of_any_script_and_hold_spaces() {
        for name in ["ada", "Ada Lovelace", "Ἀσπασία", "村上 春樹", "O'Brien-Ní", "x"]
        {
            assert_eq!(Username::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn white_space_around_a_name_is_dropped() {
        assert_eq!(Username::parse("  ada \n").unwrap().as_str(), "ada");
    }

    #[test]
    fn composed_and_decomposed_spellings_are_one_name() {
        assert_eq!(Username::parse("Zoe\u{308}").unwrap(), Username::parse("Zo\u{eb}").unwrap());
    }

    #[test]
    fn nothing_is_no_name() {
        for blank in ["", "   ", "\u{3000}"] {
            assert_eq!(Username::parse(blank), Err(UsernameError::Empty));
        }
    }

    #[test]
    fn a_name_of_64_characters_is_accepted_and_one_of_65_is_not() {
        assert!(Username::parse(&"é".repeat(64)).is_ok());
        let error = Username::parse(&"é".repeat(65));
        assert_eq!(error, Err(UsernameError::TooLong { max: 64, got: 65 }));
        assert!(Username::parse(&"a".repeat(100_000)).is_err());
    }

    #[test]
    fn joiners_are_a_part_of_a_name_where_its_script_or_an_emoji_needs_them() {
        for name in [
            "علی\u{200C}رضا",          // Persian
            "شاه\u{200C}نامه",         // Persian
            "ශ්\u{200D}රී",              // Sinhala
            "ന്\u{200D}",               // Malayalam, at the end
            "क्\u{200C}ष",              // Devanagari
            "क्\u{200D}ष",              // Devanagari
            "👩\u{200D}🚀",            // an astronaut
            "👩🏽\u{200D}🚀",            // with a skin tone
            "❤\u{FE0F}\u{200D}🔥 Ada", // with a variation selector
            "👨\u{200D}👩\u{200D}👧",  // a family
        ] {
            assert_eq!(Username::parse(name).map(|name| name.to_string()), Ok(name.to_owned()));
        }
        for (name, c) in [
            ("a\u{200C}da", '\u{200C}'),
            ("a\u{200D}da", '\u{200D}'),
            ("\u{200D}ada", '\u{200D}'),
            ("علی\u{200C} رضا", '\u{200C}'),
            ("علی\u{200C}\u{200C}رضا", '\u{200C}'),
            ("علی\u{200D}رضا", '\u{200D}'),
            ("👩\u{200D}a", '\u{200D}'),
            ("👩\u{200D}\u{200D}🚀", '\u{200D}'),
            ("क\u{200D}ष", '\u{200D}'),
        ] {
            assert_eq!(Username::parse(name), Err(UsernameError::Invisible(c)), "{name:?}");
        }
    }

    #[test]
    fn characters_that_cannot_be_seen_are_refused() {
        for c in [
            '\0',
            '\u{7}',
            '\u{85}',
            '\u{AD}',
            '\u{200B}',
            '\u{200D}',
            '\u{202E}',
            '\u{2066}',
            '\u{2028}',
            '\u{3164}',
            '\u{FEFF}',
            '\u{FFFD}',
            '\u{E0041}',
        ] {
            let name = format!("a{c}da");
            assert_eq!(Username::parse(&name), Err(UsernameError::Invisible(c)), "{c:?}");
        }
    }
}
