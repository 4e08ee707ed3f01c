//! What becomes of old records: their addresses are shortened, and later they are removed. A record in the
//! trail says each time up to where, and by what rule, so that whoever checks the trail can tell it from
//! what somebody else did.

use time::{Duration, OffsetDateTime};

use super::event::{Actor, AuthEvent, AuthEventKind, Subject};
use super::{AuditEntry, AuditRecord, ChainLink};
use crate::{CryptoRng, Record};

/// What is done to old records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ageing {
    /// Their addresses are shortened to the network.
    Shorten,
    /// They are removed.
    Remove,
}

impl Ageing {
    /// Returns the kind of the record that says so.
    pub fn kind(self) -> AuthEventKind {
        match self {
            Self::Shorten => AuthEventKind::AuditShortened,
            Self::Remove => AuthEventKind::AuditRemoved,
        }
    }
}

/// When what is done to how many records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgeingRule {
    /// What is done.
    pub what: Ageing,
    /// How old a record must be.
    pub kept: Duration,
    /// How many records at most are touched at once.
    pub limit: u32,
}

impl AgeingRule {
    /// How much later than it might the service acts, so that what it does is not written down for every
    /// record by itself: a hundredth of the time, and at most this.
    const MOST_DELAY: Duration = Duration::DAY;

    /// Returns the record that says that it was done at `now`. The store adds to what.
    pub fn record(&self, now: OffsetDateTime, rng: &mut impl CryptoRng) -> Record {
        let event = AuthEvent::new(self.what.kind(), Actor::SERVICE, now);
        Record::new(AuditEntry::new(event, rng))
    }

    /// Counts the records that are to be touched at `now`, of the oldest ones from these moments. Behind one
    /// that is too young none is: which of them has the wrong time, nobody can tell.
    pub fn count(
        &self,
        now: OffsetDateTime,
        moments: impl IntoIterator<Item = OffsetDateTime>,
    ) -> usize {
        let old = now.saturating_sub(self.kept);
        let delay = Duration::min(self.kept / 100, Self::MOST_DELAY);
        let due = old.saturating_sub(delay);
        let mut moments = moments.into_iter().take(self.limit as usize).peekable();
        if moments.peek().is_none_or(|oldest| *oldest >= due) {
            return 0;
        }
        moments.take_while(|at| *at < old).count()
    }
}

/// What a record says that tells of ageing, as its subject:
/// `records:NUMBER:HASH:MICROSECONDS:SECONDS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aged {
    /// The last record that was touched; all before it were, too.
    pub up_to: ChainLink,
    /// When the youngest of them had happened.
    pub youngest: OffsetDateTime,
    /// How old they had to be, in whole seconds.
    pub kept: Duration,
}

impl Aged {
    /// Returns what it is about, as it is written down.
    pub fn subject(&self) -> Subject {
        let hash: String = self.up_to.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let micros = self.youngest.unix_timestamp_nanos().div_euclid(1_000);
        let kept = self.kept.whole_seconds();
        Subject::records(&format!("{}:{hash}:{micros}:{kept}", self.up_to.number))
    }

    /// Reads what a record says of ageing; `None` where it says something else.
    pub fn of(record: &AuditRecord) -> Option<Self> {
        let subject = record.event.subject.as_ref()?.as_str();
        let mut parts = subject.strip_prefix("records:")?.split(':');
        let number = parts.next()?.parse().ok()?;
        let hash = ChainLink::parse_hash(parts.next()?)?;
        let micros = parts.next()?.parse::<i64>().ok()?;
        let youngest =
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).ok()?;
        let kept = Duration::seconds(parts.next()?.parse().ok()?);
        let is_all = parts.next().is_none();
        is_all.then_some(Self { up_to: ChainLink { number, hash }, youngest, kept })
    }

    /// Returns whether everything that it touched was old enough at `at`.
    pub fn was_due(&self, at: OffsetDateTime) -> bool {
        self.kept >= Duration::ZERO && self.youngest <= at.saturating_sub(self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-03-01 12:00 UTC);

    fn rule(kept: Duration) -> AgeingRule {
        AgeingRule { what: Ageing::Remove, kept, limit: 3 }
    }

    #[test]
    fn only_what_is_old_is_touched_and_nothing_behind_what_is_young() {
        let (rule, day) = (rule(Duration::days(10)), |n| NOW - Duration::days(n));
        for (moments, count) in [
            (vec![], 0),
            (vec![day(10), day(9)], 0),
            (vec![day(11), day(10), day(9)], 1),
            (vec![day(12), day(3), day(12)], 1),
            (vec![day(-900), day(12)], 0),
            (vec![day(15), day(14), day(13), day(12)], 3),
        ] {
            assert_eq!(rule.count(NOW, moments.clone()), count, "{moments:?}");
        }
    }

    #[test]
    fn it_waits_until_a_few_records_are_old() {
        let rule = rule(Duration::days(400));
        let old = |more| NOW - Duration::days(400) - more;
        assert_eq!(rule.count(NOW, [old(Duration::hours(23)), old(Duration::HOUR)]), 0);
        assert_eq!(rule.count(NOW, [old(Duration::hours(25)), old(Duration::HOUR)]), 2);
    }

    #[test]
    fn what_a_record_says_of_ageing_reads_back() {
        let up_to = ChainLink { number: u64::MAX, hash: [0xab; 32] };
        let far = time::macros::datetime!(9999-12-31 23:59:59.999_999 UTC);
        let aged = Aged { up_to, youngest: far, kept: Duration::days(3_660) };
        let mut event = AuthEvent::new(AuthEventKind::AuditRemoved, Actor::SERVICE, NOW);
        event.subject = Some(aged.subject());
        let kept = Subject::from_saved(aged.subject().to_string());
        assert_eq!(kept, event.subject, "a store keeps it");
        let mut record = AuditEntry { event, salt: [0; 16] }.record_after(ChainLink::default());
        assert_eq!(Aged::of(&record), Some(aged));
        for wrong in ["records:1:ab:0:0", "session:1", "records:1", "records:1:2:3:4:5"] {
            record.event.subject = Subject::from_saved(wrong.to_owned());
            assert_eq!(Aged::of(&record), None, "{wrong}");
        }
        let aged = Aged { youngest: NOW, kept: Duration::DAY, ..aged };
        assert!(!aged.was_due(NOW) && aged.was_due(NOW + Duration::DAY));
    }
}
