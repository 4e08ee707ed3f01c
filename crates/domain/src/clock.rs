use std::sync::{Arc, LazyLock};
use std::time::Instant;

use time::{Duration, OffsetDateTime};

/// By how much two clocks that agree may differ, and one and the same clock may be set.
pub const CLOCK_TOLERANCE: Duration = Duration::seconds(30);

/// Returns whether a moment is so far ahead of `now` that a wrong clock told it. Nothing that rests on it
/// holds: it would last until that clock was right, and its own time on top.
pub fn is_from_future(at: OffsetDateTime, now: OffsetDateTime) -> bool {
    at > now.saturating_add(CLOCK_TOLERANCE)
}

/// Tells the time. Rules never ask the system themselves; they are handed one of these.
pub trait Clock: Send + Sync {
    /// Returns the current moment, in UTC and whole microseconds: the precision that every supported
    /// database keeps, so that a saved moment equals the one that was read from the clock.
    fn now(&self) -> OffsetDateTime;

    /// Returns how much time has passed since some moment of the past, by a clock that nobody sets: two
    /// readings show whether [`now`](Self::now) was set in between. By default it is the same clock, as one
    /// that nobody sets.
    fn steady(&self) -> Duration {
        self.now() - OffsetDateTime::UNIX_EPOCH
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> OffsetDateTime {
        (**self).now()
    }

    fn steady(&self) -> Duration {
        (**self).steady()
    }
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the system's clock is read")]
    fn now(&self) -> OffsetDateTime {
        let now = OffsetDateTime::now_utc();
        now.replace_nanosecond(now.microsecond() * 1_000).unwrap_or(now)
    }

    fn steady(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed().try_into().unwrap_or(Duration::MAX)
    }
}

/// What a clock says, and what one says that nobody sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// What time it is.
    pub now: OffsetDateTime,
    /// How much time has passed since some moment of the past.
    pub steady: Duration,
}

impl ClockReading {
    /// Reads a clock.
    pub fn of(clock: &impl Clock) -> Self {
        Self { now: clock.now(), steady: clock.steady() }
    }

    /// Returns whether the clock ran on by as much as time has passed.
    fn runs_on_to(self, later: Self) -> bool {
        let off = (later.now - self.now) - (later.steady - self.steady);
        off.abs() <= CLOCK_TOLERANCE
    }
}

/// Decides whether a clock is believed when something is to be removed because it is old. What is removed
/// by mistake is gone, and what is removed too late harms nobody, so that a clock that leaps is doubted
/// until it has proved itself.
///
/// A clock is believed that runs on from where it was believed before. The clock of a program that has just
/// begun is compared with the moment that another program noted. Any other clock must run on steadily for
/// [`PROBATION`](Self::PROBATION).
#[derive(Clone, Copy, Debug)]
pub struct ClockWatch {
    /// When the program began.
    start: ClockReading,
    believed: Option<ClockReading>,
    /// The first and the last reading of a clock that is doubted and runs on steadily.
    doubted: (ClockReading, ClockReading),
}

impl ClockWatch {
    /// How long a program may have been away before its clock is doubted.
    pub const ABSENCE: Duration = Duration::HOUR;
    /// How long a doubted clock runs on steadily before it is believed.
    pub const PROBATION: Duration = Duration::HOUR;

    /// Begins to watch the clock of a program that begins.
    pub fn new(start: ClockReading) -> Self {
        Self { start, believed: None, doubted: (start, start) }
    }

    /// Returns whether it must be told what was last [noted](Self::believes).
    pub fn is_new(&self) -> bool {
        self.believed.is_none()
    }

    /// Returns whether the clock is believed that has been read. `noted` is the last moment that was known
    /// to be right when this program began, if there is one; what was noted since then does as well.
    pub fn believes(&mut self, read: ClockReading, noted: Option<OffsetDateTime>) -> bool {
        let is_expected = match (self.believed, noted) {
            (Some(last), _) => last.runs_on_to(read),
            (None, noted) => {
                let is_near = |noted| {
                    !is_from_future(noted, read.now) && self.start.now - noted <= Self::ABSENCE
                };
                self.start.runs_on_to(read) && noted.is_none_or(is_near)
            }
        };
        let (first, last) = self.doubted;
        let first = if last.runs_on_to(read) { first } else { read };
        self.doubted = (first, read);
        let is_believed = is_expected || read.steady - first.steady >= Self::PROBATION;
        if is_believed {
            self.believed = Some(read);
            self.doubted = (read, read);
        }
        is_believed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_ticks_in_whole_microseconds() {
        assert_eq!(SystemClock.now().nanosecond() % 1_000, 0);
    }

    #[test]
    fn the_steady_clock_of_the_system_runs_on() {
        let before = SystemClock.steady();
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!(SystemClock.steady() > before);
        assert!((SystemClock.steady() - before) < Duration::MINUTE);
    }

    const START: OffsetDateTime = time::macros::datetime!(2026-03-01 12:00 UTC);
    const YEAR: Duration = Duration::days(401);

    /// A clock of which the test says by how much it is wrong.
    struct Watched {
        watch: ClockWatch,
        passed: Duration,
        wrong: Duration,
    }

    impl Default for Watched {
        fn default() -> Self {
            let watch = ClockWatch::new(ClockReading { now: START, steady: Duration::ZERO });
            Self { watch, passed: Duration::ZERO, wrong: Duration::ZERO }
        }
    }

    impl Watched {
        fn after(&mut self, passed: Duration) -> bool {
            self.passed += passed;
            let read = ClockReading { now: START + self.passed + self.wrong, steady: self.passed };
            self.watch.believes(read, None)
        }
    }

    #[test]
    fn a_clock_that_leaps_is_doubted_until_it_returns_or_has_run_on_for_an_hour() {
        for leap in [YEAR, -YEAR, Duration::minutes(2), -Duration::minutes(2)] {
            let mut clock = Watched::default();
            assert!(clock.after(Duration::ZERO) && clock.after(Duration::MINUTE));
            clock.wrong = leap;
            assert!(!clock.after(Duration::MINUTE), "{leap}");
            clock.wrong = Duration::ZERO;
            assert!(clock.after(Duration::seconds(75)), "{leap}: it is right again");
            clock.wrong = leap;
            assert!((0..60).all(|_| !clock.after(Duration::MINUTE)), "{leap}");
            assert!(clock.after(Duration::MINUTE), "{leap}: it stays");
            assert!(clock.after(Duration::DAY), "{leap}");
        }
    }

    #[test]
    fn a_clock_that_leaps_again_and_again_is_never_believed() {
        let mut clock = Watched::default();
        assert!(clock.after(Duration::ZERO));
        for _ in 0..100 {
            clock.wrong += Duration::HOUR;
            assert!(!clock.after(Duration::minutes(50)));
        }
    }

    #[test]
    fn a_clock_may_be_set_right_a_little() {
        let mut clock = Watched::default();
        for _ in 0..100 {
            clock.wrong += CLOCK_TOLERANCE;
            assert!(clock.after(Duration::MINUTE));
        }
    }

    #[test]
    fn the_clock_of_a_new_program_is_compared_with_what_was_noted() {
        let read = |at| ClockReading { now: at, steady: Duration::ZERO };
        let believes = |at, noted| ClockWatch::new(read(at)).believes(read(at), noted);
        assert!(believes(START, None));
        assert!(believes(START + Duration::HOUR, Some(START)));
        assert!(believes(START - CLOCK_TOLERANCE, Some(START)));
        for wrong in [Duration::HOUR + Duration::SECOND, YEAR, -Duration::MINUTE, -YEAR] {
            assert!(!believes(START + wrong, Some(START)), "{wrong}");
        }
        // A site that slept for a year cleans up an hour after it woke.
        let after = |passed| ClockReading { now: START + YEAR + passed, steady: passed };
        let (mut watch, noted) = (ClockWatch::new(after(Duration::ZERO)), Some(START));
        assert!(!watch.believes(after(Duration::ZERO), noted));
        assert!(!watch.believes(after(Duration::minutes(59)), noted));
        assert!(watch.believes(after(Duration::HOUR), noted));
        // A clock that leaps between the beginning of a program and its first cleaning.
        let mut watch = ClockWatch::new(read(START));
        assert!(!watch.believes(after(Duration::MINUTE), None));
        assert!(!watch.believes(after(Duration::MINUTE), Some(START + YEAR)));
    }
}
