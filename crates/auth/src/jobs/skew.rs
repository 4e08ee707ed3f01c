use std::sync::atomic::AtomicU64;

use countersign_domain::{CLOCK_TOLERANCE, Duration};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// By how many seconds the store's clock is ahead of this machine's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Skew(Gauge<f64, AtomicU64>);

impl Skew {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "By how much the clock of the database is ahead of this machine's";
        registry.register_with_unit("countersign_clock_skew", help, Unit::Seconds, self.0.clone());
    }

    /// Returns the skew in whole seconds, if it is more than 30.
    pub(crate) fn large(&self) -> Option<i64> {
        #[expect(clippy::cast_possible_truncation, reason = "whole seconds are wanted")]
        self.is_large().then(|| self.0.get().round() as i64)
    }

    fn is_large(&self) -> bool {
        self.0.get().abs() > CLOCK_TOLERANCE.as_seconds_f64()
    }

    /// Returns by how much the clocks differ.
    pub(super) fn size(&self) -> Duration {
        Duration::saturating_seconds_f64(self.0.get().abs())
    }

    pub(crate) fn set(&self, skew: Duration) {
        let was_large = self.is_large();
        self.0.set(skew.as_seconds_f64());
        let seconds = skew.whole_seconds();
        match (was_large, self.is_large()) {
            (false, true) => tracing::warn!(
                seconds,
                "the clock of the database differs from this machine's by this many seconds, and is \
                 used: check the time of both"
            ),
            (true, false) => tracing::info!(seconds, "the clocks agree again"),
            _ => {}
        }
    }
}
