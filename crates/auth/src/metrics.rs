//! What the service counts, for Prometheus. `docs/metrics.md` lists it.

use countersign_domain::{AuthEvent, AuthEventKind, Reason};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// A label holds nothing of a person: neither who they are nor where they come from, and nothing that they
/// typed. So the number of series stays the same.
type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Why somebody may not log in.
const FAILURES: &[Reason] = &[
    Reason::UnknownUser,
    Reason::WrongPassword,
    Reason::NoPassword,
    Reason::WrongCode,
    Reason::Disabled,
    Reason::Superseded,
];

/// Which scope of the throttle was full.
const COUNTERS: &[Reason] = &[
    Reason::AccountFromAddress,
    Reason::Account,
    Reason::KnownBrowser,
    Reason::Address,
    Reason::Network,
    Reason::Site,
];

const SUCCESS: &str = "success";

/// How a login ends of which no event tells.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unheard {
    /// A field cannot be anybody's.
    Invalid,
    /// The throttle refused it.
    Throttled,
    /// The hashing workers had no time for it.
    Overloaded,
    /// The store failed.
    Unavailable,
    /// It waits for a second factor.
    FactorRequired,
}

impl Unheard {
    const ALL: [Self; 5] =
        [Self::Invalid, Self::Throttled, Self::Overloaded, Self::Unavailable, Self::FactorRequired];

    fn label(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Throttled => "throttled",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::FactorRequired => "factor_required",
        }
    }
}

/// The reason of what needs none.
const NO_REASON: &str = "none";

/// What is counted of the service.
pub(crate) struct Metrics {
    logins: Family<Labels<1>, Counter>,
    events: Family<Labels<2>, Counter>,
    throttled: Family<Labels<1>, Counter>,
}

impl Default for Metrics {
    /// Makes every series from the start, at zero: Prometheus sees no increase in a series that appears
    /// with its first event.
    fn default() -> Self {
        let metrics = Self {
            logins: Family::default(),
            events: Family::default(),
            throttled: Family::default(),
        };
        for outcome in Unheard::ALL.map(Unheard::label).into_iter().chain([SUCCESS]) {
            drop(metrics.logins.get_or_create(&[("outcome", outcome)]));
        }
        for reason in FAILURES {
            drop(metrics.logins.get_or_create(&[("outcome", reason.label())]));
        }
        for reason in COUNTERS {
            drop(metrics.throttled.get_or_create(&[("reason", reason.label())]));
        }
        for kind in AuthEventKind::ALL {
            let reasons = match kind {
                AuthEventKind::UserLoginFailed => FAILURES,
                AuthEventKind::UserThrottled => COUNTERS,
                _ => &[],
            };
            let reasons = reasons.iter().map(|reason| reason.label());
            let none = reasons.len() == 0;
            for reason in reasons.chain(none.then_some(NO_REASON)) {
                drop(metrics.events.get_or_create(&event_labels(*kind, reason)));
            }
        }
        metrics
    }
}

fn event_labels(kind: AuthEventKind, reason: &'static str) -> Labels<2> {
    [("kind", kind.label()), ("reason", reason)]
}

impl Metrics {
    /// Counts a login that ended without an event. The others are counted with their event, which knows
    /// more of them.
    pub(crate) fn login_ended(&self, outcome: Unheard) {
        self.count_login(outcome.label());
    }

    fn count_login(&self, outcome: &'static str) {
        self.logins.get_or_create(&[("outcome", outcome)]).inc();
    }

    pub(crate) fn heard(&self, event: &AuthEvent) {
        let reason = event.reason.map_or(NO_REASON, Reason::label);
        self.events.get_or_create(&event_labels(event.kind, reason)).inc();
        match event.kind {
            AuthEventKind::UserLoggedIn => self.count_login(SUCCESS),
            // In a session it is somebody who is logged in and did not know their password.
            AuthEventKind::UserLoginFailed if event.session.is_none() => self.count_login(reason),
            _ => {}
        }
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Tries to log in by what came of them";
        registry.register("countersign_logins", help, self.logins.clone());
        let help = "What has happened to users and sessions";
        registry.register("countersign_events", help, self.events.clone());
        let help = "Tries that the throttle refused by the counter that was full";
        registry.register("countersign_throttled", help, self.throttled.clone());
    }

    pub(crate) fn throttled(&self, reason: Option<Reason>) {
        let reason = reason.map_or(NO_REASON, Reason::label);
        self.throttled.get_or_create(&[("reason", reason)]).inc();
    }
}

/// What is counted of workers and the queue before them.
#[derive(Clone)]
pub(crate) struct QueueMetrics {
    /// Jobs in the queue.
    pub(crate) depth: Gauge,
    limit: Gauge,
    /// How long a job waited that was begun.
    pub(crate) wait: Histogram,
    /// How long a job took.
    pub(crate) duration: Histogram,
    refused: Family<Labels<1>, Counter>,
}

/// Why the workers did not do a job.
#[derive(Clone, Copy)]
pub(crate) enum JobRefused {
    QueueFull,
    WaitedTooLong,
}

impl JobRefused {
    fn labels(self) -> Labels<1> {
        let reason = match self {
            Self::QueueFull => "queue_full",
            Self::WaitedTooLong => "waited_too_long",
        };
        [("reason", reason)]
    }
}

/// In seconds. A hash with the default parameters takes about 20 ms, one that was chosen to be costly about
/// a second. A wait is bounded by a minute.
const HASH_BUCKETS: [f64; 12] =
    [0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
const WAIT_BUCKETS: [f64; 13] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];

impl QueueMetrics {
    pub(crate) fn new(limit: usize) -> Self {
        let refused = Family::default();
        for reason in [JobRefused::QueueFull, JobRefused::WaitedTooLong] {
            drop(Family::<_, Counter>::get_or_create(&refused, &reason.labels()));
        }
        let metrics = Self {
            depth: Gauge::default(),
            limit: Gauge::default(),
            wait: Histogram::new(WAIT_BUCKETS),
            duration: Histogram::new(HASH_BUCKETS),
            refused,
        };
        metrics.limit.set(i64::try_from(limit).unwrap_or(i64::MAX));
        metrics
    }

    pub(crate) fn refused(&self, why: JobRefused) {
        self.refused.get_or_create(&why.labels()).inc();
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "countersign_hash_queue_depth",
            "Passwords that wait for a hashing worker",
            self.depth.clone(),
        );
        registry.register(
            "countersign_hash_queue_limit",
            "How many may wait before the next is turned away",
            self.limit.clone(),
        );
        registry.register(
            "countersign_hash_refusals",
            "Hashes that were not computed because the workers were overloaded",
            self.refused.clone(),
        );
        registry.register_with_unit(
            "countersign_hash_wait",
            "How long a password waited for a hashing worker that took it",
            Unit::Seconds,
            self.wait.clone(),
        );
        registry.register_with_unit(
            "countersign_hash_duration",
            "How long a hashing worker took over one hash",
            Unit::Seconds,
            self.duration.clone(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_one_of_a_failure_or_of_a_refusal() {
        let mut listed: Vec<_> = FAILURES.iter().chain(COUNTERS).map(Reason::as_str).collect();
        let mut all: Vec<_> = Reason::ALL.iter().map(Reason::as_str).collect();
        listed.sort_unstable();
        all.sort_unstable();
        assert_eq!(listed, all);
    }
}
