//! Words that are written down. A store is read years later, and by older programs beside newer ones: a
//! word that this version does not know is kept as it was written.

/// A word that a newer version wrote and this one does not know.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Word {
    bytes: [u8; Self::MAX_BYTES],
    length: usize,
}

impl Word {
    /// The most bytes that a word may have.
    pub const MAX_BYTES: usize = 32;

    /// Reads a word: 1 to [`Word::MAX_BYTES`] bytes of lower-case letters, digits, `_` and `-`.
    pub fn parse(written: &str) -> Option<Self> {
        let is_part = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        let mut bytes = [0; Self::MAX_BYTES];
        let place = bytes.get_mut(..written.len())?;
        place.copy_from_slice(written.as_bytes());
        let is_word = !written.is_empty() && written.bytes().all(is_part);
        is_word.then_some(Self { bytes, length: written.len() })
    }

    /// Returns the word.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.length).unwrap_or_default();
        str::from_utf8(bytes).unwrap_or_default()
    }
}

impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that cannot be a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a word of at most 32 lower-case letters, digits, _ and -")]
pub struct UnknownWord;

/// Makes an enum whose variants are written as words that never change. `Unknown` holds any other word.
macro_rules! written_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// Written by a newer version.
            Unknown($crate::Word),
        }

        impl $name {
            /// All that this version knows.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the word as it is written down.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Unknown(word) => word.as_str(),
                }
            }

            /// Returns the word, or `unknown` where this version does not know it: a name from a fixed set.
            pub fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Unknown(_) => "unknown",
                }
            }

            /// Returns whether this version knows it.
            pub fn is_known(self) -> bool {
                !matches!(self, Self::Unknown(_))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownWord;

            fn from_str(written: &str) -> Result<Self, $crate::UnknownWord> {
                let known = Self::ALL.iter().copied().find(|one| one.as_str() == written);
                let unknown = || $crate::Word::parse(written).map(Self::Unknown);
                known.or_else(unknown).ok_or($crate::UnknownWord)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use written_enum;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_reads_back_and_what_is_no_word_is_refused() {
        for written in ["a", "identity_linked", "es256-k", &"x".repeat(32)] {
            assert_eq!(Word::parse(written).unwrap().as_str(), written);
        }
        for written in ["", "two words", "Ä", "A", "\u{1b}[31m", &"x".repeat(33)] {
            assert_eq!(Word::parse(written), None, "{written:?}");
        }
    }
}
