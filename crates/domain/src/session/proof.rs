use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::PasswordHash;
use crate::word::{UnknownWord, written_enum};

written_enum! {
    /// One way to prove who one is. The words are those of RFC 8176 where it has one.
    Method {
        /// A password.
        Password = "pwd",
        /// A means of the application's own, for which it vouches.
        Application = "app",
        /// A second factor that exists in tests alone.
        TestFactor = "test",
    }
}

/// The ways in which a user has proved who they are, each once, in the order in which they did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Methods(Vec<Method>);

impl Methods {
    /// Returns whether this is one of them.
    pub fn contains(&self, method: Method) -> bool {
        self.0.contains(&method)
    }

    /// Returns whether there are none: nobody has proved anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Goes through them in order.
    pub fn iter(&self) -> impl Iterator<Item = Method> + '_ {
        self.0.iter().copied()
    }

    /// Returns these methods and, after them, those of `more` that are new.
    #[must_use]
    pub fn and(&self, more: &Self) -> Self {
        let new = more.iter().filter(|method| !self.contains(*method));
        Self(self.iter().chain(new).collect())
    }
}

impl From<Method> for Methods {
    fn from(method: Method) -> Self {
        Self(vec![method])
    }
}

/// Words with blanks between them, as a store keeps them: `pwd otp`.
impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, method) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            f.write_str(method.as_str())?;
        }
        Ok(())
    }
}

impl FromStr for Methods {
    type Err = UnknownWord;

    fn from_str(written: &str) -> Result<Self, UnknownWord> {
        written.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// What a user has shown to prove who they are, and what must still hold when something rests on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    methods: Methods,
    password: Option<PasswordHash>,
}

impl Proof {
    /// Returns the proof of a password that matched `hash`. It holds only while that is the user's hash.
    pub fn password(hash: PasswordHash) -> Self {
        Self { methods: Method::Password.into(), password: Some(hash) }
    }

    /// Returns the proof of a user for whom the application vouches.
    pub fn application() -> Self {
        Self::factor(Method::Application)
    }

    /// Returns the proof of a factor that is no password.
    pub fn factor(method: Method) -> Self {
        Self { methods: method.into(), password: None }
    }

    /// Returns a proof that was shown in several steps.
    pub fn new(methods: Methods, password: Option<PasswordHash>) -> Self {
        Self { methods, password }
    }

    /// Returns both proofs together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let methods = self.methods.and(&other.methods);
        Self { methods, password: self.password.or(other.password) }
    }

    /// Returns the methods of the proof.
    pub fn methods(&self) -> &Methods {
        &self.methods
    }

    /// Returns the hash that the user must still have.
    pub fn password_hash(&self) -> Option<&PasswordHash> {
        self.password.as_ref()
    }
}

/// What recognises a password hash without holding it: SHA-256 of its PHC string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashDigest([u8; 32]);

impl HashDigest {
    /// Returns the digest of `hash`.
    pub fn of(hash: &PasswordHash) -> Self {
        Self(Sha256::digest(hash.as_phc()).into())
    }

    /// Returns the digest as a store keeps it.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Takes a digest that a store kept; `None` unless it is 32 bytes.
    pub fn from_bytes(saved: &[u8]) -> Option<Self> {
        saved.try_into().ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_read_back_as_written_and_none_is_named_twice() {
        let both = Methods::from(Method::Password).and(&Method::TestFactor.into());
        assert_eq!(both.to_string(), "pwd test");
        assert_eq!("pwd test".parse(), Ok(both.clone()));
        assert_eq!(both.and(&Method::Password.into()), both);
        assert_eq!("".parse(), Ok(Methods::default()));
        let newer: Methods = "pwd hwk".parse().unwrap();
        assert_eq!(newer.to_string(), "pwd hwk");
    }

    #[test]
    fn proofs_together_rest_on_the_password_of_either() {
        let hash = PasswordHash::from_phc("$argon2id$x");
        let both = Proof::factor(Method::TestFactor).and(Proof::password(hash.clone()));
        assert_eq!(both.password_hash(), Some(&hash));
        assert_eq!(both.methods().to_string(), "test pwd");
    }
}
