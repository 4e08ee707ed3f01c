use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

use countersign_domain::throttle::Backoff;
use countersign_domain::{PasswordPolicy, SessionLifetimes, ThrottlePolicy};

use crate::password::breach::BreachFile;

/// How the service behaves. The default is the recommended one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthConfig {
    /// Which passwords may be set.
    pub password: PasswordPolicy,
    /// The passwords that were stolen elsewhere and may not be set.
    pub breach_file: Option<BreachFile>,
    /// What a password hash costs, and who computes it.
    pub hashing: HashingConfig,
    /// How long sessions live, and how many there are.
    pub sessions: SessionConfig,
    /// How many guesses are let in; `None` lets in all of them, for load tests.
    pub throttle: Option<ThrottlePolicy>,
    /// How long the audit trail is kept.
    pub audit: AuditConfig,
}

/// How long the audit trail is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditConfig {
    /// How long a record is kept; 400 days by default, so that a year can be looked back on.
    pub keep_for: countersign_domain::Duration,
    /// How long its address is kept whole; 90 days by default. After that only the network is kept.
    pub keep_addresses_for: countersign_domain::Duration,
}

/// What a password hash costs, and who computes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HashingConfig {
    /// Argon2id's memory, in KiB.
    pub memory_kib: u32,
    /// Argon2id's passes over it.
    pub iterations: u32,
    /// Argon2id's lanes.
    pub parallelism: u32,
    /// How many hashes are computed at once, each on its own thread with its own memory.
    pub workers: usize,
    /// How many jobs wait for a worker before more are turned away.
    pub queue: usize,
    /// How long a job waits for a worker before it is turned away.
    pub max_wait: Duration,
}

/// How long sessions live, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionConfig {
    /// How long they live.
    pub lifetimes: SessionLifetimes,
    /// How many a user may have at once; the oldest end. 20 by default.
    pub max_per_user: u32,
    /// What happens to a session whose token comes from another browser; basic by default.
    pub protection: Protection,
    /// Whether users may ask to be remembered; true by default.
    pub remember: bool,
    /// How long a session is accepted without asking the store again, and so how long this process may miss
    /// a change by another one; a second by default. Zero asks with every request. A change by this process
    /// is seen at once.
    pub max_staleness: countersign_domain::Duration,
}

/// What happens to a session whose token comes from another browser than it was given to. Browsers are told
/// apart by what they call themselves, not by their address: addresses change on the way to work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// Nothing.
    Off,
    /// It is not fresh there.
    #[default]
    Basic,
    /// It ends.
    Strong,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            password: PasswordPolicy::default(),
            breach_file: None,
            hashing: HashingConfig::default(),
            sessions: SessionConfig::default(),
            throttle: Some(ThrottlePolicy::default()),
            audit: AuditConfig::default(),
        }
    }
}

impl Default for AuditConfig {
    fn default() -> Self {
        let days = countersign_domain::Duration::days;
        Self { keep_for: days(400), keep_addresses_for: days(90) }
    }
}

impl Default for HashingConfig {
    /// 19456 KiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet; ASVS 5.0, appendix C); one worker
    /// per core, 64 waiting jobs for each, a wait of at most 2 seconds.
    fn default() -> Self {
        let workers = available_parallelism().map_or(1, NonZero::get);
        Self {
            memory_kib: 19_456,
            iterations: 2,
            parallelism: 1,
            workers,
            queue: 64 * workers,
            max_wait: Duration::from_secs(2),
        }
    }
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            lifetimes: SessionLifetimes::default(),
            max_per_user: 20,
            protection: Protection::default(),
            remember: true,
            max_staleness: countersign_domain::Duration::SECOND,
        }
    }
}

/// Why a configuration is refused. Each names the key as it is written in a configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Argon2id with these parameters is guessed too fast.
    #[error(
        "argon2.memory_kib = {memory_kib} with argon2.iterations = {iterations} is below OWASP's \
         floor: at least {floor} KiB are needed with so many iterations"
    )]
    WeakHash {
        /// The memory that was asked for.
        memory_kib: u32,
        /// The passes that were asked for.
        iterations: u32,
        /// The memory that is needed with so many passes.
        floor: u32,
    },
    /// A number outside of its range.
    #[error("{key} = {value} is not allowed: use {min} to {max}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// Its value.
        value: u64,
        /// The least that is allowed.
        min: u64,
        /// The most that is allowed.
        max: u64,
    },
}

impl AuthConfig {
    /// The most memory of one hash: 1 GiB.
    pub(crate) const MAX_MEMORY_KIB: u32 = 1024 * 1024;
    /// The most passes of one hash.
    pub(crate) const MAX_ITERATIONS: u32 = 10;
    /// The most lanes of one hash.
    pub(crate) const MAX_PARALLELISM: u32 = 16;

    /// Checks that the service can answer for this configuration.
    ///
    /// # Errors
    ///
    /// Names the first key that it cannot answer for.
    pub fn check(&self) -> Result<(), ConfigError> {
        let (password, hashing, sessions) = (&self.password, &self.hashing, &self.sessions);
        let (floor, max_floor) = (PasswordPolicy::FLOOR_CHARS, PasswordPolicy::MAX_CHARS_FLOOR);
        let seconds = |duration: countersign_domain::Duration| duration.whole_seconds();
        let (idle, absolute) = (sessions.lifetimes.idle, sessions.lifetimes.absolute);
        let month = 30 * 24 * 60 * 60;
        in_range("password.min_length", password.min_chars, floor, 1024)?;
        in_range(
            "password.max_length",
            password.max_chars,
            max_floor.max(password.min_chars),
            1024,
        )?;
        hashing.check()?;
        in_range("session.idle_timeout", seconds(idle), 1, month)?;
        in_range("session.absolute_timeout", seconds(absolute), 1, month)?;
        in_range("session.fresh_for", seconds(sessions.lifetimes.fresh), 1, month)?;
        in_range("remember.duration", seconds(sessions.lifetimes.remembered), 1, month)?;
        in_range("session.max_per_user", sessions.max_per_user, 1, 10_000)?;
        let hour = 60 * 60;
        in_range("session.max_staleness", seconds(sessions.max_staleness), 0, hour)?;
        let decade = 10 * 366 * 24 * 60 * 60;
        in_range("audit.keep_for", seconds(self.audit.keep_for), 1, decade)?;
        in_range("audit.keep_addresses_for", seconds(self.audit.keep_addresses_for), 1, decade)?;
        self.throttle.as_ref().map_or(Ok(()), check_throttle)
    }
}

impl SessionConfig {
    /// Returns how long users are remembered who ask for it; `None` where nobody is.
    pub fn remembers_for(&self) -> Option<countersign_domain::Duration> {
        self.remember.then_some(self.lifetimes.remembered)
    }
}

impl HashingConfig {
    /// Parameters that cost next to nothing, for tests.
    #[cfg(feature = "testing")]
    pub fn cheap() -> Self {
        Self { memory_kib: 8, iterations: 1, ..Self::default() }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        in_range("argon2.memory_kib", self.memory_kib, 8, AuthConfig::MAX_MEMORY_KIB)?;
        in_range("argon2.iterations", self.iterations, 1, AuthConfig::MAX_ITERATIONS)?;
        in_range("argon2.parallelism", self.parallelism, 1, AuthConfig::MAX_PARALLELISM)?;
        in_range("argon2.workers", self.workers, 1, 1024)?;
        in_range("argon2.queue", self.queue, 1, 1_000_000)?;
        in_range("argon2.max_wait", self.max_wait.as_secs(), 0, 60)?;
        self.check_strength()
    }

    fn check_strength(&self) -> Result<(), ConfigError> {
        #[cfg(all(feature = "testing", debug_assertions))]
        if (self.memory_kib, self.iterations) == (8, 1) {
            return Ok(());
        }
        let floor = match self.iterations {
            1 => 47_104,
            2 => 19_456,
            _ => 12_288,
        };
        if self.memory_kib < floor {
            let &Self { memory_kib, iterations, .. } = self;
            return Err(ConfigError::WeakHash { memory_kib, iterations, floor });
        }
        Ok(())
    }
}

fn check_throttle(policy: &ThrottlePolicy) -> Result<(), ConfigError> {
    let rates = [
        ("throttle.account_from_address", policy.account_from_address),
        ("throttle.account_tries", policy.account_tries),
        ("throttle.account_codes", policy.account_codes),
        ("throttle.account_renames", policy.account_renames),
        ("throttle.address_failures", policy.address),
        ("throttle.network_failures", policy.network),
        ("throttle.site_failures", policy.site),
        ("throttle.registrations", policy.registrations),
        ("throttle.resumptions", policy.resumptions),
        ("throttle.address_resumptions", policy.address_resumptions),
    ];
    let day = countersign_domain::Duration::DAY.whole_seconds();
    for (key, rate) in rates {
        in_range(key, rate.tries, 1, 1_000_000_000)?;
        in_range(key, rate.period.whole_seconds(), 1, day)?;
    }
    let Backoff { free, first, longest, most, rest } = policy.account;
    in_range("throttle.account_free", free, 1, 100)?;
    // NIST SP 800-63B-4, section 3.2.2: no more than 100 failures in a row.
    in_range("throttle.account_most", most, free, 100)?;
    in_range("throttle.account_delay", first.whole_seconds(), 1, day)?;
    in_range("throttle.account_longest", longest.whole_seconds(), first.whole_seconds(), day)?;
    in_range("throttle.account_rest", rest.whole_seconds(), longest.whole_seconds(), 30 * day)
}

fn in_range<T: TryInto<u64>, U: TryInto<u64>>(
    key: &'static str,
    value: T,
    min: U,
    max: U,
) -> Result<(), ConfigError> {
    let (value, min, max) = (saturated(value), saturated(min), saturated(max));
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::OutOfRange { key, value, min, max })
}

fn saturated(number: impl TryInto<u64>) -> u64 {
    number.try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashing(memory_kib: u32, iterations: u32) -> Result<(), ConfigError> {
        let hashing = HashingConfig { memory_kib, iterations, ..HashingConfig::default() };
        AuthConfig { hashing, ..AuthConfig::default() }.check()
    }

    #[test]
    fn the_default_is_accepted() {
        assert_eq!(AuthConfig::default().check(), Ok(()));
    }

    #[test]
    fn argon2_is_accepted_from_owasps_floor_upwards() {
        for (memory_kib, iterations) in [(47_104, 1), (19_456, 2), (12_288, 3), (65_536, 4)] {
            assert_eq!(hashing(memory_kib, iterations), Ok(()));
        }
        for (memory_kib, iterations) in [(47_103, 1), (19_455, 2), (12_287, 3), (12_287, 10)] {
            let error = hashing(memory_kib, iterations).unwrap_err();
            assert!(matches!(error, ConfigError::WeakHash { .. }), "{error}");
        }
    }

    #[test]
    fn a_refusal_names_the_key_the_value_and_what_is_allowed() {
        let mut config = AuthConfig::default();
        config.password.min_chars = 7;
        let error = config.check().unwrap_err().to_string();
        assert_eq!(error, "password.min_length = 7 is not allowed: use 8 to 1024");
        let error = hashing(19_456, 11).unwrap_err().to_string();
        assert_eq!(error, "argon2.iterations = 11 is not allowed: use 1 to 10");
    }
}
