//! The report of the command `enumerate`, as Markdown and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZero;
use std::thread::available_parallelism;

use serde::Serialize;
use serde_json::Value;

use super::door::{Door, Seen};
use super::hashes::Cost;
use super::people::{self, Kind};
use super::{Options, Tried};
use crate::site::Program;
use crate::stats::{Samples, compare};

/// The probability that a run finds a difference where there is none, over all its comparisons.
const LEVEL: f64 = 0.01;
/// The number of comparisons, for the Bonferroni correction: every kind but the known and the control, at
/// every door.
const COMPARISONS: f64 = ((Kind::ALL.len() - 2) * Door::ALL.len()) as f64;
/// From this D on the control counts as told apart, even with too few tries for a small p.
const CONTROL_D: f64 = 0.9;

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    program: String,
    profile: String,
    argon2: Value,
    cores: usize,
    tries: u32,
    /// Whether the cost of hashes was raised after half of the users had registered.
    raised: bool,
    seed: u64,
    /// A difference in time counts if its p is below this limit.
    limit: f64,
    doors: Vec<DoorReport>,
    hashes: Vec<Cost>,
    verdict: Verdict,
}

/// The results of all kinds at one door.
#[derive(Debug, Serialize)]
pub(crate) struct DoorReport {
    door: &'static str,
    kinds: Vec<KindReport>,
    /// The smallest constant difference in milliseconds that is found more often than not; `None` if there
    /// were too few tries to find any.
    resolution_ms: Option<f64>,
}

#[derive(Debug, Serialize)]
struct KindReport {
    kind: &'static str,
    is_control: bool,
    status: Option<u16>,
    /// The first part that differs from the answer to the known address; `None` if all are the same.
    difference: Option<&'static str>,
    median_ms: f64,
    p95_ms: f64,
    /// The comparison of the times with those of the known address; `None` for that address itself.
    against_known: Option<Against>,
}

#[derive(Debug, Serialize)]
struct Against {
    d: f64,
    p: f64,
    median_difference_ms: f64,
}

#[derive(Debug, Serialize)]
struct Verdict {
    /// Each kind that was told apart from the known address, and the part that differed.
    told_apart: Vec<String>,
    /// Whether the control was told apart, at every door.
    control_told_apart: bool,
    /// Whether there were enough tries to find a difference in time.
    enough_tries: bool,
    one_hash_each: bool,
    line: String,
}

fn limit() -> f64 {
    LEVEL / COMPARISONS
}

impl DoorReport {
    pub(crate) fn new(door: Door, tried: &BTreeMap<Kind, Tried>) -> Self {
        let nothing = Tried::default();
        let known = tried.get(&Kind::Known).unwrap_or(&nothing);
        let known_times = Samples::new(known.times.iter().copied());
        let kinds = tried.iter().map(|(&kind, tried)| {
            let times = Samples::new(tried.times.iter().copied());
            let against = || {
                let comparison = compare(&times, &known_times);
                let median_difference_ms = times.median() - known_times.median();
                Against { d: comparison.d, p: comparison.p, median_difference_ms }
            };
            KindReport {
                kind: kind.name(),
                is_control: kind == Kind::Control,
                status: tried.seen.first().map(|seen| seen.status),
                difference: difference(&tried.seen, &known.seen),
                median_ms: times.median(),
                p95_ms: times.quantile(0.95),
                against_known: (kind != Kind::Known).then(against),
            }
        });
        let resolution_ms = known_times.resolution(limit());
        Self { door: door.name(), kinds: kinds.collect(), resolution_ms }
    }
}

/// Compares every answer to one kind with every answer to the other, so that it also finds an answer that
/// differs only sometimes.
fn difference(seen: &[Seen], known: &[Seen]) -> Option<&'static str> {
    seen.iter().find_map(|seen| known.iter().find_map(|known| seen.difference(known)))
}

impl Report {
    pub(crate) fn new(
        program: &Program,
        seed: u64,
        options: &Options,
        doors: Vec<DoorReport>,
        hashes: Vec<Cost>,
    ) -> Self {
        let argon2 = program.configuration.pointer("/countersign/argon2").cloned();
        Self {
            program: program.path.display().to_string(),
            profile: program.profile.clone(),
            argon2: argon2.unwrap_or_default(),
            cores: available_parallelism().map_or(1, NonZero::get),
            tries: options.tries,
            raised: options.raised,
            seed,
            limit: limit(),
            verdict: Verdict::new(&doors, &hashes),
            doors,
            hashes,
        }
    }
}

impl Verdict {
    fn new(doors: &[DoorReport], hashes: &[Cost]) -> Self {
        let mut told_apart = Vec::new();
        let mut control_told_apart = !doors.is_empty();
        for door in doors {
            for kind in &door.kinds {
                let Some(against) = &kind.against_known else { continue };
                if kind.is_control {
                    control_told_apart &= against.p < limit() || against.d >= CONTROL_D;
                    continue;
                }
                let time = (against.p < limit()).then_some("time");
                let by = kind.difference.into_iter().chain(time);
                told_apart.extend(by.map(|by| format!("{} by {by} ({})", kind.kind, door.door)));
            }
            // If the answers to the known address vary, the comparison with it proves nothing.
            let known = door.kinds.iter().filter(|kind| kind.against_known.is_none());
            let varies = known.filter_map(|kind| kind.difference);
            told_apart
                .extend(varies.map(|by| format!("known from itself by {by} ({})", door.door)));
        }
        let enough_tries = doors.iter().all(|door| door.resolution_ms.is_some());
        let one_hash_each = hashes.iter().all(|cost| cost.hashes == cost.expected);
        let line = match (told_apart.as_slice(), control_told_apart, one_hash_each) {
            (_, false, _) => "nothing is shown: the control was not told apart".to_owned(),
            ([], _, true) if !enough_tries => {
                "the answers are the same, with one hash each; there were too few tries to compare \
                 times"
                    .to_owned()
            }
            ([], _, true) => {
                "nobody is told apart, neither by the answer nor by time, with one hash each; only \
                 the control is"
                    .to_owned()
            }
            ([], _, false) => "NOT ONE HASH EACH, though no kind was told apart".to_owned(),
            (who, ..) => format!("TOLD APART: {}", who.join("; ")),
        };
        Self { told_apart, control_told_apart, enough_tries, one_hash_each, line }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let argon2 = |key| self.argon2.get(key).map(Value::to_string).unwrap_or_default();
        writeln!(f, "# Does the login reveal who has an account?\n")?;
        writeln!(f, "- program: `{}`, a {} build", self.program, self.profile)?;
        writeln!(
            f,
            "- Argon2id with m={} KiB, t={}, p={}; {} cores",
            argon2("memory_kib"),
            argon2("iterations"),
            argon2("parallelism"),
            self.cores,
        )?;
        if self.raised {
            let passes = people::RAISED_PASSES;
            writeln!(f, "- half of the users registered before t was raised to {passes}")?;
        }
        writeln!(f, "- {} tries of each kind, seed {}", self.tries, self.seed)?;
        writeln!(f, "- a difference in time counts when p < {:.5}", self.limit)?;
        for door in &self.doors {
            write!(f, "\n{door}")?;
        }
        writeln!(f, "\n## Hashes computed for one attempt\n")?;
        writeln!(f, "| door | who | hashes |\n|---|---|---:|")?;
        for cost in &self.hashes {
            writeln!(f, "| `{}` | {} | {} |", cost.door, cost.kind, cost.hashes)?;
        }
        let wrong = self.hashes.iter().filter(|cost| cost.hashes != cost.expected).count();
        match wrong {
            0 => writeln!(f, "\nExactly one hash each; none for the control.")?,
            _ => writeln!(f, "\nNOT exactly one hash each: {wrong} rows are wrong.")?,
        }
        writeln!(f, "\nVerdict: {}.", self.verdict.line)
    }
}

impl fmt::Display for DoorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}\n", self.door)?;
        writeln!(f, "| who | answer | median ms | 95 % ms | D | p | median − known's, ms |")?;
        writeln!(f, "|---|---|---:|---:|---:|---:|---:|")?;
        for kind in &self.kinds {
            let status = kind.status.map(|status| status.to_string()).unwrap_or_default();
            let answer = match kind.difference {
                Some(by) => format!("{status}, another {by}"),
                None if kind.against_known.is_none() => status,
                None => format!("{status}, the same"),
            };
            let (median, p95) = (kind.median_ms, kind.p95_ms);
            write!(f, "| {} | {answer} | {median:.2} | {p95:.2} | ", kind.kind)?;
            match &kind.against_known {
                Some(Against { d, p, median_difference_ms: difference }) => {
                    let p = if *p < 1e-4 { "< 0.0001".to_owned() } else { format!("{p:.4}") };
                    writeln!(f, "{d:.3} | {p} | {difference:+.2} |")?;
                }
                None => writeln!(f, "| | |")?,
            }
        }
        match self.resolution_ms {
            Some(ms) => writeln!(f, "\nDifferences of about {ms:.2} ms or more are found here."),
            None => writeln!(f, "\nToo few tries to find any difference in time."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: u16) -> Seen {
        Seen { status, headers: Vec::new(), body: String::new() }
    }

    fn tried(status: u16, start: u32) -> Tried {
        let times = (start..start + 50).map(f64::from);
        Tried { seen: vec![seen(status)], times: times.collect() }
    }

    fn verdict(of: impl IntoIterator<Item = (Kind, Tried)>, hashes: u64) -> Verdict {
        let cost = Cost { door: "log_in", kind: "unknown", hashes, expected: 1 };
        Verdict::new(&[DoorReport::new(Door::Page, &of.into_iter().collect())], &[cost])
    }

    #[test]
    fn equal_kinds_and_another_control_are_a_good_verdict() {
        let all = [
            (Kind::Known, tried(401, 100)),
            (Kind::Unknown, tried(401, 102)),
            (Kind::Control, tried(422, 0)),
        ];
        let verdict = verdict(all, 1);
        assert!(verdict.told_apart.is_empty() && verdict.enough_tries, "{verdict:?}");
        assert!(verdict.line.starts_with("nobody is told apart"), "{verdict:?}");
    }

    #[test]
    fn a_kind_is_told_apart_by_time_and_by_its_answer() {
        let all = [
            (Kind::Known, tried(401, 100)),
            (Kind::Unknown, tried(401, 150)),
            (Kind::Disabled, tried(403, 100)),
            (Kind::Control, tried(422, 0)),
        ];
        let verdict = verdict(all, 1);
        assert_eq!(verdict.told_apart.len(), 2, "{verdict:?}");
        assert!(verdict.line.contains("unknown address by time"), "{verdict:?}");
        assert!(verdict.line.contains("disabled by status"), "{verdict:?}");
    }

    #[test]
    fn an_answer_that_differs_now_and_then_is_found() {
        let mut unknown = tried(401, 100);
        unknown.seen.push(seen(403));
        assert_eq!(difference(&unknown.seen, &[seen(401)]), Some("status"));
        assert_eq!(difference(&[seen(401)], &unknown.seen), Some("status"));
    }

    #[test]
    fn a_control_that_is_not_told_apart_shows_nothing() {
        let all = [(Kind::Known, tried(401, 100)), (Kind::Control, tried(401, 100))];
        assert!(verdict(all, 1).line.starts_with("nothing is shown"));
    }

    #[test]
    fn a_second_hash_spoils_the_verdict() {
        let all = [(Kind::Known, tried(401, 100)), (Kind::Control, tried(422, 0))];
        assert!(verdict(all, 2).line.starts_with("NOT ONE HASH EACH"));
    }
}
