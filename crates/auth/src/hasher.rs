#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod kernel;

use std::time::{Duration, Instant};

use argon2::password_hash::phc::{self, Output, ParamsString, Salt};
use argon2::{Algorithm, Params, Version};
use countersign_domain::{CryptoRng, Password, PasswordHash};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use subtle::ConstantTimeEq;

use crate::config::{AuthConfig, HashingConfig};
use crate::workers::{Overloaded, Workers};
use crate::{Auth, Caller};
use kernel::{Chosen, Kernel};

/// Hashes passwords with Argon2id and checks them against hashes.
pub(crate) struct Hasher {
    workers: Workers<Chosen>,
    params: Params,
    /// Checked against when there is nothing to check against. No password matches it.
    dummy: Recipe,
    computed: Counter,
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wrong,
    Correct {
        /// The hash was made with other parameters than a new one would be.
        outdated: bool,
    },
}

/// How to compute a hash, and what must come out.
#[derive(Clone, Debug)]
struct Recipe {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Vec<u8>,
    expected: Vec<u8>,
}

/// A saved hash that cannot be checked.
#[derive(Debug, thiserror::Error)]
#[error("the saved hash is not one of Argon2 with bearable parameters")]
pub(crate) struct Unreadable;

impl HashingConfig {
    fn params(&self) -> Params {
        let &Self { memory_kib, iterations, parallelism, .. } = self;
        // What `AuthConfig::check` has accepted is accepted here.
        Params::new(memory_kib, iterations, parallelism, None).unwrap_or_default()
    }
}

/// 16 bytes of salt and 32 of output (RFC 9106, section 4).
const SALT_LEN: usize = 16;
const OUTPUT_LEN: usize = 32;

impl Hasher {
    pub(crate) fn start(config: &HashingConfig, rng: &mut impl CryptoRng) -> Self {
        let params = config.params();
        let dummy = Recipe::new(params.clone(), rng);
        let workers = Workers::start(config.workers, config.queue, config.max_wait);
        Self { workers, params, dummy, computed: Counter::default() }
    }

    pub(crate) fn computed(&self) -> u64 {
        self.computed.get()
    }

    pub(crate) fn register_metrics(&self, registry: &mut Registry) {
        let help = "Password hashes that were begun";
        registry.register("countersign_hashes", help, self.computed.clone());
        self.workers.metrics().register(registry);
    }

    /// Hashes a password that `caller` wants to be set.
    pub(crate) async fn hash(
        &self,
        password: Password,
        caller: &Caller,
        rng: &mut (impl CryptoRng + Send),
    ) -> Result<PasswordHash, Overloaded> {
        let mut recipe = Recipe::new(self.params.clone(), rng);
        let computed = self.computed.clone();
        self.workers
            .run(caller.client.address, move |kernel| {
                computed.inc();
                recipe.expected = kernel.compute(&recipe, password.expose())?;
                recipe.to_phc()
            })
            .await?
            // Only parameters that `AuthConfig::check` refuses make Argon2 fail.
            .ok_or(Overloaded { retry_after: Duration::from_secs(60) })
    }

    /// Keeps all `workers` busy until what is returned is dropped.
    #[cfg(feature = "testing")]
    pub(crate) async fn occupy(&self, workers: usize) -> crate::BusyWorkers {
        self.workers.occupy(workers).await
    }

    /// Has other work done by the hashing workers, with their bounds: it is long, and not a hash.
    pub(crate) async fn run_beside<T: Send + 'static>(
        &self,
        caller: &Caller,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        self.workers.run(caller.client.address, |_| work()).await
    }

    /// Checks a password. Exactly one hash is computed, whatever there is to check against, so that
    /// time tells nobody whether there is anything.
    pub(crate) async fn verify(
        &self,
        password: Password,
        hash: Option<&PasswordHash>,
        caller: &Caller,
    ) -> Result<Verdict, Overloaded> {
        let recipe = hash.and_then(|hash| match Recipe::parse(hash) {
            Ok(recipe) => Some(recipe),
            Err(error) => {
                tracing::error!(%error, "a user cannot log in with their password");
                None
            }
        });
        let is_real = recipe.is_some();
        let recipe = recipe.unwrap_or_else(|| self.dummy.clone());
        let outdated = !recipe.is_made_with(&self.params);
        let computed = self.computed.clone();
        let matches = self
            .workers
            .run(caller.client.address, move |kernel| {
                computed.inc();
                let output = kernel.compute(&recipe, password.expose());
                output.is_some_and(|output| output.ct_eq(&recipe.expected).into())
            })
            .await?;
        if matches && is_real { Ok(Verdict::Correct { outdated }) } else { Ok(Verdict::Wrong) }
    }
}

/// How long a hash takes while all workers compute one, each on a thread of its own: the shortest of
/// three times, after one that warms up their memory.
pub(crate) fn measure(config: &HashingConfig) -> Duration {
    let recipe = Recipe::new(config.params(), &mut Auth::rng());
    let mut kernels: Vec<_> = (0..config.workers).map(|_| Chosen::default()).collect();
    let mut once = || {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for kernel in &mut kernels {
                scope.spawn(|| kernel.compute(&recipe, b"a password that is measured"));
            }
        });
        start.elapsed()
    };
    once();
    [once(), once(), once()].into_iter().min().unwrap_or_default()
}

impl Recipe {
    /// A new hash is made with a salt of its own; what is expected is noise until it is computed.
    fn new(params: Params, rng: &mut impl CryptoRng) -> Self {
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

    fn parse(hash: &PasswordHash) -> Result<Self, Unreadable> {
        Self::from_phc(hash.as_phc()).ok_or(Unreadable)
    }

    fn from_phc(phc: &str) -> Option<Self> {
        let hash = phc::PasswordHash::new(phc).ok()?;
        let params = Params::try_from(&hash).ok()?;
        // Whoever can write to the database must not be able to take all memory and time.
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

    fn to_phc(&self) -> Option<PasswordHash> {
        let hash = phc::PasswordHash {
            algorithm: self.algorithm.ident(),
            version: Some(self.version.into()),
            params: ParamsString::try_from(&self.params).ok()?,
            salt: Some(Salt::new(&self.salt).ok()?),
            hash: Some(Output::new(&self.expected).ok()?),
        };
        Some(PasswordHash::from_phc(hash.to_string()))
    }

    fn is_made_with(&self, params: &Params) -> bool {
        (self.algorithm, self.version) == (Algorithm::Argon2id, Version::V0x13)
            && self.expected.len() == OUTPUT_LEN
            && (self.params.m_cost(), self.params.t_cost(), self.params.p_cost())
                == (params.m_cost(), params.t_cost(), params.p_cost())
    }
}

#[cfg(test)]
mod tests {
    use getrandom::SysRng;
    use getrandom::rand_core::UnwrapErr;

    use super::*;

    fn hasher() -> Hasher {
        Hasher::start(&HashingConfig::cheap(), &mut UnwrapErr(SysRng))
    }

    fn password(typed: &str) -> Password {
        Password::parse(typed).unwrap()
    }

    fn caller() -> Caller {
        Caller::administrator()
    }

    async fn hash(hasher: &Hasher, typed: &str) -> PasswordHash {
        hasher.hash(password(typed), &caller(), &mut UnwrapErr(SysRng)).await.unwrap()
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_and_no_other_does() {
        let hasher = hasher();
        let saved = hash(&hasher, "tidal lantern orbit").await;
        let verify =
            async |typed| hasher.verify(password(typed), Some(&saved), &caller()).await.unwrap();
        assert_eq!(verify("tidal lantern orbit").await, Verdict::Correct { outdated: false });
        assert_eq!(verify("tidal lantern orbiT").await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_hash_is_argon2id_in_phc_format_with_a_salt_of_its_own() {
        let hasher = hasher();
        let (one, two) = (hash(&hasher, "same").await, hash(&hasher, "same").await);
        assert!(one.as_phc().starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{}", one.as_phc());
        assert_ne!(one, two);
    }

    /// Test vector of the reference implementation's command-line tool:
    /// `printf password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 32`, by way of its test suite.
    #[tokio::test]
    async fn a_hash_of_the_reference_implementation_is_accepted_as_outdated() {
        let saved = PasswordHash::from_phc(
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ\
             $CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        );
        let verdict = hasher().verify(password("password"), Some(&saved), &caller()).await;
        assert_eq!(verdict, Ok(Verdict::Correct { outdated: true }));
    }

    #[tokio::test]
    async fn every_attempt_costs_exactly_one_hash_whatever_there_is_to_check_against() {
        let hasher = hasher();
        let good = hash(&hasher, "right").await;
        let endless = "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q";
        let long = "$argon2id$v=19$m=64,t=4000000,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q";
        let foreign = "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW";
        let saved = [endless, long, foreign, "", "plain text"].map(PasswordHash::from_phc);
        let all = [None, Some(&good)].into_iter().chain(saved.iter().map(Some));
        for hash in all {
            let before = hasher.computed();
            let verdict = hasher.verify(password("wrong"), hash, &caller()).await;
            assert_eq!(verdict, Ok(Verdict::Wrong), "{hash:?}");
            assert_eq!(hasher.computed() - before, 1, "{hash:?}");
        }
    }

    #[tokio::test]
    async fn a_hash_with_weaker_parameters_is_outdated() {
        let weak = hash(&hasher(), "right").await;
        let config = HashingConfig { memory_kib: 16, ..HashingConfig::cheap() };
        let hasher = Hasher::start(&config, &mut UnwrapErr(SysRng));
        let verdict = hasher.verify(password("right"), Some(&weak), &caller()).await;
        assert_eq!(verdict, Ok(Verdict::Correct { outdated: true }));
    }
}
