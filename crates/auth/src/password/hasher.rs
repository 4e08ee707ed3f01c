use std::convert::Infallible;
use std::time::{Duration, Instant};

use argon2::Params;
use countersign_domain::{CryptoRng, Password, PasswordHash};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use subtle::ConstantTimeEq;

use super::kernel::{Chosen, Kernel};
use super::recipe::{Recipe, Scheme};
use super::workers::{Overloaded, Workers};
use crate::caller::Caller;
use crate::config::{ConfigError, HashingConfig};
use crate::random::rng;

/// Hashes passwords with Argon2id and checks them against hashes.
pub(crate) struct Hasher {
    workers: Workers<Chosen>,
    /// What new hashes are made by.
    scheme: Scheme,
    /// Checked where there is no hash to check. No password matches it.
    dummy: Recipe,
    computed: Counter,
}

/// The outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wrong,
    Correct {
        /// The hash was made with other parameters than a new one would be.
        outdated: bool,
    },
}

impl HashingConfig {
    /// Returns what new hashes are made by.
    fn scheme(&self) -> Scheme {
        let &Self { memory_kib, iterations, parallelism, .. } = self;
        // Argon2 accepts what `AuthConfig::check` has accepted.
        let params = Params::new(memory_kib, iterations, parallelism, None).unwrap_or_default();
        Scheme::argon2id(params)
    }
}

/// Only parameters that `AuthConfig::check` refuses make Argon2 fail.
const IMPOSSIBLE: Overloaded = Overloaded { retry_after: Duration::from_secs(60) };

impl Hasher {
    pub(crate) fn start(config: &HashingConfig, rng: &mut impl CryptoRng) -> Self {
        let scheme = config.scheme();
        let dummy = Recipe::new(scheme.clone(), rng);
        let workers = Workers::start(config.workers, config.queue, config.max_wait);
        Self { workers, scheme, dummy, computed: Counter::default() }
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn computed(&self) -> u64 {
        self.computed.get()
    }

    pub(crate) fn register_metrics(&self, registry: &mut Registry) {
        let help = "Password hashes that were begun";
        registry.register("countersign_hashes", help, self.computed.clone());
        self.workers.metrics().register(registry);
    }

    /// Hashes a password for `caller`.
    pub(crate) async fn hash(
        &self,
        password: Password,
        caller: &Caller,
    ) -> Result<PasswordHash, Overloaded> {
        let hashed = self.check_and_hash(password, caller, |_| Ok::<_, Infallible>(()), |_| ());
        hashed.await.map(|hashed| match hashed {
            Ok((hash, ())) => hash,
            Err(never) => match never {},
        })
    }

    /// Keeps all `workers` busy until what is returned is dropped.
    #[cfg(feature = "testing")]
    pub(crate) async fn occupy(&self, workers: usize) -> crate::BusyWorkers {
        self.workers.occupy(workers).await
    }

    /// Does three things in one job, so that they wait once: asks `check` whether `password` may be set,
    /// hashes it, and has `after` look at it.
    pub(crate) async fn check_and_hash<E: Send + 'static, A: Send + 'static>(
        &self,
        password: Password,
        caller: &Caller,
        check: impl FnOnce(&Password) -> Result<(), E> + Send + 'static,
        after: impl FnOnce(&Password) -> A + Send + 'static,
    ) -> Result<Result<(PasswordHash, A), E>, Overloaded> {
        let mut recipe = Recipe::new(self.scheme.clone(), &mut rng());
        let computed = self.computed.clone();
        let job = move |kernel: &mut Chosen| {
            if let Err(error) = check(&password) {
                return Some(Err(error));
            }
            computed.inc();
            recipe.expected = kernel.compute(&recipe, password.expose())?;
            Some(Ok((recipe.to_phc()?, after(&password))))
        };
        self.workers.run(caller.client.address, job).await?.ok_or(IMPOSSIBLE)
    }

    /// Does work that takes about as long as a hash, on one of the workers.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        caller: &Caller,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        self.workers.run(caller.client.address, move |_| work()).await
    }

    /// Checks a password. Computes exactly one hash, whether or not there is one to check against, so that
    /// the time tells nobody which.
    pub(crate) async fn verify(
        &self,
        password: Password,
        hash: Option<&PasswordHash>,
        caller: &Caller,
    ) -> Result<Verdict, Overloaded> {
        let recipe = hash.and_then(|hash| match Recipe::parse(hash) {
            Ok(recipe) => Some(recipe),
            Err(error) => {
                tracing::error!(%error, "a password hash is corrupt: its user cannot log in with it");
                None
            }
        });
        let is_real = recipe.is_some();
        let recipe = recipe.unwrap_or_else(|| self.dummy.clone());
        let outdated = !recipe.is_made_by(&self.scheme);
        let (computed, instead) = (self.computed.clone(), self.dummy.clone());
        let matches = self
            .workers
            .run(caller.client.address, move |kernel| {
                computed.inc();
                let Some(output) = kernel.compute(&recipe, password.expose()) else {
                    // It was read as computable. An answer without a hash would come too soon.
                    tracing::error!("a password hash could not be computed");
                    kernel.compute(&instead, password.expose());
                    return false;
                };
                output.ct_eq(&recipe.expected).into()
            })
            .await?;
        if matches && is_real { Ok(Verdict::Correct { outdated }) } else { Ok(Verdict::Wrong) }
    }
}

/// Measures how long a hash takes while as many workers as configured compute one, each on a thread of its
/// own, in memory that they have used before. Returns the shortest of three times.
///
/// # Errors
///
/// When the service would not run with these parameters.
///
/// # Panics
///
/// When the system has no thread left.
pub fn measure_hashing(config: &HashingConfig) -> Result<Duration, ConfigError> {
    config.check()?;
    let recipe = Recipe::new(config.scheme(), &mut rng());
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
    Ok([once(), once(), once()].into_iter().min().unwrap_or_default())
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
        hasher.hash(password(typed), &caller()).await.unwrap()
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
        let [start, output] = ["$argon2id$v=19$m=8,t=1,p=1", "CTFhFdXPJO1aFaMaO6Mm5Q"];
        let saved = [
            endless.to_owned(),
            long.to_owned(),
            foreign.to_owned(),
            String::new(),
            "plain text".to_owned(),
            // Salts of 4 and of 7 bytes, none at all, and outputs of 10 and of 15 bytes.
            format!("{start}$c29tZQ${output}"),
            format!("{start}$c29tZXNhbA${output}"),
            format!("{start}$"),
            start.to_owned(),
            format!("{start}$c29tZXNhbHQ"),
            format!("{start}$c29tZXNhbHQ$CTFhFdXPJO1aFQ"),
            format!("{start}$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm"),
            // Less memory than four pieces for each lane, and parameters that mean nothing.
            format!("$argon2id$v=19$m=8,t=1,p=2$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=19$m=0,t=0,p=0$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=19$m=8,t=1,p=1,x=1$c29tZXNhbHQ${output}"),
            format!("$argon2id$v=18$m=8,t=1,p=1$c29tZXNhbHQ${output}"),
            format!("$argon2id$m=8,t=1,p=1$c29tZXNhbHQ${output}"),
            format!("$argon2x$v=19$m=8,t=1,p=1$c29tZXNhbHQ${output}"),
        ]
        .map(PasswordHash::from_phc);
        let all = [None, Some(&good)].into_iter().chain(saved.iter().map(Some));
        for hash in all {
            let before = hasher.computed();
            let verdict = hasher.verify(password("wrong"), hash, &caller()).await;
            assert_eq!(verdict, Ok(Verdict::Wrong), "{hash:?}");
            assert_eq!(hasher.computed() - before, 1, "{hash:?}");
            // Counted is not yet computed: what is read as a hash must have an output.
            let recipe = hash.and_then(|hash| Recipe::parse(hash).ok());
            let output = recipe.map(|recipe| Chosen::default().compute(&recipe, b"wrong").is_some());
            assert_ne!(output, Some(false), "{}", hash.map_or("none", |hash| hash.as_phc()));
        }
        assert!(saved.iter().all(|hash| Recipe::parse(hash).is_err()));
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
