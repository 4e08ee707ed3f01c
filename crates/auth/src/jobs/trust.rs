use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_domain::{
    AuditFilter, Clock, ClockReading, ClockWatch, Duration, OffsetDateTime, Store, StoreError,
};

use super::skew::Skew;

/// Whether the clock is believed by which what is old is removed.
pub(crate) struct Trust {
    watch: Mutex<ClockWatch>,
    is_doubted: AtomicBool,
}

impl Trust {
    /// Begins to watch a clock.
    pub(crate) fn new(clock: &impl Clock) -> Self {
        let watch = Mutex::new(ClockWatch::new(ClockReading::of(clock)));
        Self { watch, is_doubted: AtomicBool::new(false) }
    }

    fn watch(&self) -> MutexGuard<'_, ClockWatch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the moment before which what has ended may be removed: the earlier one of both clocks, where
    /// the store has one too. `None` while they differ, or the clock has leaped. `skew` was just read.
    pub(super) async fn now(
        &self,
        store: &dyn Store,
        clock: &impl Clock,
        skew: &Skew,
    ) -> Result<Option<OffsetDateTime>, StoreError> {
        let read = ClockReading::of(clock);
        let doubt = match skew.large() {
            Some(_) => Some("the clocks of this machine and the database differ"),
            None if self.believes(store, read).await? => None,
            None => Some("the clock has leaped, and has not run on for an hour yet"),
        };
        let was_doubted = self.is_doubted.swap(doubt.is_some(), Ordering::Relaxed);
        match doubt {
            Some(why) if !was_doubted => tracing::warn!(why, now = %read.now, "nothing is removed"),
            None if was_doubted => {
                tracing::info!(now = %read.now, "the clock is believed: what is old is removed again");
            }
            _ => {}
        }
        Ok(doubt.is_none().then(|| read.now - skew.size()))
    }

    async fn believes(&self, store: &dyn Store, read: ClockReading) -> Result<bool, StoreError> {
        let is_new = self.watch().is_new();
        let noted = if is_new { last_noted(store).await? } else { None };
        let is_believed = self.watch().believes(read, noted);
        if is_believed && let Some(site) = store.site() {
            site.note_cleaning(read.now).await?;
        }
        Ok(is_believed)
    }
}

/// Returns the last moment that is known to have been right: when something was last removed. A store that
/// does not keep that has the newest record of the trail instead.
async fn last_noted(store: &dyn Store) -> Result<Option<OffsetDateTime>, StoreError> {
    if let Some(site) = store.site()
        && let Some(at) = site.cleaned_at().await?
    {
        return Ok(Some(at));
    }
    let newest = store.audit().audit_records(AuditFilter::default(), 1).await?;
    Ok(newest.first().map(|record| record.event.at))
}

/// What was removed, by kind.
#[derive(Debug, Default)]
pub(super) struct Removed {
    pub(super) sessions: u64,
    pub(super) remembered: u64,
    pub(super) counters: u64,
    pub(super) browsers: u64,
    pub(super) pending: u64,
    pub(super) cut: u64,
    pub(super) records: u64,
}

impl Removed {
    /// Writes a line to the log if anything was removed.
    pub(super) fn log(&self, before: OffsetDateTime, took: Duration) {
        let Self { sessions, remembered, counters, browsers, pending, cut, records } = *self;
        if sessions + remembered + counters + browsers + pending + cut + records == 0 {
            return;
        }
        let milliseconds = u64::try_from(took.whole_milliseconds()).unwrap_or_default();
        tracing::info!(
            sessions,
            remembered_logins = remembered,
            throttle_counters = counters,
            known_browsers = browsers,
            pending_logins = pending,
            audit_addresses = cut,
            audit_records = records,
            %before,
            milliseconds,
            "what is old was removed"
        );
    }
}
