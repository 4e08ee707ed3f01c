use argon2::password_hash::phc::{self, Output, ParamsString, Salt};
use argon2::{Algorithm, MIN_SALT_LEN, Params, Version};
use countersign_domain::{CryptoRng, PasswordHash};

use crate::config::AuthConfig;

/// How to compute a hash, and the output that it must have.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    pub(super) scheme: Scheme,
    pub(super) salt: Vec<u8>,
    pub(super) expected: Vec<u8>,
}

/// By what a hash is computed, and so what it costs. One that is to be checked although it was made by
/// another program is a variant here, with an arm in each kernel.
#[derive(Clone, Debug)]
pub(super) enum Scheme {
    /// Argon2, of any kind.
    Argon2 {
        /// Argon2id, or one of its siblings.
        algorithm: Algorithm,
        /// The version of the algorithm.
        version: Version,
        /// Memory, passes and lanes.
        params: Params,
    },
}

/// A saved hash that cannot be checked.
#[derive(Debug, thiserror::Error)]
#[error("the saved hash is not one of Argon2 with bearable parameters, a salt and an output")]
pub(crate) struct Unreadable;

/// 16 bytes of salt and 32 of output (RFC 9106, section 4).
const SALT_LEN: usize = 16;
const OUTPUT_LEN: usize = 32;

/// An output that is shorter is none that any program makes, and is found by chance sooner.
const MIN_OUTPUT_LEN: usize = 16;

impl Recipe {
    /// Returns the recipe of a new hash with a salt of its own. The expected output is noise until it is
    /// computed.
    pub(super) fn new(scheme: Scheme, rng: &mut impl CryptoRng) -> Self {
        let (mut salt, mut noise) = (vec![0; SALT_LEN], vec![0; OUTPUT_LEN]);
        rng.fill_bytes(&mut salt);
        rng.fill_bytes(&mut noise);
        Self { scheme, salt, expected: noise }
    }

    pub(super) fn parse(hash: &PasswordHash) -> Result<Self, Unreadable> {
        Self::from_phc(hash.as_phc()).ok_or(Unreadable)
    }

    /// Reads a hash that can be computed. One that cannot would be answered sooner than a wrong password.
    pub(super) fn from_phc(phc: &str) -> Option<Self> {
        let hash = phc::PasswordHash::new(phc).ok()?;
        let scheme = Scheme::read(&hash)?;
        let (salt, expected) = (hash.salt?.as_ref().to_vec(), hash.hash?.as_bytes().to_vec());
        let is_whole = salt.len() >= MIN_SALT_LEN && expected.len() >= MIN_OUTPUT_LEN;
        is_whole.then_some(Self { scheme, salt, expected })
    }

    pub(super) fn to_phc(&self) -> Option<PasswordHash> {
        let Scheme::Argon2 { algorithm, version, params } = &self.scheme;
        let hash = phc::PasswordHash {
            algorithm: algorithm.ident(),
            version: Some((*version).into()),
            params: ParamsString::try_from(params).ok()?,
            salt: Some(Salt::new(&self.salt).ok()?),
            hash: Some(Output::new(&self.expected).ok()?),
        };
        Some(PasswordHash::from_phc(hash.to_string()))
    }

    /// Returns whether a new hash would be made in the same way.
    pub(super) fn is_made_by(&self, scheme: &Scheme) -> bool {
        self.expected.len() == OUTPUT_LEN && self.scheme == *scheme
    }
}

impl Scheme {
    /// Returns the scheme of new hashes.
    pub(super) fn argon2id(params: Params) -> Self {
        Self::Argon2 { algorithm: Algorithm::Argon2id, version: Version::V0x13, params }
    }

    /// Reads what a saved hash says before its salt.
    pub(super) fn from_cost(cost: &str) -> Option<Self> {
        Self::read(&phc::PasswordHash::new(cost).ok()?)
    }

    /// Returns what a saved hash says before its salt.
    pub(super) fn cost(&self) -> String {
        let Self::Argon2 { algorithm, version, params } = self;
        let (algorithm, version) = (algorithm.as_str(), u32::from(*version));
        let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
        format!("${algorithm}$v={version}$m={memory},t={passes},p={lanes}")
    }

    /// Returns what sorts schemes: the cheaper first, and always alike.
    pub(super) fn order(&self) -> (u64, String) {
        let Self::Argon2 { params, .. } = self;
        (u64::from(params.m_cost()) * u64::from(params.t_cost()), self.cost())
    }

    fn read(hash: &phc::PasswordHash) -> Option<Self> {
        let params = Params::try_from(hash).ok()?;
        // Somebody who can write to the database must not be able to take all memory and time.
        let bearable = params.m_cost() <= AuthConfig::MAX_MEMORY_KIB
            && params.t_cost() <= AuthConfig::MAX_ITERATIONS
            && params.p_cost() <= AuthConfig::MAX_PARALLELISM;
        bearable.then_some(())?;
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        Some(Self::Argon2 { algorithm, version: Version::try_from(hash.version?).ok()?, params })
    }
}

impl PartialEq for Scheme {
    fn eq(&self, other: &Self) -> bool {
        let parts = |Self::Argon2 { algorithm, version, params }: &Self| {
            (*algorithm, *version, params.m_cost(), params.t_cost(), params.p_cost())
        };
        parts(self) == parts(other)
    }
}
