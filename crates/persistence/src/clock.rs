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

/// Goes on by the monotonic clock of this machine from when the server's was last read. So it makes
/// no leap when somebody sets this machine's time.
#[derive(Debug)]
pub(crate) struct ServerClock {
    start: Instant,
    /// What the server's clock said at `start`, in microseconds since 1970.
    at_start: AtomicI64,
}

impl Default for ServerClock {
    fn default() -> Self {
        Self { start: Instant::now(), at_start: AtomicI64::new(UNREAD) }
    }
}

/// What a server answered, and how long that took; in microseconds.
struct Reading {
    at_start: i64,
    took: i64,
}

impl ServerClock {
    fn elapsed(&self) -> i64 {
        self.start.elapsed().as_micros().try_into().unwrap_or(i64::MAX)
    }

    async fn read(&self, db: &Call, question: &Statement) -> Result<Reading, StoreError> {
        let asked = self.elapsed();
        let row = db.query_one_raw(question.clone()).await.map_err(unavailable)?;
        let answered = self.elapsed();
        let row = row.ok_or_else(|| StoreError::Unavailable("the server has no time".into()))?;
        let micros: i64 = row.try_get_by_index(0).map_err(unavailable)?;
        let took = answered - asked;
        // It read its clock in the middle, or somewhere else between question and answer.
        Ok(Reading { at_start: micros.saturating_sub(asked + took / 2), took })
    }

    /// Goes by a reading, if it says more than its own uncertainty.
    fn set(&self, reading: &Reading) {
        let set = self.at_start.load(Ordering::Relaxed);
        if set == UNREAD || set.abs_diff(reading.at_start) > reading.took.unsigned_abs() {
            self.at_start.store(reading.at_start, Ordering::Relaxed);
        }
    }
}

impl Clock for ServerClock {
    fn now(&self) -> OffsetDateTime {
        let at_start = self.at_start.load(Ordering::Relaxed);
        if at_start == UNREAD {
            return SystemClock.now();
        }
        let micros = Duration::microseconds(at_start.saturating_add(self.elapsed()));
        OffsetDateTime::UNIX_EPOCH.saturating_add(micros)
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
        let call = &self.read(Deadline::of_call()).await?;
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
        Ok(Some(clock.now() - SystemClock.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_was_read_gives_the_time_and_small_differences_move_nothing() {
        let clock = ServerClock::default();
        assert!((clock.now() - SystemClock.now()).abs() < Duration::SECOND);
        let hour = 3_600_000_000;
        clock.set(&Reading { at_start: hour, took: 200 });
        let now = clock.now();
        assert!(now >= OffsetDateTime::UNIX_EPOCH + Duration::HOUR, "{now}");
        assert!(now < OffsetDateTime::UNIX_EPOCH + Duration::HOUR * 2, "{now}");
        for (at_start, expected) in [(hour - 100, hour), (hour + 201, hour + 201)] {
            clock.set(&Reading { at_start, took: 200 });
            assert_eq!(clock.at_start.load(Ordering::Relaxed), expected);
        }
    }
}
