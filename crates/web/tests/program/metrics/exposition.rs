//! A strict reader of the OpenMetrics text format.

use std::collections::{BTreeMap, BTreeSet};

/// The content of a scrape.
pub(crate) struct Exposition {
    families: BTreeMap<String, Family>,
    samples: BTreeMap<String, f64>,
}

pub(crate) struct Family {
    pub(crate) kind: String,
    /// The names of its labels, except `le`.
    pub(crate) labels: BTreeSet<String>,
    /// The values of each label.
    pub(crate) values: BTreeMap<String, BTreeSet<String>>,
}

/// Returns the suffixes of the names of samples for a kind of metric.
fn suffixes(kind: &str) -> &'static [&'static str] {
    match kind {
        "counter" => &["_total"],
        "gauge" => &[""],
        "histogram" => &["_bucket", "_count", "_sum"],
        "info" => &["_info"],
        other => panic!("a metric of kind {other}"),
    }
}

fn is_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_lowercase() || c == '_';
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// Parses the labels of `{a="b",c="d"}`. None of our values contains a quote or a backslash.
fn labels(text: &str) -> Vec<(String, String)> {
    let inner = match text {
        "" => return Vec::new(),
        text => text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap(),
    };
    assert!(!inner.contains('\\'), "{text}");
    let pairs = inner.split(',').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        assert!(is_name(name) && !name.starts_with("__"), "{text}");
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap();
        assert!(!value.contains('"'), "{text}");
        (name.to_owned(), value.to_owned())
    });
    pairs.collect()
}

impl Exposition {
    #[track_caller]
    pub(crate) fn read(text: &str) -> Self {
        let mut read = Self { families: BTreeMap::new(), samples: BTreeMap::new() };
        let lines = text.strip_suffix("# EOF\n").unwrap_or_else(|| panic!("it has no end: {text}"));
        let (mut helped, mut current) = (None, String::new());
        for line in lines.lines() {
            assert!(!line.starts_with("# EOF"), "there is only one end");
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(help.ends_with('.') && !help.ends_with(".."), "{line}");
                helped = Some(name.to_owned());
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(is_name(name) && helped.as_deref() == Some(name), "{line}");
                let family = Family {
                    kind: kind.to_owned(),
                    labels: BTreeSet::new(),
                    values: BTreeMap::new(),
                };
                name.clone_into(&mut current);
                let before = read.families.insert(current.clone(), family);
                assert!(before.is_none(), "{name} is there twice");
            } else if let Some(rest) = line.strip_prefix("# UNIT ") {
                let (name, unit) = rest.split_once(' ').unwrap();
                assert!(name == current && name.ends_with(&format!("_{unit}")), "{line}");
            } else {
                read.sample(&current, line);
            }
        }
        read.check_histograms();
        read
    }

    fn sample(&mut self, current: &str, line: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, braces) = series.split_at(series.find('{').unwrap_or(series.len()));
        let family = self.families.get_mut(current).unwrap();
        let suffix = name.strip_prefix(current).unwrap_or_else(|| panic!("{line} in {current}"));
        assert!(suffixes(&family.kind).contains(&suffix), "{line} in a {}", family.kind);
        for (label, value) in labels(braces) {
            if label != "le" {
                family.labels.insert(label.clone());
                family.values.entry(label).or_default().insert(value);
            }
        }
        let value: f64 = value.parse().unwrap();
        assert!(value >= 0.0 && value.is_finite(), "{line}");
        assert_eq!(self.samples.insert(series.to_owned(), value), None, "{series} twice");
    }

    /// Checks that buckets are cumulative, and that the last one counts everything.
    fn check_histograms(&self) {
        for (series, count) in &self.samples {
            let Some((family, rest)) = series.split_once("_count") else { continue };
            if self.families.get(family).is_none_or(|family| family.kind != "histogram") {
                continue;
            }
            let inner = rest.trim_start_matches('{').trim_end_matches('}');
            let mut buckets: Vec<(f64, f64)> = self
                .samples
                .iter()
                .filter_map(|(series, value)| {
                    let rest = series.strip_prefix(&format!("{family}_bucket{{le=\""))?;
                    let (le, rest) = rest.split_once('"')?;
                    let rest = rest.trim_start_matches(',').trim_end_matches('}');
                    (rest == inner).then(|| (le.parse().unwrap(), *value))
                })
                .collect();
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(buckets.is_sorted_by_key(|(_, value)| *value), "{series}");
            assert_eq!(buckets.last(), Some(&(f64::INFINITY, *count)), "{series}");
        }
    }

    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        self.samples.get(series).copied()
    }

    pub(crate) fn series(&self) -> impl Iterator<Item = &str> {
        self.samples.keys().map(String::as_str)
    }

    /// Returns the sum of all samples of a name.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let is_of = |series: &str| series == name || series.starts_with(&format!("{name}{{"));
        self.samples.iter().filter(|(series, _)| is_of(series)).map(|(_, value)| value).sum()
    }

    /// Returns every metric by the name in the documentation.
    pub(crate) fn documented(&self) -> BTreeMap<String, &Family> {
        let families = self.families.iter().map(|(name, family)| match suffixes(&family.kind) {
            [suffix] => (format!("{name}{suffix}"), family),
            _ => (name.clone(), family),
        });
        families.collect()
    }

    /// Returns every name that a query may use, with the labels of its samples.
    pub(crate) fn queried(&self) -> BTreeMap<String, BTreeSet<String>> {
        let names = self.families.iter().flat_map(|(name, family)| {
            suffixes(&family.kind).iter().map(move |suffix| {
                let mut labels = family.labels.clone();
                if *suffix == "_bucket" {
                    labels.insert("le".to_owned());
                }
                (format!("{name}{suffix}"), labels)
            })
        });
        names.collect()
    }
}

#[test]
#[should_panic(expected = "it has no end")]
fn a_scrape_that_was_cut_off_is_refused() {
    Exposition::read("# HELP a Some.\n# TYPE a gauge\na 1\n");
}

#[test]
fn what_a_scrape_says_is_read() {
    let text = "# HELP a_b Some.\n# TYPE a_b counter\na_b_total{c=\"d\"} 1\na_b_total{c=\"e\"} 2\n\
                # HELP f Some.\n# TYPE f gauge\nf 7\n# EOF\n";
    let read = Exposition::read(text);
    assert_eq!((read.value("f"), read.sum("a_b_total")), (Some(7.0), 3.0));
    assert_eq!(read.documented().keys().collect::<Vec<_>>(), ["a_b_total", "f"]);
    assert_eq!(read.queried()["a_b_total"], BTreeSet::from(["c".to_owned()]));
}
