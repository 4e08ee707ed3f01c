//! What connections are made of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use sea_orm::DatabaseConnection;
use tokio::sync::Notify;

use crate::clock::ServerClock;
#[cfg(feature = "postgres")]
use crate::growth::Growth;

/// Why a database cannot be used; one line.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the database {url}: {why}")]
pub struct ConnectError {
    /// Without its parameters, and without a password.
    pub(super) url: String,
    pub(super) why: String,
    pub(super) is_away: bool,
}

impl ConnectError {
    /// Returns what is wrong, without the URL.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Returns whether the problem may pass by itself: the server cannot be reached, or lets nobody in for
    /// now. A wrong password does not pass.
    pub fn is_away(&self) -> bool {
        self.is_away
    }
}

/// A [`ConnectError`] before the database is known.
pub(super) struct CannotConnect {
    pub(super) why: String,
    pub(super) is_away: bool,
}

impl From<String> for CannotConnect {
    fn from(why: String) -> Self {
        Self { why, is_away: false }
    }
}

/// What must be there when a database is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// A server must answer. A file is made where its URL allows that.
    Making,
    /// A server must answer, and a file must be there.
    Finding,
    /// As `Making`, but a server may answer later.
    Later,
}

#[derive(Clone, Debug)]
pub(crate) struct Connections {
    pub(crate) reader: DatabaseConnection,
    pub(crate) writer: DatabaseConnection,
    /// For regular questions that must not wait behind others.
    pub(crate) aside: DatabaseConnection,
    /// A pooler stands before the server, which may give each transaction another connection.
    pub(crate) is_pooled: bool,
    /// The clock of the server.
    pub(crate) clock: Arc<ServerClock>,
    /// That this process has changed something, of which a record may wait for its place in the trail.
    pub(crate) writing: Arc<Notify>,
    /// Whether one may wait since the trail was last read.
    pub(crate) has_written: Arc<AtomicBool>,
    /// When the whole queue of the trail was last looked at, in milliseconds since 1970.
    pub(crate) last_whole_look: Arc<AtomicU64>,
    #[cfg(feature = "postgres")]
    pub(crate) growth: Option<Arc<Growth>>,
}

impl From<DatabaseConnection> for Connections {
    fn from(one: DatabaseConnection) -> Self {
        Self {
            reader: one.clone(),
            aside: one.clone(),
            writer: one,
            is_pooled: false,
            clock: Arc::default(),
            writing: Arc::default(),
            has_written: Arc::default(),
            last_whole_look: Arc::default(),
            #[cfg(feature = "postgres")]
            growth: None,
        }
    }
}
