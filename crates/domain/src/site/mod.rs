//! What is true of a whole site, whichever program serves it.

pub(crate) mod store;

#[cfg(feature = "contract")]
pub(crate) mod contract;
#[cfg(feature = "memory")]
mod memory;

use std::fmt;

use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::EmailAddress;

/// A secret of a site: 256 random bits that all programs on one store share, and that never change. It
/// decides what must look as if it were chance and stay the same, such as what the hash of somebody costs
/// who does not exist.
#[derive(Clone)]
pub struct SiteSecret(Zeroizing<[u8; 32]>);

impl SiteSecret {
    /// The number of bytes of a secret.
    pub const BYTES: usize = 32;

    /// Draws a new secret.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; Self::BYTES]);
        rng.fill_bytes(bytes.as_mut());
        Self(bytes)
    }

    /// Returns the secret as a store keeps it.
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Takes a secret that a store kept; `None` unless it is [`SiteSecret::BYTES`] long.
    pub fn from_bytes(saved: &[u8]) -> Option<Self> {
        saved.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// Returns which of several things an email address gets that nobody has, each thing with as many
    /// `shares` of all as it says. It is the same in every spelling of the address, and nobody can tell it
    /// without the secret. Where the shares change, few addresses get another thing: the fewer the smaller
    /// the change. `None` where there are no shares.
    pub fn draw(&self, email: &EmailAddress, shares: &[u64]) -> Option<usize> {
        let all: u128 = shares.iter().map(|share| u128::from(*share)).sum();
        let digest = Sha256::new_with_prefix(b"countersign stand-in 1")
            .chain_update(self.as_bytes())
            .chain_update(email.canonical().as_bytes())
            .finalize();
        let chance = digest.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        // A point of all shares in a row. It is below `all`, since the chance is below 2^32.
        let point = all.saturating_mul(u128::from(chance)) >> 32;
        let mut end = 0;
        shares.iter().position(|share| {
            end += u128::from(*share);
            point < end
        })
    }
}

impl fmt::Debug for SiteSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SiteSecret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use getrandom::SysRng;
    use rand_core::UnwrapErr;

    use super::*;

    fn email(typed: &str) -> EmailAddress {
        EmailAddress::parse(typed).unwrap()
    }

    fn secret() -> SiteSecret {
        SiteSecret::from_bytes(&[7; 32]).unwrap()
    }

    /// What a thousand addresses get.
    fn drawn(shares: &[u64]) -> Vec<usize> {
        let draw = |n| secret().draw(&email(&format!("user{n}@example.org")), shares).unwrap();
        (0..1_000).map(draw).collect()
    }

    #[test]
    fn an_address_gets_the_same_in_every_spelling_and_other_secrets_give_others() {
        let shares = [1; 100];
        let drawn = |secret: &SiteSecret, typed| secret.draw(&email(typed), &shares);
        let ada = drawn(&secret(), "ada@example.org");
        assert_eq!(drawn(&secret(), "ADA@Example.org"), ada);
        let others = (0..8).map(|_| SiteSecret::generate(&mut UnwrapErr(SysRng)));
        assert!(others.into_iter().any(|other| drawn(&other, "ada@example.org") != ada));
    }

    #[test]
    fn as_many_get_a_thing_as_it_has_shares() {
        let drawn = drawn(&[700, 0, 300]);
        let count = |thing| drawn.iter().filter(|drawn| **drawn == thing).count();
        assert!(count(0).abs_diff(700) < 60, "{}", count(0));
        assert_eq!((count(1), count(0) + count(2)), (0, 1_000));
    }

    #[test]
    fn where_the_shares_change_a_little_few_get_another_thing() {
        let (before, after) = (drawn(&[700, 300]), drawn(&[690, 310]));
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after);
        let moved: Vec<_> = moved.collect();
        assert!(moved.len() < 30 && moved.iter().all(|moved| *moved == (&0, &1)), "{moved:?}");
    }

    #[test]
    fn the_shares_may_be_none_or_as_many_as_can_be() {
        let ada = &email("ada@example.org");
        assert_eq!(secret().draw(ada, &[]), None);
        assert_eq!(secret().draw(ada, &[0, 0]), None);
        assert!(secret().draw(ada, &[u64::MAX; 4]).is_some());
        assert_eq!(secret().draw(ada, &[0, 1, 0]), Some(1));
    }

    #[test]
    fn a_secret_is_never_printed() {
        assert_eq!(format!("{:?}", secret()), "SiteSecret(redacted)");
    }
}
