//! The report of the commands `all` and `nodes`, as Markdown and as JSON.

use std::fmt;
use std::thread::available_parallelism;

use serde::Serialize;

use crate::site::Program;

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    program: String,
    profile: String,
    machine: String,
    cores: usize,
    /// The load average of the minute before the measurement.
    load: Option<f64>,
    quick: bool,
    pub(crate) figures: Vec<Figure>,
}

/// A measured value.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
    /// The value of the floor, from the same run.
    floor: Option<f64>,
    ratio: Option<f64>,
    target: Option<Target>,
    reached: Option<bool>,
}

/// The bound that a figure should keep.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Target {
    of: Of,
    is: Is,
    bound: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Of {
    Ratio,
    Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Is {
    AtMost,
    AtLeast,
}

impl Target {
    pub(crate) fn ratio_at_most(bound: f64) -> Self {
        Self { of: Of::Ratio, is: Is::AtMost, bound }
    }

    pub(crate) fn ratio_at_least(bound: f64) -> Self {
        Self { of: Of::Ratio, is: Is::AtLeast, bound }
    }

    pub(crate) fn value_at_most(bound: f64) -> Self {
        Self { of: Of::Value, is: Is::AtMost, bound }
    }
}

impl Figure {
    pub(crate) fn new(what: &str, value: f64, unit: &'static str) -> Self {
        let (floor, ratio, target, reached) = (None, None, None, None);
        Self { what: what.to_owned(), value, unit, floor, ratio, target, reached }
    }

    /// Compares the figure with that of the floor.
    pub(crate) fn against(self, floor: f64) -> Self {
        Self { floor: Some(floor), ratio: Some(self.value / floor), ..self }
    }

    /// Sets the target, and checks whether the figure reaches it.
    pub(crate) fn wanted(self, target: Target) -> Self {
        let figure = match target.of {
            Of::Ratio => self.ratio.unwrap_or(f64::NAN),
            Of::Value => self.value,
        };
        let reached = match target.is {
            Is::AtMost => figure <= target.bound,
            Is::AtLeast => figure >= target.bound,
        };
        Self { target: Some(target), reached: Some(reached), ..self }
    }
}

impl Report {
    pub(crate) fn new(program: &Program, quick: bool) -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let processor = read("/proc/cpuinfo");
        let processor = processor.lines().find(|line| line.starts_with("model name"));
        let processor = processor.and_then(|line| line.split_once(": "));
        let system = read("/proc/sys/kernel/osrelease");
        Self {
            program: program.path.display().to_string(),
            profile: program.profile.clone(),
            machine: format!(
                "{}, Linux {}",
                processor.map_or("unknown processor", |(_, name)| name),
                system.trim()
            ),
            cores: available_parallelism().map_or(1, Into::into),
            load: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()),
            quick,
            figures: Vec::new(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is == Is::AtMost { "≤" } else { "≥" };
        let times = if self.of == Of::Ratio { " ×" } else { "" };
        write!(f, "{sign} {}{times}", short(self.bound))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { machine, cores, profile, .. } = self;
        let quick = if self.quick { ", quick" } else { "" };
        write!(f, "{machine}, {cores} cores, {profile} build{quick}")?;
        if let Some(load) = self.load {
            write!(f, ", load {load} before")?;
        }
        writeln!(f, "\n\n| what | figure | floor | ratio | target | reached |")?;
        write!(f, "|---|---:|---:|---:|---|---|")?;
        for figure in &self.figures {
            let or_none = |text: Option<String>| text.unwrap_or_default();
            let Figure { what, value, unit, floor, ratio, target, reached } = figure;
            write!(
                f,
                "\n| {what} | {} {unit} | {} | {} | {} | {} |",
                short(*value),
                or_none(floor.map(|floor| format!("{} {unit}", short(floor)))),
                or_none(ratio.map(|ratio| format!("{ratio:.2}"))),
                or_none(target.map(|target| target.to_string())),
                match reached {
                    Some(true) => "yes",
                    Some(false) => "**no**",
                    None => "",
                },
            )?;
        }
        Ok(())
    }
}

/// Formats a value with three digits; the figures are not more precise than that.
fn short(value: f64) -> String {
    match value.abs() {
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_held_against_its_target() {
        let reached = |figure: Figure| figure.reached;
        let figure = || Figure::new("x", 21.0, "µs").against(20.0);
        assert_eq!(reached(figure()), None);
        assert_eq!(reached(figure().wanted(Target::ratio_at_most(1.05))), Some(true));
        assert_eq!(reached(figure().wanted(Target::ratio_at_most(1.04))), Some(false));
        assert_eq!(reached(figure().wanted(Target::ratio_at_least(1.06))), Some(false));
        assert_eq!(reached(figure().wanted(Target::value_at_most(21.0))), Some(true));
        let nothing = Figure::new("x", f64::NAN, "µs").wanted(Target::value_at_most(1.0));
        assert_eq!(reached(nothing), Some(false), "a missing value reaches no target");
        let no_floor = Figure::new("x", 1.0, "µs").wanted(Target::ratio_at_most(1.0));
        assert_eq!(reached(no_floor), Some(false));
    }

    #[test]
    fn figures_are_a_table_and_json() {
        let figures = vec![
            Figure::new("page", 21.0, "µs").against(20.0).wanted(Target::ratio_at_most(1.1)),
            Figure::new("memory", 123.4, "MiB").wanted(Target::value_at_most(99.0)),
            Figure::new("rate", 5.0, "/s"),
        ];
        let report = Report {
            program: "countersign".to_owned(),
            profile: "release".to_owned(),
            machine: "machine".to_owned(),
            cores: 2,
            load: Some(0.5),
            quick: true,
            figures,
        };
        let table = report.to_string();
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[0], "machine, 2 cores, release build, quick, load 0.5 before");
        assert_eq!(lines[4], "| page | 21.0 µs | 20.0 µs | 1.05 | ≤ 1.10 × | yes |");
        assert_eq!(lines[5], "| memory | 123 MiB |  |  | ≤ 99.0 | **no** |");
        assert_eq!(lines[6], "| rate | 5.00 /s |  |  |  |  |");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["figures"][0]["ratio"], 1.05);
        assert_eq!(json["figures"][0]["target"]["is"], "at_most");
        assert_eq!(json["figures"][1]["reached"], false);
        assert_eq!(json["figures"][2]["floor"], serde_json::Value::Null);
    }
}
