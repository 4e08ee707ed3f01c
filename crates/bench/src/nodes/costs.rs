//! The costs of requests, and their median over several rounds.

use crate::report::Figure;
use crate::stats::Samples;

/// The costs of one kind of request, each with its name.
pub(super) struct Costs(Vec<Cost>);

struct Cost {
    of: &'static str,
    value: f64,
    unit: &'static str,
}

impl Costs {
    pub(super) fn new(costs: impl IntoIterator<Item = (&'static str, f64, &'static str)>) -> Self {
        Self(costs.into_iter().map(|(of, value, unit)| Cost { of, value, unit }).collect())
    }

    /// Returns the median of each cost. All rounds must have measured the same costs.
    pub(super) fn median(rounds: &[Self]) -> Self {
        let first = rounds.first().map_or(&[][..], |round| &round.0);
        let costs = first.iter().enumerate().map(|(place, cost)| {
            let values = rounds.iter().filter_map(|round| Some(round.0.get(place)?.value));
            Cost { value: Samples::new(values).median(), ..*cost }
        });
        Self(costs.collect())
    }

    pub(super) fn figures(&self, what: &str) -> Vec<Figure> {
        let figures = self.0.iter();
        figures
            .map(|cost| Figure::new(&format!("{what}: {}", cost.of), cost.value, cost.unit))
            .collect()
    }

    /// Returns the figures, each compared with the same cost in `floor`.
    pub(super) fn figures_against(&self, floor: &Self, what: &str) -> Vec<Figure> {
        let floors = floor.0.iter().map(|cost| cost.value);
        self.figures(what).into_iter().zip(floors).map(|(own, floor)| own.against(floor)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_rounds_the_middle_counts() {
        let rounds =
            [3.0, 1.0, 2.0].map(|n| Costs::new([("rate", n, "/s"), ("p50", 2.0 * n, "ms")]));
        let median = Costs::median(&rounds);
        let values: Vec<_> = median.0.iter().map(|cost| (cost.of, cost.value)).collect();
        assert_eq!(values, [("rate", 2.0), ("p50", 4.0)]);
        assert!(Costs::median(&[]).0.is_empty());
    }
}
