//! Checks docs/metrics.md, the dashboard and the alert rules: they name exactly the metrics that are exposed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::exposition::Exposition;
use super::{scrape, serve};
use crate::support::{EMAIL, PASSWORD, Place};

const PAGE: &str = "docs/metrics.md";
const DASHBOARD: &str = "config/grafana-dashboard.json";
const ALERTS: &str = "config/prometheus-alerts.yml";

/// The labels that Prometheus adds to every series.
const ADDED: [&str; 3] = ["job", "instance", "le"];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn exposed() -> Exposition {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let (server, mut scraper) = serve(&place, &[]);
    server.member(EMAIL, PASSWORD);
    scrape(&mut scraper).1
}

/// Returns the cells of the rows below a heading that begin with code.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let text = read(PAGE);
    let below = text.lines().skip_while(|line| *line != heading).skip(1);
    let section = below.take_while(|line| !line.starts_with("## "));
    let cells = |line: &str| -> Option<Vec<String>> {
        let inner = line.strip_prefix("| ")?.strip_suffix(" |")?;
        inner.starts_with('`').then(|| inner.split(" | ").map(str::to_owned).collect())
    };
    let rows: Vec<_> = section.filter_map(cells).collect();
    assert!(!rows.is_empty(), "{PAGE} has no table below {heading:?}");
    rows
}

/// Returns all texts between backticks.
fn codes(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_book_lists_every_metric_with_its_type_and_labels_and_no_other() {
    let exposed = exposed();
    let exposed: BTreeMap<_, _> = exposed
        .documented()
        .into_iter()
        .map(|(name, family)| (name, (family.kind.clone(), family.labels.clone())))
        .collect();
    let mut listed = BTreeMap::new();
    for row in rows("## The metrics") {
        let [name, kind, labels, meaning] = row.as_slice() else { panic!("{row:?}") };
        assert!(meaning.len() > 10, "{row:?} says nothing");
        let name = name.trim_matches('`').to_owned();
        let before = listed.insert(name, (kind.clone(), codes(labels)));
        assert_eq!(before, None, "{row:?} is there twice");
    }
    assert_eq!(listed, exposed);
}

#[test]
fn the_book_lists_every_value_of_a_label_that_is_there_from_the_start() {
    let exposed = exposed();
    let documented = exposed.documented();
    for row in rows("## The labels") {
        let [metric, label, values] = row.as_slice() else { panic!("{row:?}") };
        let family = documented[metric.trim_matches('`')];
        let real = &family.values[label.trim_matches('`')];
        assert_eq!(&codes(values), real, "{metric} {label}");
    }
    // The labels of requests exist only after the first request.
    let listed = rows("## The labels").len();
    let open = ["countersign_build_info", "countersign_http_request_duration_seconds"];
    let fixed = documented.iter().filter(|(name, _)| !open.contains(&name.as_str()));
    assert_eq!(listed, fixed.map(|(_, family)| family.labels.len()).sum::<usize>());
}

/// Returns the faults of a query: metrics that do not exist, and labels that a metric does not have.
fn faults(query: &str, known: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut faults = Vec::new();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (mut rest, mut metrics) = (query, 0);
    while let Some(at) = rest.find("countersign_") {
        let word = rest.split_at(at).1;
        let end = word.find(|c| !is_word(c)).unwrap_or(word.len());
        let (name, after) = word.split_at(end);
        rest = after;
        metrics += 1;
        let Some(labels) = known.get(name) else {
            faults.push(format!("{name} is not exposed, in {query}"));
            continue;
        };
        let inner = after.strip_prefix('{').and_then(|after| after.split_once('}'));
        let matchers = inner.map_or("", |(inner, _)| inner);
        // Values are between quotes. The remaining parts are names with their operators.
        for part in matchers.split('"').step_by(2) {
            let label = part.trim_matches(|c: char| !is_word(c));
            if !label.is_empty() && !labels.contains(label) && !ADDED.contains(&label) {
                faults.push(format!("{name} has no label {label}, in {query}"));
            }
        }
    }
    if metrics == 0 && !query.contains("up{") {
        faults.push(format!("{query} asks for nothing"));
    }
    let all: BTreeSet<&str> = known.values().flatten().map(String::as_str).collect();
    for group in query.split("by (").skip(1) {
        let names = group.split(')').next().unwrap_or_default().split(',').map(str::trim);
        let unknown = names.filter(|name| !all.contains(name) && !ADDED.contains(name));
        faults.extend(unknown.map(|name| format!("{name} is no label, in {query}")));
    }
    let depth = |open, close| query.matches(open).count() == query.matches(close).count();
    if !depth('(', ')')
        || !depth('{', '}')
        || !depth('[', ']')
        || !query.matches('"').count().is_multiple_of(2)
    {
        faults.push(format!("{query} is not closed"));
    }
    faults
}

#[test]
fn a_query_that_asks_for_what_is_not_there_is_found() {
    let known =
        BTreeMap::from([("countersign_a_total".to_owned(), BTreeSet::from(["reason".to_owned()]))]);
    for good in [
        "rate(countersign_a_total{reason=~\"x|y\",job=\"z\"}[5m])",
        "sum by (reason) (rate(countersign_a_total[5m]))",
        "up{job=\"countersign\"} == 0",
    ] {
        assert_eq!(faults(good, &known), [""; 0], "{good}");
    }
    for bad in [
        "rate(countersign_b_total[5m])",
        "countersign_a_total{kind=\"x\"}",
        "sum by (kind) (countersign_a_total)",
        "rate(countersign_a_total[5m]",
        "1",
    ] {
        assert_ne!(faults(bad, &known), [""; 0], "{bad}");
    }
}

#[test]
fn every_panel_of_the_dashboard_asks_for_what_is_there() {
    let known = exposed().queried();
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut used = String::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title} has another's id");
        assert!(panel["description"].as_str().is_some_and(|text| text.len() > 10), "{title}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let at = &panel["gridPos"];
        let right = at["x"].as_u64().unwrap() + at["w"].as_u64().unwrap();
        assert!(right <= 24, "{title} is too wide");
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            assert_eq!(faults(query, &known), [""; 0], "{title}");
            used += query;
        }
    }
    // The dashboard uses at least one sample of each metric.
    let exposed = exposed();
    let documented = exposed.documented();
    let unused = documented.keys().filter(|name| !used.contains(name.as_str()));
    assert_eq!(unused.collect::<Vec<_>>(), [""; 0]);
}

/// Returns the keys and values of the rules. Each is on a line of its own, in the block style of YAML.
fn rules() -> Vec<BTreeMap<String, String>> {
    let mut rules: Vec<BTreeMap<String, String>> = Vec::new();
    for line in read(ALERTS).lines() {
        assert!(!line.contains('\t'), "YAML knows no tabs: {line}");
        let text = line.trim();
        let entry = text.strip_prefix("- alert: ");
        if let Some(name) = entry {
            rules.push(BTreeMap::from([("alert".to_owned(), name.to_owned())]));
        } else if let (Some(rule), Some((key, value))) = (rules.last_mut(), text.split_once(": ")) {
            // A value without quotes must not contain anything that YAML reads as more than text.
            let is_quoted = value.starts_with('\'') && value.ends_with('\'');
            assert!(is_quoted || !value.contains([':', '#', '{', '"', '\'']), "{line}");
            rule.insert(key.to_owned(), value.trim_matches('\'').to_owned());
        }
    }
    rules
}

#[test]
fn every_alert_asks_for_what_is_there_and_says_what_to_do() {
    let known = exposed().queried();
    let rules = rules();
    let names: BTreeSet<_> = rules.iter().map(|rule| rule["alert"].as_str()).collect();
    let page = read(PAGE);
    for rule in &rules {
        let name = &rule["alert"];
        for key in ["expr", "for", "severity", "summary", "description"] {
            assert!(rule.get(key).is_some_and(|value| !value.is_empty()), "{name} has no {key}");
        }
        assert_eq!(faults(&rule["expr"], &known), [""; 0], "{name}");
        assert!(["page", "ticket"].contains(&rule["severity"].as_str()), "{name}");
        assert!(page.contains(&format!("| `{name}` |")), "{name} is not in {PAGE}");
    }
    assert_eq!(names.len(), rules.len(), "two rules have the same name");
    assert_eq!(names.len(), rows("## Alerts").len());
    assert!(names.len() >= 6, "{names:?}");
}
