//! Following what other processes on the same store do, and the store's clock.

use std::pin::pin;
use std::time::Duration;

use countersign_domain::{ChainLink, StoreError};
use tokio::time::{sleep, timeout};

use super::Jobs;
use crate::core::Core;

/// The number of records that are read at once. A process that is further behind reads all sessions anew
/// instead.
const BATCH: u32 = 1_000;

/// How often the trail is read, whether or not the store says that it has grown: twice within
/// `max_staleness`, but no more often than the first and no less often than the second.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The number of pauses for which what was last read of the trail is as good as the trail.
const LEASE: u32 = 3;

/// The pause after the store says that the trail has grown. Where a thousand things happen in a second,
/// they are read together, and whoever reads first gives them their place together.
const BREATH: Duration = Duration::from_millis(50);

/// How often the store's clock is read.
const CLOCK_EVERY: Duration = Duration::from_secs(10);

/// What is known of the trail.
struct Trail {
    /// The place up to which it has been read.
    place: Option<ChainLink>,
    /// How long that is good.
    lease: Duration,
    is_known: bool,
}

impl Jobs<'_> {
    /// Follows what other processes do on the same store until it is dropped; it never ends by itself.
    /// Every change of a user's sessions is in the audit trail. This reads the trail as soon as the store
    /// says that it has grown, and besides every half
    /// [`max_staleness`](crate::SessionConfig::max_staleness), at least every second. When the trail could
    /// not be read for three times as long, each request asks the store.
    ///
    /// It also reads the [store's clock](countersign_domain::Store::clock) every ten seconds.
    ///
    /// A program runs this beside what it serves. Without it, changes by others are seen within
    /// `max_staleness`; after it was dropped, each request asks.
    pub async fn follow(&self) {
        let max_staleness = self.0.cache.max_staleness().unsigned_abs();
        tokio::join!(self.0.follow_clock_for_ever(), async {
            if max_staleness.is_zero() {
                // Nothing is kept that could grow stale.
                return;
            }
            self.0.follow_trail((max_staleness / 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).await;
        });
    }

    /// Returns by how many seconds the store's clock is ahead of this machine's, if that is more than 30
    /// and the clocks are [followed](Self::follow).
    pub fn clock_skew(&self) -> Option<i64> {
        self.0.skew.large()
    }
}

impl Core {
    async fn follow_trail(&self, pause: Duration) {
        let mut trail = Trail { place: None, lease: pause * LEASE, is_known: true };
        let (mut growth, mut is_told) = (pin!(self.store.audit().audit_growth()), true);
        loop {
            self.read_on(&mut trail).await;
            // Kept while the store says nothing: a dropped listener would have to begin anew.
            let Ok(told) = timeout(pause, growth.as_mut()).await else { continue };
            growth.set(self.store.audit().audit_growth());
            match told {
                Ok(()) => sleep(BREATH).await,
                Err(ref error) => {
                    if is_told {
                        note(
                            error,
                            "the database does not say that the audit trail grows: it is read regularly",
                        );
                    }
                    sleep(pause).await;
                }
            }
            is_told = told.is_ok();
        }
    }

    async fn read_on(&self, trail: &mut Trail) {
        let since = std::time::Instant::now();
        let done = timeout(trail.lease, self.catch_up(&mut trail.place)).await;
        let done =
            done.unwrap_or_else(|_| Err(StoreError::Unavailable("it takes too long".into())));
        match done {
            Ok(()) => {
                self.cache.trust(since, trail.lease);
                if !trail.is_known {
                    tracing::info!("changes of sessions by other processes are known again");
                }
                trail.is_known = true;
            }
            Err(error) => {
                self.cache.distrust();
                if trail.is_known {
                    note(
                        &error,
                        "changes of sessions by other processes are not known: each request asks the database",
                    );
                }
                trail.is_known = false;
            }
        }
    }

    /// Drops what the cache knows of each user whom the trail names since it was last read.
    async fn catch_up(&self, place: &mut Option<ChainLink>) -> Result<(), StoreError> {
        if let Some(at) = *place {
            // The last record that was read comes first; it shows that this is the same trail.
            let from = at.number.saturating_sub(1);
            let users = self.store.audit().audit_users(from, BATCH).await?;
            let is_all = users.len() < BATCH as usize;
            let mut users = users.into_iter();
            let is_same = at.number == 0 || users.next().is_some_and(|(link, _)| link == at);
            if is_same && is_all {
                for (link, user) in users {
                    user.into_iter().for_each(|user| self.cache.changed(user));
                    *place = Some(link);
                }
                return Ok(());
            }
        }
        // Nothing was read before, or it is another trail, or it has grown by too much.
        let end = self.store.audit().audit_ends().await?.last;
        if place.replace(end) != Some(end) {
            self.cache.all_changed();
        }
        Ok(())
    }

    async fn follow_clock_for_ever(&self) {
        let mut is_read = true;
        loop {
            let read = self.follow_clock().await;
            if let (Err(error), true) = (&read, is_read) {
                note(error, "the clock of the database cannot be read");
            }
            is_read = read.is_ok();
            sleep(if is_read { CLOCK_EVERY } else { LONGEST_PAUSE }).await;
        }
    }

    /// Reads the store's clock, if it has one.
    pub(crate) async fn follow_clock(&self) -> Result<(), StoreError> {
        if let Some(skew) = self.store.read_clock().await? {
            self.skew.set(skew);
        }
        Ok(())
    }
}

fn note(error: &StoreError, what: &'static str) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(%error, cause, "{what}");
}
