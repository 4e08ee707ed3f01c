//! What other processes on the same store do, and what time it is there.

use std::pin::pin;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use countersign_domain::{ChainLink, StoreError};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::{Instant, sleep, timeout};

use crate::Auth;
use crate::cache::SessionCache;

/// How many records are read at once.
const BATCH: u32 = 1_000;

/// How often the trail is asked for, whether or not the store says that it has grown: twice within
/// `max_staleness`, but no more often than the first and no less often than the second.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Where a thousand things happen in a second they are not read one by one.
const BREATH: Duration = Duration::from_millis(20);

/// How often the store's clock is read.
const CLOCK_EVERY: Duration = Duration::from_secs(10);

/// By how much a machine's clock may be off before somebody should see to it.
const MAX_SKEW: Duration = Duration::from_secs(30);

/// By how many seconds the store's clock is ahead of this machine's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Skew(Gauge<f64, AtomicU64>);

impl Skew {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "By how much the clock of the database is ahead of this machine's";
        registry.register_with_unit("countersign_clock_skew", help, Unit::Seconds, self.0.clone());
    }

    fn is_large(&self) -> bool {
        self.0.get().abs() > MAX_SKEW.as_secs_f64()
    }

    fn set(&self, skew: countersign_domain::Duration) {
        let was_large = self.is_large();
        self.0.set(skew.as_seconds_f64());
        let seconds = skew.whole_seconds();
        match (was_large, self.is_large()) {
            (false, true) => tracing::warn!(
                seconds,
                "the clock of the database is ahead of this machine's by so many seconds; the \
                 database's is used: see to the time of both"
            ),
            (true, false) => tracing::info!(seconds, "the clocks agree again"),
            _ => {}
        }
    }
}

/// Whoever has followed and does so no longer, by a panic or because the program is about to stop, does
/// not know what happens meanwhile.
struct Following<'a>(&'a SessionCache);

impl Drop for Following<'_> {
    fn drop(&mut self) {
        self.0.trust(false);
    }
}

/// Up to where the trail has been read.
#[derive(Default)]
struct Place(Option<ChainLink>);

impl Auth {
    /// Follows what other processes do on the same store, until it is dropped: it never ends by
    /// itself. Whatever is done to a user's sessions is in the audit trail, and the trail is read as
    /// soon as the store says that it has grown, and otherwise every half
    /// [`max_staleness`](crate::SessionConfig::max_staleness), at most every second. While it cannot be
    /// read, each request asks the store.
    ///
    /// It also reads the [store's clock](countersign_domain::Store::clock) every ten seconds.
    ///
    /// A program runs this beside what it serves. Without it, what others do is seen within
    /// `max_staleness` all the same; after it has been dropped, each request asks.
    pub async fn follow(&self) {
        let _following = Following(&self.cache);
        let half = self.cache.max_staleness().unsigned_abs() / 2;
        let pause = half.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let (mut place, mut clock_due, mut is_told) = (Place::default(), Instant::now(), true);
        let mut growth = pin!(self.growth());
        loop {
            if !half.is_zero() {
                self.follow_trail(&mut place).await;
            }
            let is_due = self.cache.is_trusted() && clock_due <= Instant::now();
            if is_due && self.follow_clock().await.is_ok() {
                clock_due = Instant::now() + CLOCK_EVERY;
            }
            // Not dropped while nothing is said: who listens would have to begin anew.
            let Ok(told) = timeout(pause, growth.as_mut()).await else { continue };
            growth.set(self.growth());
            match told {
                Ok(()) => sleep(BREATH).await,
                Err(ref error) => {
                    if is_told {
                        note(error, "the database does not say what happens: it is asked");
                    }
                    sleep(pause).await;
                }
            }
            is_told = told.is_ok();
        }
    }

    /// By how many seconds the store's clock is ahead of this machine's, if that is more than 30 and
    /// the clocks are [followed](Self::follow).
    pub fn clock_skew(&self) -> Option<i64> {
        #[expect(clippy::cast_possible_truncation, reason = "whole seconds are wanted")]
        self.skew.is_large().then(|| self.skew.0.get().round() as i64)
    }

    async fn growth(&self) -> Result<(), StoreError> {
        match self.cache.max_staleness().is_positive() {
            true => self.store.audit_growth().await,
            // Nothing is kept that could grow stale.
            false => std::future::pending().await,
        }
    }

    async fn follow_clock(&self) -> Result<(), StoreError> {
        if let Some(skew) = self.store.read_clock().await? {
            self.skew.set(skew);
        }
        Ok(())
    }

    async fn follow_trail(&self, place: &mut Place) {
        match self.catch_up(place).await {
            Ok(()) if !self.cache.is_trusted() => {
                tracing::info!("what other processes do to sessions is known again");
                self.cache.trust(true);
            }
            Err(error) if self.cache.is_trusted() => {
                self.cache.trust(false);
                note(&error, "what other processes do to sessions is not known: each request asks");
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Whoever is named in the trail since it was last read is read anew.
    async fn catch_up(&self, place: &mut Place) -> Result<(), StoreError> {
        while let Some(at) = place.0 {
            // With the record up to which it was read, which shows that it is the same trail.
            let records = self.store.audit_trail(at.number.saturating_sub(1), BATCH).await;
            let records = match records {
                // Perhaps a newer version of this program wrote what this one cannot read.
                Err(StoreError::Corrupt { .. }) => break,
                records => records?,
            };
            let is_full = records.len() >= BATCH as usize;
            let mut records = records.into_iter();
            if at.number > 0 && records.next().map(|record| record.link) != Some(at) {
                break;
            }
            for record in records {
                record.event.user.into_iter().for_each(|user| self.cache.changed(user));
                place.0 = Some(record.link);
            }
            if !is_full {
                return Ok(());
            }
        }
        let end = self.store.audit_ends().await?.last;
        if place.0.replace(end) != Some(end) {
            self.cache.all_changed();
        }
        Ok(())
    }
}

fn note(error: &StoreError, what: &'static str) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(%error, cause, "{what}");
}
