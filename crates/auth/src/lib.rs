//! The service of user authentication, for any program: [`Auth`].
//!
//! It decides; it neither saves nor speaks to browsers. Hand it a store (a
//! [`countersign_domain::Store`]), and ask it to [`register`](Auth::register) a user, to
//! [`log_in`](Auth::log_in) one, to [`authenticate`](Auth::authenticate) a session's token and to
//! [`log_out`](Auth::log_out).
//!
//! Behind that door are the throttle, the hashing workers and their queue, the hash that is computed
//! for users who do not exist, the upgrade of old hashes, the expiry of sessions, and the audit trail.
//!
//! # Where to add what
//!
//! - A new use case: a file with one `impl Auth` block and one error enum, which holds only what a
//!   caller branches on.
//! - A rule that needs no store and no clock: the domain crate.

mod accounts;
mod advice;
mod audit;
mod breach;
mod cache;
mod caller;
mod config;
mod confirm;
mod events;
mod follow;
mod hasher;
mod log_in;
mod metrics;
mod register;
mod remember;
mod seen;
mod sessions;
mod throttle;
mod workers;

use std::sync::Arc;

use countersign_domain::{Clock, Duration, OffsetDateTime, PasswordPolicy, Store, StoreError};
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;

pub use accounts::SetPasswordError;
pub use advice::{PasswordAdvice, PasswordWeakness};
pub use audit::{AuditError, AuditReport};
pub use breach::{BreachFile, BreachFileError};
pub use caller::Caller;
pub use config::{AuditConfig, AuthConfig, ConfigError, HashingConfig, Protection, SessionConfig};
pub use confirm::{ChangePasswordError, ConfirmError, Renewed};
pub use countersign_domain as domain;
pub use countersign_domain::{AuthEvent, AuthEventKind};
pub use events::AuthEvents;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use hasher::fuzzing;
pub use log_in::{InvalidLogIn, LogIn, LogInError, Login, NewSession};
pub use register::{InvalidRegistration, RegisterError, Registration};
pub use remember::Resumed;
pub use sessions::Authenticated;
pub use throttle::Throttled;
#[cfg(feature = "testing")]
pub use workers::BusyWorkers;
pub use workers::Overloaded;

use cache::SessionCache;
use events::Listeners;
use follow::Skew;
use hasher::Hasher;
use metrics::Metrics;
use seen::Seen;

/// The service. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Auth {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    hasher: Arc<Hasher>,
    config: Arc<AuthConfig>,
    listeners: Arc<Listeners>,
    cache: Arc<SessionCache>,
    seen: Arc<Seen>,
    metrics: Arc<Metrics>,
    skew: Skew,
}

impl Auth {
    /// A service over `store` with the default configuration and the [store's
    /// clock](Store::clock). It starts one hashing thread per core.
    pub fn new(store: impl Store + 'static) -> Self {
        let clock = store.clock();
        Self::assemble(Arc::new(store), clock, AuthConfig::default())
    }

    /// A service with a configuration and a clock of the caller's, which is [that of the
    /// store](Store::clock) unless there is a reason.
    ///
    /// # Errors
    ///
    /// When the configuration is weaker than what can be answered for.
    pub fn with(
        store: impl Store + 'static,
        clock: impl Clock + 'static,
        config: AuthConfig,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self::assemble(Arc::new(store), Arc::new(clock), config))
    }

    fn assemble(store: Arc<dyn Store>, clock: Arc<dyn Clock>, config: AuthConfig) -> Self {
        let hasher = Arc::new(Hasher::start(&config.hashing, &mut Self::rng()));
        let SessionConfig { max_staleness, lifetimes, .. } = config.sessions;
        // A session that is used elsewhere meanwhile must not seem idle here.
        let cache = Arc::new(SessionCache::new(max_staleness.min(lifetimes.idle)));
        Self {
            store,
            clock,
            hasher,
            cache,
            config: Arc::new(config),
            listeners: Arc::default(),
            seen: Arc::default(),
            metrics: Arc::default(),
            skew: Skew::default(),
        }
    }

    /// The same service with another protection of sessions.
    #[must_use]
    pub fn with_protection(&self, protection: Protection) -> Self {
        let mut config = (*self.config).clone();
        config.sessions.protection = protection;
        Self { config: Arc::new(config), ..self.clone() }
    }

    /// Which passwords may be set here.
    pub fn password_policy(&self) -> &PasswordPolicy {
        &self.config.password
    }

    /// How long a browser is known, in which a user has logged in; `None` where nothing is slowed
    /// down.
    pub fn knows_browsers_for(&self) -> Option<Duration> {
        self.config.throttle.map(|_| throttle::BROWSER_IS_KNOWN_FOR)
    }

    /// Whether users may ask to be remembered, and for how long.
    pub fn remembers_for(&self) -> Option<Duration> {
        let sessions = &self.config.sessions;
        sessions.remember.then_some(sessions.lifetimes.remembered)
    }

    /// Whether the store can serve.
    ///
    /// # Errors
    ///
    /// When it cannot.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.store.ready().await
    }

    /// How many password hashes have been computed since the start.
    pub fn hashes_computed(&self) -> u64 {
        self.hasher.computed()
    }

    /// Keeps all hashing workers busy until what is returned is dropped, for tests: what is to be
    /// hashed meanwhile waits in the queue.
    #[cfg(feature = "testing")]
    pub async fn busy_workers(&self) -> BusyWorkers {
        self.hasher.occupy(self.config.hashing.workers).await
    }

    /// What time it is to this service.
    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// The system's source of randomness, the only one of this crate. A system that has none is not
    /// one to log in to: it panics then.
    fn rng() -> UnwrapErr<SysRng> {
        UnwrapErr(SysRng)
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("config", &self.config).finish_non_exhaustive()
    }
}
