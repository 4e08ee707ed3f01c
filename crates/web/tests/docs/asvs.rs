//! Checks docs/asvs.md: it has every row of the standard, and links to tests that exist.

use std::collections::{BTreeMap, BTreeSet};

use crate::{read, root};

const PAGE: &str = "docs/asvs.md";

/// The rows of levels 1, 2 and 3 that apply to Countersign.
const ROWS: [&str; 3] = [
    "1.2.1 1.2.2 1.2.3 1.2.4 1.5.1 2.2.1 2.2.2 2.3.1 3.2.1 3.2.2 3.3.1 3.4.1 3.4.2 3.5.1 \
     3.5.2 3.5.3 4.1.1 5.2.1 6.1.1 6.2.1 6.2.2 6.2.3 6.2.4 6.2.5 6.2.6 6.2.7 6.2.8 6.3.1 \
     6.3.2 6.4.1 6.4.2 7.2.1 7.2.2 7.2.3 7.2.4 7.4.1 7.4.2 8.1.1 8.2.1 8.2.2 8.3.1 9.1.1 \
     9.1.2 9.1.3 9.2.1 11.3.2 11.4.1 12.1.1 12.2.1 14.2.1 14.3.1 15.2.1 15.3.1",
    "1.1.1 1.1.2 1.3.6 1.3.7 1.3.11 1.5.2 2.1.3 2.3.2 2.3.3 2.3.4 2.4.1 3.3.2 3.3.3 3.3.4 \
     3.4.3 3.4.4 3.4.5 3.4.6 3.7.2 4.1.2 4.1.3 4.2.1 6.1.2 6.1.3 6.2.9 6.2.10 6.2.11 \
     6.2.12 6.3.3 6.3.4 6.4.3 6.4.4 6.5.1 6.5.2 6.5.3 6.5.4 6.5.5 6.6.2 6.6.3 6.8.1 6.8.2 \
     6.8.3 6.8.4 7.1.1 7.1.2 7.3.1 7.3.2 7.4.3 7.4.4 7.4.5 7.5.1 7.5.2 7.6.1 7.6.2 8.2.3 \
     9.2.2 9.2.3 10.1.1 10.1.2 10.2.1 10.2.2 10.5.1 10.5.2 10.5.3 10.5.4 10.5.5 11.1.2 \
     11.2.1 11.2.2 11.2.3 11.3.3 11.4.2 11.5.1 11.6.1 12.3.1 12.3.2 13.2.3 13.2.4 13.3.1 \
     13.4.2 13.4.4 13.4.5 14.1.1 14.2.4 14.3.2 14.3.3 15.1.2 15.1.3 15.2.2 15.2.3 15.3.2 \
     15.3.3 15.3.4 15.3.5 15.3.7 16.2.1 16.2.2 16.2.5 16.3.1 16.3.2 16.3.3 16.3.4 16.4.1 \
     16.4.2 16.5.1 16.5.2 16.5.3",
    "1.2.10 1.5.3 3.4.8 3.5.8 3.6.1 4.1.4 6.3.5 6.3.6 6.3.7 6.3.8 6.4.6 6.5.6 6.5.8 6.7.1 \
     6.7.2 7.5.3 8.3.2 11.2.4 13.1.3 13.2.6 13.3.4 14.2.5 14.2.7 15.4.2 15.4.4 16.5.4",
];

const STATES: [&str; 4] = ["shown", "by design", "not yet", "not ours"];

struct Row {
    id: String,
    level: usize,
    requirement: String,
    state: String,
    evidence: String,
}

/// Returns the cells of every line of a table whose first cell passes.
fn cells(is_wanted: impl Fn(&str) -> bool) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Option<Vec<String>> {
        let inner = line.strip_prefix("| ")?.strip_suffix(" |")?;
        Some(inner.split(" | ").map(|cell| cell.trim().to_owned()).collect())
    };
    let all = read(PAGE).lines().filter_map(cells).collect::<Vec<_>>();
    all.into_iter().filter(|cells| cells.first().is_some_and(|cell| is_wanted(cell))).collect()
}

fn is_id(cell: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    cell.split('.').count() == 3 && cell.split('.').all(is_number)
}

fn rows() -> Vec<Row> {
    let row = |cells: Vec<String>| {
        let [id, level, requirement, state, evidence] = cells.try_into().unwrap_or_else(|cells| {
            panic!("{cells:?} does not have five cells");
        });
        Row { id, level: level.parse().unwrap(), requirement, state, evidence }
    };
    cells(is_id).into_iter().map(row).collect()
}

/// Returns the links of a text, each as its label and its target.
fn links(text: &str) -> Vec<(&str, &str)> {
    let ends = text.split("](").zip(text.split("](").skip(1));
    ends.filter_map(|(before, after)| {
        let (_, says) = before.rsplit_once('[')?;
        let (leads, _) = after.split_once(')')?;
        Some((says, leads))
    })
    .collect()
}

/// Returns the links that name a test, each as the name of the test and the path of its file from the root.
pub(crate) fn tests(text: &str) -> Vec<(String, String)> {
    let is_code = |path: &str| [".rs", ".mjs"].iter().any(|end| path.ends_with(end));
    let named = links(text).into_iter().filter_map(|(says, leads)| {
        let path = leads.strip_prefix("../").filter(|path| is_code(path))?;
        Some((says.strip_prefix('`')?.strip_suffix('`')?.to_owned(), path.to_owned()))
    });
    named.collect()
}

/// Checks whether a file has a test of this name that is not ignored. A macro turns the functions of the
/// store's contract into tests. Tests in a browser are found by their title.
pub(crate) fn has_test(text: &str, path: &str, name: &str) -> bool {
    if path.ends_with(".mjs") {
        return text.contains(&format!("\"{name}\""));
    }
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let start = format!("fn {name}(");
    let at = lines.iter().position(|line| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix("async ").unwrap_or(line).starts_with(&start)
    });
    let is_above = |line: &&&str| line.starts_with("#[") || line.starts_with("///");
    let is_test = |line: &&str| {
        let attribute = line.trim_start_matches("#[").split(['(', ']']).next();
        attribute
            .and_then(|path| path.rsplit("::").next())
            .is_some_and(|last| last.ends_with("test"))
    };
    at.is_some_and(|at| {
        let above: Vec<_> = lines.iter().take(at).rev().take_while(is_above).collect();
        let is_run = !above.iter().any(|line| line.starts_with("#[ignore"));
        path.ends_with("/contract.rs") || is_run && above.into_iter().any(is_test)
    })
}

#[test]
fn every_row_of_the_standard_is_there_once_with_its_level() {
    let expected: BTreeMap<String, usize> = (1..)
        .zip(ROWS)
        .flat_map(|(level, ids)| ids.split(' ').map(move |id| (id.to_owned(), level)))
        .collect();
    assert_eq!(expected.len(), 186);
    let rows = rows();
    let found: BTreeMap<String, usize> = rows.iter().map(|r| (r.id.clone(), r.level)).collect();
    let missing: Vec<_> = expected.iter().filter(|row| !found.contains_key(row.0)).collect();
    let foreign: Vec<_> = found.iter().filter(|row| !expected.contains_key(row.0)).collect();
    assert!(missing.is_empty() && foreign.is_empty(), "missing {missing:?}, foreign {foreign:?}");
    assert_eq!(found, expected, "a level is wrong");
    assert_eq!(rows.len(), found.len(), "a row is there twice");
}

#[test]
fn every_row_has_its_state_and_what_goes_with_it() {
    let mut faults = Vec::new();
    let mut fault = |row: &Row, what: &str| faults.push(format!("{} {what}", row.id));
    for row in rows() {
        let tests = tests(&row.evidence);
        if row.requirement.is_empty() {
            fault(&row, "says nothing of what is required");
        }
        match row.state.as_str() {
            "shown" if tests.is_empty() => fault(&row, "is shown by no test"),
            "by design" if links(&row.evidence).is_empty() => fault(&row, "names no evidence"),
            "by design" | "not yet" | "not ours" if row.evidence.len() < 10 => {
                fault(&row, "has no reason");
            }
            "shown" | "by design" | "not yet" | "not ours" => {}
            other => fault(&row, &format!("has the state {other:?}")),
        }
    }
    // The states that the page defines.
    let defined: BTreeSet<String> =
        cells(|cell| STATES.contains(&cell)).into_iter().map(|mut cells| cells.remove(0)).collect();
    assert_eq!(defined, STATES.map(str::to_owned).into());
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_test_that_a_row_links_to_is_there() {
    let mut dead = Vec::new();
    for row in rows() {
        for (name, path) in tests(&row.evidence) {
            let text = std::fs::read_to_string(root().join(&path)).unwrap_or_default();
            if !has_test(&text, &path, &name) {
                dead.push(format!("{}: {path} has no test {name}", row.id));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn the_summary_counts_the_rows() {
    let rows = rows();
    let counts = |is_counted: &dyn Fn(&Row) -> bool| -> Vec<String> {
        let of = |state: &str| rows.iter().filter(|r| is_counted(r) && r.state == state).count();
        let mut counts: Vec<usize> = STATES.iter().map(|state| of(state)).collect();
        counts.push(counts.iter().sum());
        counts.iter().map(ToString::to_string).collect()
    };
    let mut expected = Vec::new();
    for level in 1..=3 {
        expected.push([vec![level.to_string()], counts(&|row| row.level == level)].concat());
    }
    expected.push([vec!["all".to_owned()], counts(&|_| true)].concat());
    let said = cells(|cell| matches!(cell, "1" | "2" | "3" | "all"));
    assert_eq!(said, expected, "the table at the top of {PAGE}");
}

#[test]
fn a_function_that_is_no_test_does_not_count_as_one() {
    let text = "#[test]\nfn holds() {}\n\nfn helps() {}\n\n/// Why.\n#[tokio::test(flavor = \"x\")]\n\
                async fn waits() {}\n#[rocket::async_test]\n#[ignore = \"it is slow\"]\n\
                async fn sleeps() {}\n";
    for (name, is_test) in
        [("holds", true), ("waits", true), ("sleeps", false), ("helps", false), ("hold", false)]
    {
        assert_eq!(has_test(text, "x.rs", name), is_test, "{name}");
    }
    assert!(has_test("journey(\"ada leaves\", 1)", "x.mjs", "ada leaves"));
    assert!(!has_test("journey(\"ada leaves\", 1)", "x.mjs", "leaves"));
    let evidence = "[`holds`](../x.rs), see [a text](a.md#b)";
    assert_eq!(tests(evidence), [("holds".to_owned(), "x.rs".to_owned())]);
}
