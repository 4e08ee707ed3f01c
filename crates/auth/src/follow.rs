//! What other processes on the same store do, and what time it is there.

use std::pin::pin;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use countersign_domain::{ChainLink, StoreError};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::{sleep, timeout};

use crate::Auth;

/// How many records are read at once. Who is behind by more reads all sessions anew instead.
const BATCH: u32 = 1_000;

/// How often the trail is asked for, whether or not the store says that it has grown: twice within
/// `max_staleness`, but no more often than the first and no less often than the second.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// For so many pauses what was last read of the trail is as good as the trail.
const LEASE: u32 = 3;

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

/// What is known of the trail.
struct Trail {
    /// Up to where it has been read.
    place: Option<ChainLink>,
    /// How long that is good.
    lease: Duration,
    is_known: bool,
}

impl Auth {
    /// Follows what other processes do on the same store, until it is dropped: it never ends by
    /// itself. Whatever is done to a user's sessions is in the audit trail, and the trail is read as
    /// soon as the store says that it has grown, and besides every half
    /// [`max_staleness`](crate::SessionConfig::max_staleness), at least every second. When it could
    /// not be read for three times as long, each request asks the store.
    ///
    /// It also reads the [store's clock](countersign_domain::Store::clock) every ten seconds.
    ///
    /// A program runs this beside what it serves. Without it, what others do is seen within
    /// `max_staleness` all the same; when it has been dropped, each request asks.
    pub async fn follow(&self) {
        let max_staleness = self.cache.max_staleness().unsigned_abs();
        tokio::join!(self.follow_clock_for_ever(), async {
            if max_staleness.is_zero() {
                // Nothing is kept that could grow stale.
                return;
            }
            self.follow_trail((max_staleness / 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).await;
        });
    }

    async fn follow_trail(&self, pause: Duration) {
        let mut trail = Trail { place: None, lease: pause * LEASE, is_known: true };
        let (mut growth, mut is_told) = (pin!(self.store.audit_growth()), true);
        loop {
            self.read_on(&mut trail).await;
            // Not dropped while nothing is said: who listens would have to begin anew.
            let Ok(told) = timeout(pause, growth.as_mut()).await else { continue };
            growth.set(self.store.audit_growth());
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

    async fn read_on(&self, trail: &mut Trail) {
        let since = std::time::Instant::now();
        let done = timeout(trail.lease, self.catch_up(&mut trail.place)).await;
        let done =
            done.unwrap_or_else(|_| Err(StoreError::Unavailable("it takes too long".into())));
        match done {
            Ok(()) => {
                self.cache.trust(since, trail.lease);
                if !trail.is_known {
                    tracing::info!("what other processes do to sessions is known again");
                }
                trail.is_known = true;
            }
            Err(error) => {
                self.cache.distrust();
                if trail.is_known {
                    note(
                        &error,
                        "what other processes do to sessions is not known: each request asks",
                    );
                }
                trail.is_known = false;
            }
        }
    }

    /// Whoever is named in the trail since it was last read is read anew.
    async fn catch_up(&self, place: &mut Option<ChainLink>) -> Result<(), StoreError> {
        if let Some(at) = *place {
            // With the record up to which it was read, which shows that it is the same trail.
            let from = at.number.saturating_sub(1);
            let subjects = self.store.audit_subjects(from, BATCH).await?;
            let is_all = subjects.len() < BATCH as usize;
            let mut subjects = subjects.into_iter();
            let is_same = at.number == 0 || subjects.next().is_some_and(|(link, _)| link == at);
            if is_same && is_all {
                for (link, user) in subjects {
                    user.into_iter().for_each(|user| self.cache.changed(user));
                    *place = Some(link);
                }
                return Ok(());
            }
        }
        // It begins, or is another one, or has grown by too much.
        let end = self.store.audit_ends().await?.last;
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

    /// Goes by the store's clock, if it has one.
    pub(crate) async fn follow_clock(&self) -> Result<(), StoreError> {
        if let Some(skew) = self.store.read_clock().await? {
            self.skew.set(skew);
        }
        Ok(())
    }

    /// By how many seconds the store's clock is ahead of this machine's, if that is more than 30 and
    /// the clocks are [followed](Self::follow).
    pub fn clock_skew(&self) -> Option<i64> {
        #[expect(clippy::cast_possible_truncation, reason = "whole seconds are wanted")]
        self.skew.is_large().then(|| self.skew.0.get().round() as i64)
    }
}

fn note(error: &StoreError, what: &'static str) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(%error, cause, "{what}");
}
