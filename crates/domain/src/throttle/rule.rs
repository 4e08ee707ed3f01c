use time::{Duration, OffsetDateTime};

use crate::clock::is_from_future;

/// A number of tries in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub tries: u32,
    /// The period, which begins with the first of them.
    pub period: Duration,
}

/// A delay that grows with each try that fails, while none succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// How many tries there are before the first delay.
    pub free: u32,
    /// The first delay. Each one after it is twice as long.
    pub first: Duration,
    /// The longest delay.
    pub longest: Duration,
    /// The number of tries after which the door stays closed for the rest. Then the count begins anew.
    pub most: u32,
    /// How long the rest is. After as long without a try, earlier tries are forgotten.
    pub rest: Duration,
}

/// When a counter lets the next try in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A number of tries in a time.
    Rate(Rate),
    /// A growing delay.
    Backoff(Backoff),
}

/// What a counter has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How many tries.
    pub tries: u32,
    /// With a [`Rate`], when the first of them was; with a [`Backoff`], when the last one was.
    pub since: OffsetDateTime,
}

impl Rule {
    /// Returns when the next try is let in, if not now.
    pub fn closed_until(&self, tally: Tally, now: OffsetDateTime) -> Option<OffsetDateTime> {
        if !self.remembers(tally, now) {
            return None;
        }
        let closed_for = match self {
            Self::Rate(rate) if tally.tries >= rate.tries => rate.period,
            Self::Rate(_) => return None,
            Self::Backoff(backoff) => backoff.delay_after(tally.tries)?,
        };
        // Clocks differ a little. Nobody is told to wait for longer than the rule says.
        let until = tally.since.min(now).saturating_add(closed_for);
        (now < until).then_some(until)
    }

    /// Returns the tally with one more try.
    #[must_use]
    pub fn count(&self, tally: Option<Tally>, now: OffsetDateTime) -> Tally {
        match (self, tally.filter(|tally| self.remembers(*tally, now))) {
            (_, None) => Tally { tries: 1, since: now },
            (Self::Rate(_), Some(tally)) => Tally { tries: tally.tries.saturating_add(1), ..tally },
            (Self::Backoff(_), Some(tally)) => {
                Tally { tries: tally.tries.saturating_add(1), since: now.max(tally.since) }
            }
        }
    }

    /// Returns the tally without a try that turned out to be none. Others may have been counted since.
    pub fn undo(&self, current: Option<Tally>, count: Count) -> Option<Tally> {
        let current = current?;
        if current == count.after {
            return count.before;
        }
        let is_its_own = matches!(self, Self::Backoff(_)) || current.since == count.after.since;
        let fewer = Tally { tries: current.tries.saturating_sub(1), ..current };
        Some(if is_its_own { fewer } else { current })
    }

    /// Returns whether the last try of this tally closed the door, for a delay or for the rest.
    pub fn was_closed_by(&self, tally: Tally) -> bool {
        match self {
            Self::Rate(rate) => tally.tries == rate.tries,
            Self::Backoff(Backoff { free, most, .. }) => [*free, *most].contains(&tally.tries),
        }
    }

    /// Returns when a tally no longer matters.
    pub fn forgets_at(&self, tally: Tally) -> OffsetDateTime {
        tally.since.saturating_add(self.kept_for())
    }

    /// Returns whether a tally matters at `now`. A tally from the future comes from a wrong clock, and must
    /// keep nobody out until that day.
    pub(super) fn remembers(&self, tally: Tally, now: OffsetDateTime) -> bool {
        !is_from_future(tally.since, now) && now < self.forgets_at(tally)
    }

    fn kept_for(&self) -> Duration {
        match self {
            Self::Rate(rate) => rate.period,
            Self::Backoff(backoff) => backoff.rest,
        }
    }
}

impl Backoff {
    /// Returns how long the door is closed after this many tries, if at all.
    fn delay_after(&self, tries: u32) -> Option<Duration> {
        if tries >= self.most {
            return Some(self.rest);
        }
        let doublings = tries.checked_sub(self.free)?;
        let factor = 1_i32.checked_shl(doublings).filter(|factor| *factor > 0);
        let delay = factor.and_then(|factor| self.first.checked_mul(factor));
        // After the rest the tries are forgotten, so that a longer delay would not hold.
        Some(delay.map_or(self.longest, |delay| delay.min(self.longest)).min(self.rest))
    }
}

/// What a try did to a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The tally without it.
    pub before: Option<Tally>,
    /// The tally with it.
    pub after: Tally,
}

impl Default for Backoff {
    /// 10 tries, then 1 second that doubles up to 15 minutes; after 100 tries in a row a day
    /// (NIST SP 800-63B-4, section 3.2.2).
    fn default() -> Self {
        Self {
            free: 10,
            first: Duration::SECOND,
            longest: Duration::minutes(15),
            most: 100,
            rest: Duration::DAY,
        }
    }
}
