use argon2::password_hash::phc::{self, Output, ParamsString, Salt};
use argon2::{Algorithm, Params, Version};
use countersign_domain::{CryptoRng, PasswordHash};

use crate::config::AuthConfig;

/// How to compute a hash, and the output that it must have.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    pub(super) algorithm: Algorithm,
    pub(super) version: Version,
    pub(super) params: Params,
    pub(super) salt: Vec<u8>,
    pub(super) expected: Vec<u8>,
}

/// A saved hash that cannot be checked.
#[derive(Debug, thiserror::Error)]
#[error("the saved hash is not one of Argon2 with bearable parameters")]
pub(crate) struct Unreadable;

/// 16 bytes of salt and 32 of output (RFC 9106, section 4).
const SALT_LEN: usize = 16;
const OUTPUT_LEN: usize = 32;

impl Recipe {
    /// Returns the recipe of a new hash with a salt of its own. The expected output is noise until it is
    /// computed.
    pub(super) fn new(params: Params, rng: &mut impl CryptoRng) -> Self {
        let (mut salt, mut noise) = (vec![0; SALT_LEN], vec![0; OUTPUT_LEN]);
        rng.fill_bytes(&mut salt);
        rng.fill_bytes(&mut noise);
        Self {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            params,
            salt,
            expected: noise,
        }
    }

    pub(super) fn parse(hash: &PasswordHash) -> Result<Self, Unreadable> {
        Self::from_phc(hash.as_phc()).ok_or(Unreadable)
    }

    pub(super) fn from_phc(phc: &str) -> Option<Self> {
        let hash = phc::PasswordHash::new(phc).ok()?;
        let params = Params::try_from(&hash).ok()?;
        // Somebody who can write to the database must not be able to take all memory and time.
        let bearable = params.m_cost() <= AuthConfig::MAX_MEMORY_KIB
            && params.t_cost() <= AuthConfig::MAX_ITERATIONS
            && params.p_cost() <= AuthConfig::MAX_PARALLELISM;
        bearable.then_some(())?;
        Some(Self {
            algorithm: Algorithm::try_from(hash.algorithm.as_str()).ok()?,
            version: Version::try_from(hash.version?).ok()?,
            params,
            salt: hash.salt?.as_ref().to_vec(),
            expected: hash.hash?.as_bytes().to_vec(),
        })
    }

    pub(super) fn to_phc(&self) -> Option<PasswordHash> {
        let hash = phc::PasswordHash {
            algorithm: self.algorithm.ident(),
            version: Some(self.version.into()),
            params: ParamsString::try_from(&self.params).ok()?,
            salt: Some(Salt::new(&self.salt).ok()?),
            hash: Some(Output::new(&self.expected).ok()?),
        };
        Some(PasswordHash::from_phc(hash.to_string()))
    }

    pub(super) fn is_made_with(&self, params: &Params) -> bool {
        (self.algorithm, self.version) == (Algorithm::Argon2id, Version::V0x13)
            && self.expected.len() == OUTPUT_LEN
            && (self.params.m_cost(), self.params.t_cost(), self.params.p_cost())
                == (params.m_cost(), params.t_cost(), params.p_cost())
    }
}
