//! Tests the command `all` with the program in the same folder.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

#[expect(clippy::print_stderr, reason = "a skipped test prints the reason")]
fn all(options: &[&str]) -> Option<Output> {
    let bench = Path::new(env!("CARGO_BIN_EXE_countersign-bench"));
    let program = bench.with_file_name("countersign");
    // Cargo builds the program for the tests of the workspace, but not for those of this package alone.
    if !program.is_file() {
        eprintln!("skipped: the program is not built: cargo build -p countersign-web");
        return None;
    }
    Some(Command::new(bench).args(["all", "--bin"]).arg(program).args(options).output().unwrap())
}

#[test]
fn pages_and_starts_are_a_table_and_json() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("figures.json");
    let file = file.to_str().unwrap();
    let Some(output) = all(&["--quick", "--only", "start,page", "--json", file]) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("round 2 of 2") && said.contains("done"), "{said}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("| what | figure | floor | ratio | target | reached |"), "{table}");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let figures = report["figures"].as_array().unwrap();
    assert_eq!(table.lines().skip(4).count(), figures.len());
    for figure in figures {
        assert!(figure["value"].as_f64() > Some(0.0), "{figure}");
        let (ratio, floor) = (figure["ratio"].as_f64(), figure["floor"].as_f64());
        assert_eq!(ratio.is_some(), floor.is_some(), "{figure}");
    }
    let has = |what: &str| figures.iter().any(|figure| figure["what"] == what);
    assert!(has("members' page: processor") && has("memory when idle"), "{figures:?}");
}

#[test]
fn a_program_that_is_not_there_is_an_error_that_names_it() {
    let bench = env!("CARGO_BIN_EXE_countersign-bench");
    let output = Command::new(bench).args(["all", "--bin", "/nowhere/countersign"]).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("/nowhere/countersign"), "{said}");
}
