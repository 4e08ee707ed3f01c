//! Quantiles, and a test whether two samples come from one distribution.

/// Measured values, sorted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Self(sorted)
    }

    /// Returns the quantile `q`, interpolated linearly between neighbours (type 7 of Hyndman and Fan, 1996).
    /// Returns NaN if there are no values.
    pub(crate) fn quantile(&self, q: f64) -> f64 {
        let place = q.clamp(0.0, 1.0) * self.0.len().saturating_sub(1) as f64;
        let value = |index: f64| self.0.get(index as usize).copied().unwrap_or(f64::NAN);
        let (below, above) = (value(place.floor()), value(place.ceil()));
        below + (above - below) * place.fract()
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Returns the smallest shift of all values that the test detects at this level, or `None` if there are
    /// too few values to detect any. For another sample that is shifted by as much, the test detects it in
    /// about half of all cases.
    pub(crate) fn resolution(&self, level: f64) -> Option<f64> {
        let is_seen = |shift: f64| {
            let shifted = Self(self.0.iter().map(|value| value + shift).collect());
            compare(self, &shifted).p < level
        };
        // Shifted by more than the range, the two samples do not overlap.
        let mut seen = 2.0 * (self.quantile(1.0) - self.quantile(0.0)) + f64::EPSILON;
        let mut unseen = 0.0;
        if !is_seen(seen) {
            return None;
        }
        // The bisection works because D never falls while the shift grows.
        for _ in 0..24 {
            let middle = f64::midpoint(unseen, seen);
            *(if is_seen(middle) { &mut seen } else { &mut unseen }) = middle;
        }
        Some(seen)
    }
}

/// The two-sample Kolmogorov-Smirnov test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison {
    /// The largest distance between the two empirical distributions, from 0 (equal) to 1 (no overlap).
    pub(crate) d: f64,
    /// The probability that two samples of one distribution are at least that far apart.
    pub(crate) p: f64,
}

pub(crate) fn compare(one: &Samples, other: &Samples) -> Comparison {
    let (n, m) = (one.0.len() as u64, other.0.len() as u64);
    let distance = distance(one, other);
    Comparison { d: distance as f64 / (n * m).max(1) as f64, p: probability(n, m, distance) }
}

/// Returns D times both sample sizes: an integer, so that nothing is rounded.
fn distance(one: &Samples, other: &Samples) -> u64 {
    let (n, m) = (one.0.len() as u64, other.0.len() as u64);
    let (mut ones, mut others) = (one.0.iter().peekable(), other.0.iter().peekable());
    let (mut i, mut j, mut largest) = (0, 0, 0);
    while let (Some(&&a), Some(&&b)) = (ones.peek(), others.peek()) {
        // Equal values are one step of both distributions.
        let next = a.min(b);
        while ones.next_if(|&&value| value <= next).is_some() {
            i += 1;
        }
        while others.next_if(|&&value| value <= next).is_some() {
            j += 1;
        }
        largest = largest.max((i * m).abs_diff(j * n));
    }
    largest
}

/// Returns the exact probability by counting lattice paths (Hodges, 1958). The merged order of two samples
/// is a path from (0, 0) to (n, m). If both come from one distribution, all paths are equally likely, and
/// the probability is the share of paths that reach the distance. Ties make it too large, never too small.
fn probability(n: u64, m: u64, distance: u64) -> f64 {
    let mut touched = vec![0.0; m as usize + 1];
    for i in 0..=n {
        let mut left = 0.0;
        for (j, cell) in (0..=m).zip(touched.iter_mut()) {
            if (i * m).abs_diff(j * n) >= distance {
                *cell = 1.0;
            } else if i + j > 0 {
                let from_below = i as f64 / (i + j) as f64;
                *cell = from_below * *cell + (1.0 - from_below) * left;
            }
            left = *cell;
        }
    }
    touched.last().copied().unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: impl IntoIterator<Item = u32>) -> Samples {
        Samples::new(values.into_iter().map(f64::from))
    }

    fn close(got: f64, wanted: f64, within: f64) {
        assert!((got - wanted).abs() <= within, "{got} is not {wanted}");
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        let four = samples([4, 1, 3, 2]);
        close(four.median(), 2.5, 0.0);
        close(four.quantile(0.0), 1.0, 0.0);
        close(four.quantile(1.0), 4.0, 0.0);
        // R: quantile(1:4, 0.95)
        close(four.quantile(0.95), 3.85, 1e-12);
        close(samples([7]).quantile(0.95), 7.0, 0.0);
        assert!(samples([]).median().is_nan());
    }

    #[test]
    fn equal_samples_have_no_distance() {
        let same = compare(&samples(0..50), &samples(0..50));
        assert_eq!((same.d, same.p), (0.0, 1.0));
        let tied = compare(&samples([1, 1, 2]), &samples([1, 1, 2]));
        assert_eq!((tied.d, tied.p), (0.0, 1.0));
    }

    #[test]
    fn disjoint_samples_are_as_far_apart_as_can_be() {
        let disjoint = compare(&samples(0..300), &samples(1000..1300));
        assert_eq!(disjoint.d, 1.0);
        assert!(disjoint.p > 0.0 && disjoint.p < 1e-100, "{}", disjoint.p);
    }

    /// Gnedenko and Korolyuk (1951), for two samples of the same size n at the distance k/n:
    /// 2 (C(2n, n-k) - C(2n, n-2k) + ...) / C(2n, n).
    #[test]
    fn the_probability_is_that_of_gnedenko_and_korolyuk() {
        for (k, paths) in [(1, 252.0), (2, 220.0), (3, 90.0), (4, 20.0), (5, 2.0)] {
            close(probability(5, 5, k * 5), paths / 252.0, 1e-12);
        }
    }

    /// Massey (1952), table 1: for two samples of ten values, 7/10 is the smallest distance with a
    /// probability below 5 %.
    #[test]
    fn the_probability_is_that_of_masseys_table() {
        close(probability(10, 10, 70), 0.0123, 5e-5);
        close(probability(10, 10, 60), 0.0524, 5e-5);
        // Two of the 35 orders of three and four values separate the samples.
        close(probability(3, 4, 12), 2.0 / 35.0, 1e-12);
    }

    /// Smirnov (1948): for large samples, 1.358 sqrt((n + m) / (n m)) has a probability of 5 %.
    #[test]
    fn the_probability_of_large_samples_is_that_of_smirnovs_table() {
        let (n, m) = (900_u32, 1200_u32);
        let (n_float, m_float) = (f64::from(n), f64::from(m));
        let critical = 1.358 * ((n_float + m_float) / (n_float * m_float)).sqrt();
        let distance = (critical * n_float * m_float) as u64;
        close(probability(n.into(), m.into(), distance), 0.05, 0.003);
    }

    #[test]
    fn a_shift_is_seen_from_the_resolution_on() {
        let sample = samples(0..300);
        let resolution = sample.resolution(0.01).unwrap();
        let shifted = |by: f64| Samples::new(sample.0.iter().map(|value| value + by));
        assert!(compare(&sample, &shifted(resolution)).p < 0.01);
        assert!(compare(&sample, &shifted(resolution - 1.0)).p >= 0.01);
        assert!(samples(0..3).resolution(0.01).is_none(), "too few to see anything");
    }
}
