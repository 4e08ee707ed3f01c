//! The clock of a server of databases, by which all programs go that share it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use countersign_domain::{Clock, Duration, OffsetDateTime, StoreError, SystemClock};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::Database;
use crate::call::{Call, Deadline};
use crate::error::unavailable;

/// Of so many readings that counts which was the quickest: the answer was under way for no longer.
/// The first may have to prepare its statement.
const READINGS: u32 = 3;

/// What no server says.
const UNREAD: i64 = i64::MIN;

/// The clock of this machine, put right by what the server's last said.
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

impl ServerClock {
    async fn read(&self, db: &Call, question: &Statement) -> Result<Reading, StoreError> {
        let (asked, start) = (SystemClock.now(), Instant::now());
        let row = db.query_one_raw(question.clone()).await.map_err(unavailable)?;
        let took = start.elapsed().as_micros().try_into().unwrap_or(i64::MAX);
        let row = row.ok_or_else(|| StoreError::Unavailable("the server has no time".into()))?;
        let micros: i64 = row.try_get_by_index(0).map_err(unavailable)?;
        // It read its clock in the middle, or somewhere else between question and answer.
        let here = micros_of(asked).saturating_add(took / 2);
        Ok(Reading { ahead: micros.saturating_sub(here), took })
    }

    /// Goes by a reading, if it says more than its own uncertainty.
    fn set(&self, reading: &Reading) {
        let set = self.ahead.load(Ordering::Relaxed);
        if set == UNREAD || set.abs_diff(reading.ahead) > reading.took.unsigned_abs() {
            self.ahead.store(reading.ahead, Ordering::Relaxed);
        }
    }

    fn ahead(&self) -> Option<Duration> {
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
}

impl Database {
    /// By how much the server's clock is ahead of this machine's; `None` where the database is a
    /// file.
    pub(crate) async fn read_server_clock(&self) -> Result<Option<Duration>, StoreError> {
        let backend = self.reader().get_database_backend();
        let question = match backend {
            DbBackend::Postgres => {
                "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
            }
            DbBackend::MySql => "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))",
            _ => return Ok(None),
        };
        let call = &self.aside(Deadline::of_call()).await?;
        let question = Statement::from_string(backend, question);
        let clock = self.server_clock();
        let mut best = clock.read(call, &question).await?;
        for _ in 1..READINGS {
            let other = clock.read(call, &question).await?;
            if other.took < best.took {
                best = other;
            }
        }
        clock.set(&best);
        Ok(clock.ahead())
    }

    /// Sees that the server's clock was read once, where there is one.
    pub(crate) async fn knows_the_time(&self) -> Result<(), StoreError> {
        match self.server_clock().ahead() {
            Some(_) => Ok(()),
            None => self.read_server_clock().await.map(drop),
        }
    }
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
