//! The clock of a database server, which all programs on it use.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use countersign_domain::{Clock, Duration, OffsetDateTime, StoreError, SystemClock};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::error::unavailable;

/// The clock is read this many times and the quickest reading counts: its answer was under way for the
/// shortest time. The first reading may have to prepare its statement.
const READINGS: u32 = 3;

/// A value that no server returns.
const UNREAD: i64 = i64::MIN;

/// The clock of this machine, corrected by the last reading of the server's.
#[derive(Debug)]
pub(crate) struct ServerClock {
    /// By how many microseconds the server's is ahead.
    ahead: AtomicI64,
}

impl Default for ServerClock {
    fn default() -> Self {
        Self { ahead: AtomicI64::new(UNREAD) }
    }
}

/// By how many microseconds the server was ahead when it answered, and how many that took.
struct Reading {
    ahead: i64,
    took: i64,
}

impl Reading {
    async fn take(db: &impl ConnectionTrait, question: &Statement) -> Result<Self, StoreError> {
        let (asked, start) = (SystemClock.now(), Instant::now());
        let row = db.query_one_raw(question.clone()).await.map_err(unavailable)?;
        let took = start.elapsed().as_micros().try_into().unwrap_or(i64::MAX);
        let row = row.ok_or_else(|| StoreError::Unavailable("the server has no time".into()))?;
        let micros: i64 = row.try_get_by_index(0).map_err(unavailable)?;
        // The server is assumed to have read its clock half-way between question and answer.
        let here = micros_of(asked).saturating_add(took / 2);
        Ok(Self { ahead: micros.saturating_sub(here), took })
    }
}

impl ServerClock {
    /// Reads the server's clock. Returns by how much it is ahead of this machine's; `None` where the
    /// database is a file.
    pub(crate) async fn read(
        &self,
        db: &impl ConnectionTrait,
    ) -> Result<Option<Duration>, StoreError> {
        let Some(question) = question(db.get_database_backend()) else { return Ok(None) };
        let mut best = Reading::take(db, &question).await?;
        for _ in 1..READINGS {
            let other = Reading::take(db, &question).await?;
            if other.took < best.took {
                best = other;
            }
        }
        self.set(&best);
        Ok(self.ahead())
    }

    /// Adopts a reading if it differs by more than its own uncertainty.
    fn set(&self, reading: &Reading) {
        let set = self.ahead.load(Ordering::Relaxed);
        if set == UNREAD || set.abs_diff(reading.ahead) > reading.took.unsigned_abs() {
            self.ahead.store(reading.ahead, Ordering::Relaxed);
        }
    }

    /// Returns by how much the server's clock was ahead when it was last read.
    pub(crate) fn ahead(&self) -> Option<Duration> {
        let ahead = self.ahead.load(Ordering::Relaxed);
        (ahead != UNREAD).then(|| Duration::microseconds(ahead))
    }
}

fn micros_of(at: OffsetDateTime) -> i64 {
    (at.unix_timestamp_nanos() / 1_000).try_into().unwrap_or(i64::MAX)
}

impl Clock for ServerClock {
    fn now(&self) -> OffsetDateTime {
        SystemClock.now().saturating_add(self.ahead().unwrap_or_default())
    }

    fn steady(&self) -> Duration {
        SystemClock.steady()
    }
}

/// Returns the question for the time of a server, in microseconds; `None` where the database is a file.
fn question(backend: DbBackend) -> Option<Statement> {
    let question = match backend {
        DbBackend::Postgres => "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
        DbBackend::MySql => "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))",
        _ => return None,
    };
    Some(Statement::from_string(backend, question))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_was_read_gives_the_time_and_small_differences_move_nothing() {
        let (clock, minute) = (ServerClock::default(), 60_000_000);
        assert!((clock.now() - SystemClock.now()).abs() < Duration::SECOND);
        let readings = [
            (minute, minute),
            (minute - 100, minute),
            (minute + 201, minute + 201),
            (-minute, -minute),
        ];
        for (ahead, expected) in readings {
            clock.set(&Reading { ahead, took: 200 });
            let off = clock.now() - SystemClock.now() - Duration::microseconds(expected);
            assert!(off.abs() < Duration::milliseconds(50), "{ahead}: {off}");
            assert_eq!(clock.ahead(), Some(Duration::microseconds(expected)));
        }
    }
}
