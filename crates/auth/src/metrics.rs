//! What the service counts, for Prometheus. `docs/metrics.md` lists it.

use countersign_domain::{AuthEvent, AuthEventKind, Reason};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::{Auth, LogInError, Login};

/// Nothing of a person's goes into a label: neither who nor from where, and nothing that was typed.
/// So there are as many series after a year as after a day.
type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Why somebody may not log in.
const FAILURES: &[Reason] = &[
    Reason::UnknownUser,
    Reason::WrongPassword,
    Reason::NoPassword,
    Reason::Disabled,
    Reason::Superseded,
];

/// Which counter of the throttle was full.
const COUNTERS: &[Reason] = &[
    Reason::AccountFromAddress,
    Reason::Account,
    Reason::KnownBrowser,
    Reason::Address,
    Reason::Network,
    Reason::Site,
];

const SUCCESS: &str = "success";
const INVALID: &str = "invalid";
const THROTTLED: &str = "throttled";
const OVERLOADED: &str = "overloaded";
const UNAVAILABLE: &str = "unavailable";

/// The reason of what needs none.
const NO_REASON: &str = "none";

pub(crate) struct Metrics {
    logins: Family<Labels<1>, Counter>,
    events: Family<Labels<2>, Counter>,
    throttled: Family<Labels<1>, Counter>,
}

impl Default for Metrics {
    /// Everything is there from the start, at zero: of a series that appears with its first event
    /// Prometheus sees no increase.
    fn default() -> Self {
        let metrics = Self {
            logins: Family::default(),
            events: Family::default(),
            throttled: Family::default(),
        };
        for outcome in [SUCCESS, INVALID, THROTTLED, OVERLOADED, UNAVAILABLE] {
            drop(metrics.logins.get_or_create(&[("outcome", outcome)]));
        }
        for reason in FAILURES {
            drop(metrics.logins.get_or_create(&[("outcome", reason.as_str())]));
        }
        for reason in COUNTERS {
            drop(metrics.throttled.get_or_create(&[("reason", reason.as_str())]));
        }
        for kind in AuthEventKind::ALL {
            let reasons = match kind {
                AuthEventKind::UserLoginFailed => FAILURES,
                AuthEventKind::UserThrottled => COUNTERS,
                _ => &[],
            };
            let reasons = reasons.iter().map(|reason| reason.as_str());
            let none = reasons.len() == 0;
            for reason in reasons.chain(none.then_some(NO_REASON)) {
                drop(metrics.events.get_or_create(&event_labels(*kind, reason)));
            }
        }
        metrics
    }
}

fn event_labels(kind: AuthEventKind, reason: &'static str) -> Labels<2> {
    [("kind", kind.as_str()), ("reason", reason)]
}

impl Metrics {
    fn count_login(&self, outcome: &'static str) {
        self.logins.get_or_create(&[("outcome", outcome)]).inc();
    }

    pub(crate) fn heard(&self, event: &AuthEvent) {
        let reason = event.reason.map_or(NO_REASON, Reason::as_str);
        self.events.get_or_create(&event_labels(event.kind, reason)).inc();
        match event.kind {
            AuthEventKind::UserLoggedIn => self.count_login(SUCCESS),
            // In a session it is somebody who is logged in and did not know their password.
            AuthEventKind::UserLoginFailed if event.session.is_none() => self.count_login(reason),
            _ => {}
        }
    }

    /// Counts a login of which nobody hears; the others are counted with their event, which knows
    /// more of them.
    pub(crate) fn login_ended(&self, done: &Result<Login, LogInError>) {
        self.count_login(match done {
            Ok(_) | Err(LogInError::WrongCredentials) => return,
            Err(LogInError::Invalid(_)) => INVALID,
            Err(LogInError::Throttled(_)) => THROTTLED,
            Err(LogInError::Overloaded(_)) => OVERLOADED,
            Err(LogInError::Store(_)) => UNAVAILABLE,
        });
    }

    pub(crate) fn throttled(&self, reason: Option<Reason>) {
        let reason = reason.map_or(NO_REASON, Reason::as_str);
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

/// Why a job was not done.
#[derive(Clone, Copy)]
pub(crate) enum Refusal {
    QueueFull,
    WaitedTooLong,
}

impl Refusal {
    fn labels(self) -> Labels<1> {
        let reason = match self {
            Self::QueueFull => "queue_full",
            Self::WaitedTooLong => "waited_too_long",
        };
        [("reason", reason)]
    }
}

/// In seconds. A hash with the default parameters takes about 20 ms, one that was chosen to be
/// costly a second; a wait is bounded by a minute.
const HASH_BUCKETS: [f64; 12] =
    [0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
const WAIT_BUCKETS: [f64; 13] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];

impl QueueMetrics {
    pub(crate) fn new(limit: usize) -> Self {
        let refused = Family::default();
        for reason in [Refusal::QueueFull, Refusal::WaitedTooLong] {
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

    pub(crate) fn refused(&self, why: Refusal) {
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

impl Auth {
    /// Adds what this service counts to `registry`: logins by their outcome, events, refused tries,
    /// and the work of the hashing workers. A service belongs into a registry once.
    pub fn register_metrics(&self, registry: &mut Registry) {
        let Metrics { logins, events, throttled } = &*self.metrics;
        registry.register(
            "countersign_logins",
            "Tries to log in by what came of them",
            logins.clone(),
        );
        registry.register(
            "countersign_events",
            "What has happened to users and sessions",
            events.clone(),
        );
        registry.register(
            "countersign_throttled",
            "Tries that the throttle refused by the counter that was full",
            throttled.clone(),
        );
        self.cache.register_metrics(registry);
        self.skew.register(registry);
        self.hasher.register_metrics(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_one_of_a_failure_or_of_a_refusal() {
        let mut listed: Vec<_> = FAILURES.iter().chain(COUNTERS).map(|one| one.as_str()).collect();
        let mut all: Vec<_> = Reason::ALL.iter().map(|one| one.as_str()).collect();
        listed.sort_unstable();
        all.sort_unstable();
        assert_eq!(listed, all);
    }
}
