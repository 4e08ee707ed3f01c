//! Whether the trail is what was written, and lost only what was old.

use countersign_domain::{
    Aged, AuditEnds, AuditFilter, AuditRecord, AuditStore, AuthEventKind, BrokenChain, ChainLink,
    Duration, OffsetDateTime, StoreError,
};

use crate::config::AuditConfig;
use crate::core::Core;

/// A place in the trail that somebody noted elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotedPlace {
    /// The place.
    pub link: ChainLink,
    /// When the record happened that is there.
    pub at: OffsetDateTime,
}

/// How a trail is checked.
#[derive(Clone, Copy, Default)]
pub struct AuditCheck<'a> {
    /// Places that must still be in it, unless they are so old that they were removed.
    pub noted: &'a [NotedPlace],
    /// Where an earlier check was interrupted; this one goes on from there.
    pub after: Option<ChainLink>,
    /// Is told how far the check is.
    pub tell: Option<&'a (dyn Fn(AuditProgress) + Send + Sync)>,
}

/// How far a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditProgress {
    /// Up to where the trail is what was written.
    pub place: ChainLink,
    /// How many records were checked, by this check and by the one before it.
    pub records: u64,
    /// How many there were when it began.
    pub of: u64,
}

/// What was found out about an audit trail that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditReport {
    /// How many records are in it.
    pub records: u64,
    /// Where it begins and ends.
    pub ends: AuditEnds,
    /// Its end, to be noted elsewhere.
    pub end: NotedPlace,
}

/// Why an audit trail could not be shown to be whole.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// It is not whole.
    #[error(transparent)]
    Broken(#[from] BrokenChain),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many records are read at once.
const BATCH: u32 = 1_000;

/// By how much a clock may have been set back since a record was written.
const AHEAD: Duration = Duration::HOUR;

/// Checks the whole trail, as [`Audit::verify`](super::Audit::verify) says.
pub(super) async fn verify(core: &Core, check: AuditCheck<'_>) -> Result<AuditReport, AuditError> {
    let store = core.store.audit();
    loop {
        let (ends, now) = (store.audit_ends().await?, core.now());
        let rules = Rules { now, config: core.config.audit, trusted: trusted(check.noted) };
        let checked = Checking { store, check, ends, rules }.run().await;
        // Old records may have been removed meanwhile.
        if checked.is_ok() || store.audit_ends().await?.removed == ends.removed {
            return checked;
        }
    }
}

/// Returns the number of the last place that was noted: up to there the trail was checked before.
fn trusted(noted: &[NotedPlace]) -> u64 {
    noted.iter().map(|place| place.link.number).max().unwrap_or_default()
}

/// What may have become of a record.
#[derive(Clone, Copy)]
struct Rules {
    now: OffsetDateTime,
    config: AuditConfig,
    trusted: u64,
}

impl Rules {
    /// Checks a record that says that others were removed or shortened.
    fn check(&self, record: &AuditRecord) -> Result<(), BrokenChain> {
        let configured = match record.event.kind {
            AuthEventKind::AuditRemoved => self.config.keep_for,
            AuthEventKind::AuditShortened => self.config.keep_addresses_for,
            _ => return Ok(()),
        };
        let (number, at) = (record.link.number, record.event.at);
        let is_by_rule = |aged: &Aged| {
            let is_configured = aged.kept.whole_seconds() >= configured.whole_seconds();
            aged.up_to.number < number
                && aged.was_due(at)
                && at <= self.now.saturating_add(AHEAD)
                && (is_configured || number <= self.trusted)
        };
        let is_by_rule = Aged::of(record).as_ref().is_some_and(is_by_rule);
        if is_by_rule { Ok(()) } else { Err(BrokenChain::AgedEarly(number)) }
    }
}

/// Up to which records addresses were shortened, each time, and how old those had to be.
#[derive(Default)]
struct Shortenings(Vec<(u64, OffsetDateTime)>);

impl Shortenings {
    /// Reads those that matter after a number. There is one for some hundreds of records.
    async fn read(store: &dyn AuditStore, after: u64) -> Result<Self, StoreError> {
        let mut all = Vec::new();
        let kind = Some(AuthEventKind::AuditShortened);
        let mut filter = AuditFilter { kind, ..AuditFilter::default() };
        loop {
            let page = store.audit_records(filter, BATCH).await?;
            let Some(last) = page.last() else { break };
            filter.before = Some(last.link.number);
            for record in &page {
                let Some(aged) = Aged::of(record) else { continue };
                all.push((aged.up_to.number, record.event.at.saturating_sub(aged.kept)));
            }
            if all.last().is_some_and(|(up_to, _)| *up_to <= after) {
                break;
            }
        }
        all.sort_unstable();
        Ok(Self(all))
    }

    /// Returns whether one of them shortened the address of this record, which was old enough.
    fn covers(&self, record: &AuditRecord) -> bool {
        let first = self.0.partition_point(|(up_to, _)| *up_to < record.link.number);
        self.0.get(first).is_some_and(|(_, old)| record.event.at <= *old)
    }
}

/// A check that is under way.
struct Checking<'a> {
    store: &'a dyn AuditStore,
    check: AuditCheck<'a>,
    ends: AuditEnds,
    rules: Rules,
}

impl Checking<'_> {
    async fn run(&self) -> Result<AuditReport, AuditError> {
        let ends = self.ends;
        for noted in self.check.noted {
            self.check_noted(*noted).await?;
        }
        let mut at = self.start().await?;
        let mut shortenings = Shortenings::read(self.store, at.number).await?;
        while at.number < ends.last.number {
            let records = self.store.audit_trail(at.number, BATCH).await?;
            if records.is_empty() {
                let (expected, found) = (ends.last.number, at.number);
                return Err(BrokenChain::WrongEnd { expected, found }.into());
            }
            for record in records {
                record.check(at)?;
                self.rules.check(&record)?;
                if record.salt.is_none() && !shortenings.covers(&record) {
                    // It may have been shortened since.
                    shortenings = Shortenings::read(self.store, at.number).await?;
                    if !shortenings.covers(&record) {
                        return Err(BrokenChain::ShortenedEarly(record.link.number).into());
                    }
                }
                at = record.link;
                if at.number == ends.last.number && at != ends.last {
                    return Err(BrokenChain::Altered(at.number).into());
                }
            }
            self.tell(at);
        }
        self.check_end().await?;
        self.check_beginning().await?;
        let last = self.at(ends.last.number).await?;
        // Nothing has ever happened where there is none.
        let at_end = last.map_or(self.rules.now, |record| record.event.at);
        let end = NotedPlace { link: ends.last, at: at_end };
        Ok(AuditReport { records: at.number - ends.removed.number, ends, end })
    }

    fn tell(&self, place: ChainLink) {
        if let Some(tell) = self.check.tell {
            let since_removed = |number: u64| number.saturating_sub(self.ends.removed.number);
            let (records, of) = (since_removed(place.number), since_removed(self.ends.last.number));
            tell(AuditProgress { place, records, of });
        }
    }

    /// Returns the record at a place, or the next one that is there.
    async fn at(&self, number: u64) -> Result<Option<AuditRecord>, StoreError> {
        let Some(before) = number.checked_sub(1) else { return Ok(None) };
        Ok(self.store.audit_trail(before, 1).await?.into_iter().next())
    }

    /// Returns where to begin: where the trail does, or where an earlier check stopped.
    async fn start(&self) -> Result<ChainLink, AuditError> {
        let removed = self.ends.removed;
        match self.check.after {
            Some(after) if after.number > removed.number => {
                self.check_place(after).await?;
                Ok(after)
            }
            _ => Ok(removed),
        }
    }

    /// Checks that a place is still in the trail, or was removed because it was old.
    async fn check_noted(&self, noted: NotedPlace) -> Result<(), AuditError> {
        let (expected, removed) = (noted.link.number, self.ends.removed);
        if (1..=removed.number).contains(&expected) {
            if noted.at > self.rules.now.saturating_sub(self.rules.config.keep_for) {
                let found = removed.number + 1;
                return Err(BrokenChain::Missing { expected, found }.into());
            }
            return Ok(());
        }
        self.check_place(noted.link).await
    }

    async fn check_place(&self, place: ChainLink) -> Result<(), AuditError> {
        let (expected, last) = (place.number, self.ends.last.number);
        if expected > last {
            return Err(BrokenChain::WrongEnd { expected, found: last }.into());
        }
        match self.at(expected).await?.map(|record| record.link) {
            Some(found) if found.number != expected => {
                let found = found.number;
                Err(BrokenChain::Missing { expected, found }.into())
            }
            Some(found) if found != place => Err(BrokenChain::Altered(expected).into()),
            _ => Ok(()),
        }
    }

    /// Checks that no record lies behind the end. A record that the service writes meanwhile moves the end
    /// along; any other was put there by somebody else.
    async fn check_end(&self) -> Result<(), AuditError> {
        let end = self.store.audit_ends().await?.last.number.max(self.ends.last.number);
        let beyond = self.store.audit_trail(end, 1).await?;
        if let Some(record) = beyond.first() {
            let found = record.link.number;
            let now = self.store.audit_ends().await?.last.number;
            if now < found {
                return Err(BrokenChain::WrongEnd { expected: end, found }.into());
            }
        }
        Ok(())
    }

    /// Checks that a record says why the trail begins where it does. It is behind the beginning, so it was
    /// checked with the others.
    async fn check_beginning(&self) -> Result<(), AuditError> {
        let kind = Some(AuthEventKind::AuditRemoved);
        let filter = AuditFilter { kind, ..AuditFilter::default() };
        let newest = self.store.audit_records(filter, 1).await?.into_iter().next();
        let removed = self.store.audit_ends().await?.removed;
        let said = newest.as_ref().filter(|record| record.link.number > removed.number);
        let said = said.and_then(Aged::of).map(|aged| aged.up_to).unwrap_or_default();
        if said == removed { Ok(()) } else { Err(BrokenChain::Beheaded(removed.number).into()) }
    }
}
