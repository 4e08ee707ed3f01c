pub(crate) mod policy;

mod common;

use std::collections::BTreeMap;
use std::fmt;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// A password as typed by a person, in Unicode NFKC (NIST SP 800-63B-4, section 3.1.1.2), so that
/// it is the same from every keyboard. Neither trimmed nor folded. Wiped from memory when dropped;
/// never printed, compared or saved.
///
/// Holding one says nothing about its quality. [`PasswordPolicy`](crate::PasswordPolicy) judges that when a
/// password is set, not when one is tried.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// The reason why a text cannot be a password, or may not be set as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// Nothing was typed.
    #[error("the password is empty")]
    Empty,
    /// Fewer code points than the policy asks for.
    #[error("the password has {got} characters, at least {min} are needed")]
    TooShort {
        /// The fewest code points the policy accepts.
        min: usize,
        /// How many there are.
        got: usize,
    },
    /// More code points than the policy allows, or more than [`Password::MAX_BYTES`] bytes.
    #[error("the password is longer than {max} characters")]
    TooLong {
        /// The most code points the policy accepts.
        max: usize,
    },
    /// NUL, or the mark that a decoder leaves where the input was not text: two different inputs
    /// could become one password.
    #[error("the password holds a character that is not text")]
    NotText,
    /// Found in the list of common passwords, or such a password with digits around it.
    #[error("the password is a common one")]
    Common,
    /// A short piece said over and over.
    #[error("the password repeats itself")]
    Repetitive,
    /// A run along the alphabet, the digits or the keyboard.
    #[error("the password is a sequence")]
    Sequence,
    /// Made of the email address, the username or the name of the site.
    #[error("the password is made of the user's own data")]
    Personal,
    /// Found among passwords that were stolen elsewhere.
    #[error("the password is in a breach")]
    Breached,
}

impl Password {
    /// The most bytes that are looked at; more is refused before any work is done on it.
    pub const MAX_BYTES: usize = 1024;
    /// The most code points, unless a policy says otherwise.
    pub(crate) const DEFAULT_MAX_CHARS: usize = 128;

    /// Reads a password as typed.
    ///
    /// # Errors
    ///
    /// When it is empty, longer than [`Password::MAX_BYTES`] or holds what is not text.
    pub fn parse(typed: &str) -> Result<Self, PasswordError> {
        if typed.is_empty() {
            return Err(PasswordError::Empty);
        }
        if typed.len() > Self::MAX_BYTES {
            return Err(PasswordError::TooLong { max: Self::DEFAULT_MAX_CHARS });
        }
        if typed.contains(['\0', char::REPLACEMENT_CHARACTER]) {
            return Err(PasswordError::NotText);
        }
        // Room for the longest result first: growing would leave copies behind. One code point
        // becomes eighteen at the most (UAX 15, table 4: a factor of 11 in UTF-8).
        let mut normal = Zeroizing::new(String::with_capacity(typed.len() * 11));
        normal.extend(typed.nfkc());
        Ok(Self(normal))
    }

    /// Returns what the hasher hashes: the password's UTF-8 bytes.
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn chars(&self) -> usize {
        self.0.chars().count()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

/// A password as it is saved: an Argon2id hash in PHC string format.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes a PHC string as the hasher made it or the store kept it.
    pub fn from_phc(phc: impl Into<String>) -> Self {
        Self(phc.into())
    }

    /// Returns the PHC string.
    pub fn as_phc(&self) -> &str {
        &self.0
    }

    /// Returns what the string says of how it is computed, and so of what it costs: its algorithm, version
    /// and parameters, `$argon2id$v=19$m=19456,t=2,p=1` for example. `None` where it does not begin so.
    pub fn cost(&self) -> Option<&str> {
        let end = self.0.match_indices('$').nth(3).map(|(at, _)| at);
        self.0.get(..end?).filter(|cost| cost.starts_with("$argon2"))
    }
}

/// How many users have a hash of one cost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HashCount {
    /// The [cost](PasswordHash::cost).
    pub cost: String,
    /// How many users.
    pub users: u64,
}

impl HashCount {
    /// The most costs that are told apart; those of the fewest users are left out.
    pub const MOST: u32 = 64;

    /// Counts the hashes of users by their cost, the commonest first.
    pub fn of<'u>(hashes: impl IntoIterator<Item = &'u PasswordHash>) -> Vec<Self> {
        let mut counts = BTreeMap::<&str, u64>::new();
        for cost in hashes.into_iter().filter_map(PasswordHash::cost) {
            *counts.entry(cost).or_default() += 1;
        }
        let count = |(cost, users): (&str, _)| Self { cost: cost.to_owned(), users };
        Self::commonest(counts.into_iter().map(count).collect())
    }

    fn commonest(mut counts: Vec<Self>) -> Vec<Self> {
        counts.sort_by(|one, other| (other.users, &one.cost).cmp(&(one.users, &other.cost)));
        counts.truncate(Self::MOST as usize);
        counts
    }

    /// Adds other counts to these.
    pub fn add(counts: &mut Vec<Self>, others: Vec<Self>) {
        for other in others {
            match counts.iter_mut().find(|count| count.cost == other.cost) {
                Some(count) => count.users += other.users,
                None => counts.push(other),
            }
        }
        *counts = Self::commonest(std::mem::take(counts));
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_password_typed_on_two_keyboards_is_the_same() {
        let composed = Password::parse("caf\u{e9} ﬁne").unwrap();
        let decomposed = Password::parse("cafe\u{301} fine").unwrap();
        assert_eq!(composed.expose(), decomposed.expose());
    }

    #[test]
    fn a_password_is_neither_trimmed_nor_folded() {
        assert_eq!(Password::parse(" Ab ").unwrap().expose(), b" Ab ");
    }

    #[test]
    fn what_is_not_text_is_refused() {
        for typed in ["tidal\0lantern orbit", "tidal\u{FFFD}lantern orbit"] {
            assert_eq!(Password::parse(typed).unwrap_err(), PasswordError::NotText);
        }
        assert_eq!(Password::parse("").unwrap_err(), PasswordError::Empty);
    }

    #[test]
    fn the_cost_of_a_hash_is_all_before_its_salt() {
        let cost = |phc| PasswordHash::from_phc(phc).cost().map(str::to_owned);
        let whole = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q";
        assert_eq!(cost(whole).as_deref(), Some("$argon2id$v=19$m=19456,t=2,p=1"));
        for other in ["", "$", "plain", "$argon2id$v=19$m=8,t=1,p=1", "$2b$12$R9h$x$y", "€€$$$$"]
        {
            assert_eq!(cost(other), None, "{other}");
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        let password = Password::parse("tidal lantern orbit").unwrap();
        let hash = PasswordHash::from_phc("$argon2id$v=19$secret");
        assert_eq!(format!("{password:?} {hash:?}"), "Password(redacted) PasswordHash(redacted)");
    }
}
