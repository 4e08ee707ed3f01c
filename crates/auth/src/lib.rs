//! The service of user authentication, for any program: [`Auth`].
//!
//! It decides; it neither saves nor speaks to browsers. Give it a store (a [`countersign_domain::Store`]),
//! name the [`Caller`] who asks, and ask it to [`register`](Acting::register) a user, to
//! [`log_in`](Acting::log_in) one, to [`authenticate`](Acting::authenticate) a session's token and to
//! [`log_out`](Acting::log_out):
//!
//! ```
//! # use countersign_auth::{Auth, Caller, LogIn, LoginState, NewUser};
//! # use countersign_auth::domain::{Client, memory::MemoryStore};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let auth = Auth::new(MemoryStore::default());
//! let caller = Caller::visitor(Client::default());
//! let password = "tidal lantern orbit mauve";
//! auth.by(&caller).register(NewUser::new("ada@example.org", "Ada", password)).await?;
//! let state = auth.by(&caller).log_in(LogIn::new("ada@example.org", password)).await?;
//! let LoginState::Complete(begun) = state else { panic!("ada has no second factor") };
//! let found = auth.by(&caller).authenticate(&begun.token).await?;
//! assert_eq!(found.unwrap().user.username.as_str(), "Ada");
//! # Ok(())
//! # }
//! ```
//!
//! Behind that door are the throttle, the hashing workers and their queue, the hash that is computed for
//! users who do not exist, the upgrade of old hashes, the expiry of sessions, and the audit trail.
//!
//! # Where to add what
//!
//! - A new capability: a folder whose handle, such as [`Sessions`], holds an [`Acting`], and a method here
//!   or on [`Acting`] that returns it. Its error enum holds only what a caller branches on.
//! - A change of a user: through `Acting::change`, which saves its record, clears the cache and tells the
//!   listeners.
//! - A new way in: through `Acting::admit`, which asks for the second factor and begins the session.
//! - A rule that needs no store and no clock: the domain crate.

mod account;
mod admin;
mod audit;
mod caller;
mod config;
mod core;
mod events;
mod factors;
mod jobs;
mod login;
mod metrics;
mod password;
mod random;
mod session;
#[cfg(feature = "testing")]
mod testing;
mod throttle;

use std::sync::Arc;

use countersign_domain::{Clock, OffsetDateTime, Store, StoreError, UserId};
use prometheus_client::registry::Registry;

pub use account::confirm::{ConfirmError, Credential};
pub use account::rename::RenameError;
pub use account::{Account, ChangePasswordError, PasswordChanged, Renewed};
pub use admin::{Admin, SetPasswordError, Users};
pub use audit::{Audit, AuditCheck, AuditError, AuditProgress, AuditReport, NotedPlace};
pub use caller::Caller;
pub use config::{AuditConfig, AuthConfig, ConfigError, HashingConfig, Protection, SessionConfig};
pub use core::Acting;
pub use countersign_domain as domain;
pub use countersign_domain::{AuthEvent, AuthEventKind};
pub use events::AuthEvents;
pub use jobs::Jobs;
pub use login::admit::{LoginState, NewPendingLogin, NewSession};
pub use login::factor::FactorError;
pub use login::log_in::{InvalidLogIn, LogIn, LogInError};
pub use login::register::{InvalidNewUser, NewUser, RegisterError, Registered};
pub use password::advice::{PasswordAdvice, PasswordWeakness};
pub use password::breach::{BreachFile, BreachFileError};
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use password::fuzzing;
pub use password::hasher::measure_hashing;
#[cfg(feature = "testing")]
pub use password::workers::BusyWorkers;
pub use password::workers::Overloaded;
pub use session::Sessions;
pub use session::authenticate::Authenticated;
pub use session::resume::Resumed;
#[cfg(feature = "testing")]
pub use testing::Testing;
pub use throttle::Throttled;
pub use throttle::browsers::BROWSER_KNOWN_FOR;

use core::Core;

/// The service. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Auth(Arc<Core>);

impl Auth {
    /// Returns a service over `store` with the default configuration and the [store's clock](Store::clock).
    /// It starts one hashing thread per core.
    pub fn new(store: impl Store + 'static) -> Self {
        let clock = store.clock();
        Self(Arc::new(Core::new(Arc::new(store), clock, AuthConfig::default())))
    }

    /// Returns a service with this configuration and this clock, which is [that of the store](Store::clock)
    /// unless there is a reason for another.
    ///
    /// # Errors
    ///
    /// When the configuration is weaker than what the service can answer for.
    pub fn with(
        store: impl Store + 'static,
        clock: impl Clock + 'static,
        config: AuthConfig,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self(Arc::new(Core::new(Arc::new(store), Arc::new(clock), config))))
    }

    /// Acts for `caller`: the door to everything that somebody asks for.
    pub fn by<'a>(&'a self, caller: &'a Caller) -> Acting<'a> {
        Acting { core: &self.0, caller }
    }

    /// Finds users.
    pub fn users(&self) -> Users<'_> {
        Users(&self.0)
    }

    /// Reads and checks the audit trail.
    pub fn audit(&self) -> Audit<'_> {
        Audit(&self.0)
    }

    /// Does what is done in the background.
    pub fn jobs(&self) -> Jobs<'_> {
        Jobs(&self.0)
    }

    /// Returns the configuration.
    pub fn config(&self) -> &AuthConfig {
        &self.0.config
    }

    /// Sets what happens to a session whose token comes from another browser, in place of the
    /// configuration, for all clones. The first call decides.
    pub fn set_protection(&self, protection: Protection) {
        let _ = self.0.protection.set(protection);
    }

    /// Checks that the store can serve.
    ///
    /// # Errors
    ///
    /// When it cannot.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.0.store.ready().await
    }

    /// Returns what time it is to this service.
    pub fn now(&self) -> OffsetDateTime {
        self.0.now()
    }

    /// Notes that the program has changed a user, or what belongs to them, without this service: the next
    /// request sees it. Otherwise it is seen within [`max_staleness`](SessionConfig::max_staleness).
    pub fn user_changed(&self, user: UserId) {
        self.0.cache.changed(user);
    }

    /// Lets `listener` hear of everything that happens from now on.
    ///
    /// # Errors
    ///
    /// When the system gives it no thread.
    pub fn listen(&self, listener: impl AuthEvents) -> std::io::Result<()> {
        self.0.listeners.add(listener)
    }

    /// Waits until every listener has heard of everything so far; for tests, and before a program ends.
    pub async fn settle(&self) {
        self.0.listeners.settle().await;
    }

    /// Adds what this service counts to `registry`: logins by their outcome, events, refused tries, and the
    /// work of the hashing workers. A service belongs into a registry once.
    pub fn register_metrics(&self, registry: &mut Registry) {
        self.0.metrics.register(registry);
        self.0.cache.register_metrics(registry);
        self.0.skew.register(registry);
        self.0.hasher.register_metrics(registry);
    }

    /// Returns what tests ask of the service.
    #[cfg(feature = "testing")]
    pub fn testing(&self) -> Testing<'_> {
        Testing(&self.0)
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("config", &self.0.config).finish_non_exhaustive()
    }
}
