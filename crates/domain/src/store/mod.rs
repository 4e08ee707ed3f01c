//! The ports to saved data.
//!
//! A store keeps users and sessions. Each method is one fact that becomes true as a whole or not at
//! all, whatever tables and transactions that takes; none of those words crosses this line. A thing
//! that is not there is `Ok(None)` or `Ok(false)`, never an error.
//!
//! A method that is handed an [`AuditEntry`](crate::AuditEntry) appends it to the audit trail in the same transaction,
//! when, and only when, what it is asked for becomes true.
//!
//! Whether a store keeps these promises is shown by the contract suite (feature `contract`).

mod audit;
mod remembered;
mod sessions;
mod throttle;
mod users;

use std::sync::Arc;

use async_trait::async_trait;
use time::Duration;

use crate::{Clock, SystemClock};

pub use audit::AuditStore;
pub use remembered::{RememberOutcome, RememberStore, RememberUse};
pub use sessions::{RememberGrant, SessionGrant, SessionRenewal, SessionStore};
pub use throttle::{Counted, KnownBrowser, ThrottleStore};
pub use users::UserStore;

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another user has this already.
    #[error("the {0} is taken")]
    Taken(Field),
    /// The store cannot be reached, or not in time. It may work when tried again.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A saved row does not mean anything.
    #[error("the store holds a corrupt {column} in {table}")]
    Corrupt {
        /// The table of the row.
        table: &'static str,
        /// The column that could not be read.
        column: &'static str,
        /// What is wrong with its value.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What must be unique among users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The canonical form of the email address.
    Email,
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Email => f.write_str("email address"),
        }
    }
}

/// All that the service needs saved.
#[async_trait]
pub trait Store: UserStore + SessionStore + RememberStore + ThrottleStore + AuditStore {
    /// Whether the store can serve: it is reached, and its schema is the one this program uses.
    ///
    /// # Errors
    ///
    /// When it cannot.
    async fn ready(&self) -> Result<(), StoreError>;

    /// The clock of all programs that share this store: the store's own, as far as it was last
    /// [read](Self::read_clock), or the system's where the store has none.
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    /// Reads the store's own clock, if it has one, for [`clock`](Self::clock) to go by. Says by how
    /// much it is ahead of the system's; a negative time when it is behind.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    async fn read_clock(&self) -> Result<Option<Duration>, StoreError> {
        Ok(None)
    }
}
