use std::convert::Infallible;
#[cfg(any(test, feature = "testing"))]
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use argon2::Params;
use countersign_domain::{Password, PasswordHash, UserId};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use subtle::ConstantTimeEq;

use super::kernel::{Chosen, Kernel};
use super::recipe::{Recipe, Scheme};
use super::stand_in::StandIn;
use super::workers::{Overloaded, Workers};
use crate::caller::Caller;
use crate::config::{ConfigError, HashingConfig};
use crate::random::rng;

/// Hashes passwords with Argon2id and checks them against hashes.
pub(crate) struct Hasher {
    workers: Workers<Chosen>,
    /// What new hashes are made by.
    scheme: Scheme,
    computed: Counter,
    #[cfg(any(test, feature = "testing"))]
    costs: Costs,
}

/// What was computed, in order: what each hash cost, as a saved hash says it.
#[cfg(any(test, feature = "testing"))]
type Costs = Arc<Mutex<Vec<String>>>;

/// What a password is checked against.
pub(crate) struct Against<'a> {
    /// Whose password it is to be, for the log.
    pub(crate) user: Option<UserId>,
    /// Their hash.
    pub(crate) hash: Option<&'a PasswordHash>,
    /// What is computed where there is no hash that can be checked.
    pub(crate) stand_in: StandIn,
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
    pub(super) fn scheme(&self) -> Scheme {
        let &Self { memory_kib, iterations, parallelism, .. } = self;
        // Argon2 accepts what `AuthConfig::check` has accepted.
        let params = Params::new(memory_kib, iterations, parallelism, None).unwrap_or_default();
        Scheme::argon2id(params)
    }
}

/// Only parameters that `AuthConfig::check` refuses make Argon2 fail.
const IMPOSSIBLE: Overloaded = Overloaded { retry_after: Duration::from_secs(60) };

impl Hasher {
    pub(crate) fn start(config: &HashingConfig) -> Self {
        Self {
            workers: Workers::start(config.workers, config.queue, config.max_wait),
            scheme: config.scheme(),
            computed: Counter::default(),
            #[cfg(any(test, feature = "testing"))]
            costs: Costs::default(),
        }
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn computed(&self) -> u64 {
        self.computed.get()
    }

    /// Returns what was computed so far, in order.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn costs_computed(&self) -> Vec<String> {
        self.costs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns what computes a hash, and notes for tests that it did.
    fn compute(&self) -> impl Fn(&mut Chosen, &Recipe, &[u8]) -> Option<Vec<u8>> + Send + 'static {
        #[cfg(any(test, feature = "testing"))]
        let costs = Arc::clone(&self.costs);
        move |kernel: &mut Chosen, recipe: &Recipe, password: &[u8]| {
            let output = kernel.compute(recipe, password)?;
            #[cfg(any(test, feature = "testing"))]
            costs.lock().unwrap_or_else(PoisonError::into_inner).push(recipe.scheme.cost());
            Some(output)
        }
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
        let (computed, compute) = (self.computed.clone(), self.compute());
        let job = move |kernel: &mut Chosen| {
            if let Err(error) = check(&password) {
                return Some(Err(error));
            }
            computed.inc();
            recipe.expected = compute(kernel, &recipe, password.expose())?;
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
        against: Against<'_>,
        caller: &Caller,
    ) -> Result<Verdict, Overloaded> {
        let Against { user, hash, stand_in } = against;
        let user = user.map(|user| user.to_string());
        let recipe = hash.and_then(|hash| match Recipe::parse(hash) {
            Ok(recipe) => Some(recipe),
            Err(error) => {
                let user = user.as_deref();
                tracing::error!(%error, user, "a password hash is corrupt: its user cannot log in with it");
                None
            }
        });
        let is_real = recipe.is_some();
        // No password matches it.
        let instead = Recipe::new(stand_in.0, &mut rng());
        let recipe = recipe.unwrap_or_else(|| instead.clone());
        let outdated = !recipe.is_made_by(&self.scheme);
        let (computed, compute) = (self.computed.clone(), self.compute());
        let matches = self
            .workers
            .run(caller.client.address, move |kernel| {
                computed.inc();
                let Some(output) = compute(kernel, &recipe, password.expose()) else {
                    // It was read as computable. An answer without a hash would come too soon.
                    tracing::error!(user, "a password hash could not be computed");
                    compute(kernel, &instead, password.expose());
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
    use super::*;

    fn hasher() -> Hasher {
        Hasher::start(&HashingConfig::cheap())
    }

    fn against(hash: Option<&PasswordHash>) -> Against<'_> {
        let stand_in = HashingConfig { memory_kib: 16, ..HashingConfig::cheap() };
        Against { user: None, hash, stand_in: StandIn(stand_in.scheme()) }
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
        let verify = async |typed| {
            hasher.verify(password(typed), against(Some(&saved)), &caller()).await.unwrap()
        };
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
        let verdict = hasher().verify(password("password"), against(Some(&saved)), &caller()).await;
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
            let verdict = hasher.verify(password("wrong"), against(hash), &caller()).await;
            assert_eq!(verdict, Ok(Verdict::Wrong), "{hash:?}");
            assert_eq!(hasher.computed() - before, 1, "{hash:?}");
            let memory = if hash == Some(&good) { 8 } else { 16 };
            let cost = format!("$argon2id$v=19$m={memory},t=1,p=1");
            let computed = hasher.costs_computed();
            assert_eq!(
                computed.last(),
                Some(&cost),
                "{}",
                hash.map_or("none", |hash| hash.as_phc())
            );
            assert_eq!(computed.len() as u64, hasher.computed(), "computed is more than begun");
        }
    }

    #[tokio::test]
    async fn a_hash_with_weaker_parameters_is_outdated() {
        let weak = hash(&hasher(), "right").await;
        let config = HashingConfig { memory_kib: 16, ..HashingConfig::cheap() };
        let hasher = Hasher::start(&config);
        let verdict = hasher.verify(password("right"), against(Some(&weak)), &caller()).await;
        assert_eq!(verdict, Ok(Verdict::Correct { outdated: true }));
    }
}
