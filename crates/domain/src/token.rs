use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret that is shown to its bearer once and never saved: 256 random bits, written as 43
/// characters of base64url without padding.
#[derive(Clone)]
pub struct SecretToken(Zeroizing<[u8; 32]>);

/// The form in which a [`SecretToken`] is saved: its SHA-256. A token has 256 bits of entropy, so nothing
/// slower is needed (ASVS 6.5.2). A reader of the database cannot present a token.
#[derive(Clone, Copy)]
pub struct TokenDigest([u8; 32]);

/// The text is no token of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a token: 43 characters of base64url are expected")]
pub struct TokenError;

impl SecretToken {
    /// How many characters a written token has.
    pub const CHARS: usize = 43;

    /// Draws a new token.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut());
        Self(bytes)
    }

    /// Reads a token that somebody presents.
    ///
    /// # Errors
    ///
    /// When the text is not the one way in which such a token is written.
    pub fn parse(presented: &str) -> Result<Self, TokenError> {
        let mut bytes = Zeroizing::new([0; 32]);
        if presented.len() != Self::CHARS {
            return Err(TokenError);
        }
        match URL_SAFE_NO_PAD.decode_slice(presented, bytes.as_mut()) {
            Ok(32) => Ok(Self(bytes)),
            _ => Err(TokenError),
        }
    }

    /// Returns the written token, to be handed to its bearer.
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0.as_ref()))
    }

    /// Returns what may be saved of it.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest(Sha256::digest(self.0.as_ref()).into())
    }
}

impl fmt::Debug for SecretToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretToken(redacted)")
    }
}

impl TokenDigest {
    /// Returns the digest as a store keeps it.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns a digest that a store kept; `None` unless it is 32 bytes.
    pub fn from_bytes(saved: &[u8]) -> Option<Self> {
        saved.try_into().ok().map(Self)
    }
}

impl PartialEq for TokenDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenDigest {}

impl std::hash::Hash for TokenDigest {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use getrandom::SysRng;
    use rand_core::UnwrapErr;

    use super::*;

    #[test]
    fn a_token_reads_back_from_what_was_shown() {
        let token = SecretToken::generate(&mut UnwrapErr(SysRng));
        let shown = token.expose();
        assert_eq!(shown.len(), SecretToken::CHARS);
        assert_eq!(SecretToken::parse(&shown).unwrap().digest(), token.digest());
    }

    #[test]
    fn no_two_tokens_are_alike() {
        let one = SecretToken::generate(&mut UnwrapErr(SysRng));
        assert_ne!(one.digest(), SecretToken::generate(&mut UnwrapErr(SysRng)).digest());
    }

    #[test]
    fn only_one_way_of_writing_a_token_is_read() {
        let shown = "A".repeat(43);
        assert!(SecretToken::parse(&shown).is_ok());
        for other in [
            String::new(),
            "A".repeat(42),
            "A".repeat(44),
            format!("{}=", "A".repeat(43)),
            format!("{}B", "A".repeat(42)), // bits that decode to nothing
            format!("{}+", "A".repeat(42)),
            format!("{}é", "A".repeat(41)),
        ] {
            assert!(SecretToken::parse(&other).is_err(), "{other}");
        }
    }

    #[test]
    fn the_digest_is_sha_256() {
        let token = SecretToken::parse(&"A".repeat(43)).unwrap();
        assert_eq!(token.digest().as_bytes().first_chunk(), Some(&[0x66, 0x68, 0x7a, 0xad]));
        assert_eq!(TokenDigest::from_bytes(token.digest().as_bytes()), Some(token.digest()));
        assert_eq!(TokenDigest::from_bytes(&[0; 31]), None);
    }

    #[test]
    fn neither_token_nor_digest_is_printed() {
        let token = SecretToken::generate(&mut UnwrapErr(SysRng));
        let printed = format!("{token:?} {:?}", token.digest());
        assert_eq!(printed, "SecretToken(redacted) TokenDigest(redacted)");
    }
}
