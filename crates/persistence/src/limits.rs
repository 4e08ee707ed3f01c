//! How long things may take, and how many rows a statement.

use std::time::Duration;

/// How long a call waits for a connection.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a server works on a statement.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(4);

/// How long a statement waits for a lock. It is shorter than [`STATEMENT_TIMEOUT`], so that the error
/// names the lock, and both are shorter than a call of the store.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a client that is gone without a word keeps its locks.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(10);

/// Every call ends within this time, whatever happens to the database. It is longer than a server
/// takes to give up by itself, and shorter than a visitor waits.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one statement of work may take that no page waits for: an export reads every row.
pub(crate) const LONG_STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);

/// Rows of one insertion. With sixteen columns each they stay below the 32,766 values that SQLite takes.
pub(crate) const ROWS: usize = 1_000;
