//! The port to all saved data: a set of ports, one for each thing that is saved.
//!
//! Each method of a port is one fact that becomes true as a whole or not at all, whatever tables and
//! transactions that takes; none of those words crosses this line. Something that is not there is
//! `Ok(None)` or `Ok(false)`, never an error. Every method fails with
//! [`StoreError::Unavailable`] when the store cannot be reached in time,
//! and has then changed nothing that the caller may rely on. An `# Errors` section says only what goes
//! beyond that.
//!
//! A method that takes a [`Record`](crate::Record) saves it in the transaction of its change, if and only if
//! something changes.
//!
//! The contract suite (feature `contract`) shows whether a store keeps these promises.

use std::sync::Arc;

use async_trait::async_trait;
use time::Duration;

use crate::{
    AuditStore, BrowserStore, Clock, PendingStore, RememberStore, SessionStore, SiteStore,
    StoreError, SystemClock, ThrottleStore, UserStore,
};

/// All that the service needs saved.
///
/// An application that keeps its users in tables of its own answers some accessors itself and passes the
/// others on to Countersign's database. A port that answers `None` switches its capability off.
#[async_trait]
pub trait Store: Send + Sync {
    /// Keeps users.
    fn users(&self) -> &dyn UserStore;

    /// Keeps sessions.
    fn sessions(&self) -> &dyn SessionStore;

    /// Keeps remembered logins.
    fn remembered(&self) -> &dyn RememberStore;

    /// Keeps the counters that slow guesses down.
    fn throttle(&self) -> &dyn ThrottleStore;

    /// Keeps the audit trail.
    fn audit(&self) -> &dyn AuditStore;

    /// Keeps the browsers that users are known to use. Without it no browser has counters of its own.
    fn browsers(&self) -> Option<&dyn BrowserStore> {
        None
    }

    /// Keeps logins that wait for a second factor. Without it a user who has one cannot log in.
    fn pending(&self) -> Option<&dyn PendingStore> {
        None
    }

    /// Keeps what is true of the whole site. Without it each program draws a secret of its own, so that a
    /// restart may show who has an account once the cost of hashes was changed; and after a restart the
    /// newest record of the audit trail says whether the clock leaped meanwhile.
    fn site(&self) -> Option<&dyn SiteStore> {
        None
    }

    /// Checks that the store can serve: it is reached, and its schema is the one that this program uses.
    async fn ready(&self) -> Result<(), StoreError>;

    /// Returns the clock of all programs that share this store: the store's own, as far as it was last
    /// [read](Self::read_clock), or the system's where the store has none.
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    /// Reads the store's own clock, if it has one, for [`clock`](Self::clock) to go by. Returns by how much
    /// it is ahead of the system's; the time is negative when it is behind.
    async fn read_clock(&self) -> Result<Option<Duration>, StoreError> {
        Ok(None)
    }
}
