//! Tests the command `nodes` with the program in the same folder.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs the command, or prints a line and returns `None` if the program is not built.
#[expect(clippy::print_stderr, reason = "a skipped test prints the reason")]
fn nodes(options: &[&str]) -> Option<Output> {
    let bench = Path::new(env!("CARGO_BIN_EXE_countersign-bench"));
    let program = bench.with_file_name("countersign");
    // Cargo builds the program for the tests of the workspace, but not for those of this package alone.
    if !program.is_file() {
        eprintln!("skipped: the program is not built: cargo build -p countersign-web");
        return None;
    }
    Some(Command::new(bench).args(["nodes", "--bin"]).arg(program).args(options).output().unwrap())
}

/// Runs the command, or prints a line and returns `None` if there is no PostgreSQL.
#[expect(clippy::print_stderr, reason = "a skipped test prints the reason")]
fn with_postgres(options: &[&str]) -> Option<Output> {
    let output = nodes(options)?;
    let said = String::from_utf8_lossy(&output.stderr);
    if let Some((_, why)) = said.split_once("there is no PostgreSQL: ") {
        eprintln!("skipped: PostgreSQL: {}", why.trim());
        return None;
    }
    Some(output)
}

#[test]
fn a_page_from_memory_asks_nothing_and_the_others_ask_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("figures.json");
    let file = file.to_str().unwrap();
    let options = ["--quick", "--nodes", "1", "--sessions", "1000,2000", "--json", file];
    let Some(output) = with_postgres(&options) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let figures = report["figures"].as_array().unwrap();
    let find = |what: &str| figures.iter().find(|figure| figure["what"] == what);
    let value = |what: &str| find(what).and_then(|figure| figure["value"].as_f64()).unwrap();
    // A session in the cache is read again once a second.
    assert!(value("each cached page: round trips") < 0.5, "{figures:?}");
    let asks = value("each uncached page: round trips");
    assert!((1.0..4.0).contains(&asks), "{figures:?}");
    assert!(value("each login: round trips") > asks, "{figures:?}");
    // A given server may keep no statistics.
    if find("each login: statements").is_some() {
        assert!(value("each cached page: statements") < 0.2, "{figures:?}");
        assert!((value("each uncached page: statements") - 1.0).abs() < 0.1, "{figures:?}");
        assert!(value("each login: statements") > 8.0, "{figures:?}");
    }
    for what in ["uncached page", "login"] {
        let rate = value(&format!("1 nodes, {what}: rate"));
        assert!(rate > 0.0, "{figures:?}");
        let grown = find(&format!("2000 sessions, {what}: rate")).unwrap();
        assert!(grown["ratio"].as_f64() > Some(0.0), "{grown}");
    }
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(table.lines().skip(4).count(), figures.len());
}

#[test]
fn a_server_that_is_not_there_is_an_error_that_says_so() {
    let Some(output) = nodes(&["--postgres", "postgres://postgres@127.0.0.1:1"]) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("there is no PostgreSQL: "), "{said}");
}
