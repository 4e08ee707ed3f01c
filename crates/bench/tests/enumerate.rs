//! Tests the command `enumerate` with the program in the same folder.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Returns the path of the program if it is built. Cargo builds it for the tests of the workspace, but not
/// for those of this package alone.
fn program() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_BIN_EXE_countersign-bench"));
    let name = format!("countersign{}", std::env::consts::EXE_SUFFIX);
    let program = beside.with_file_name(name);
    program.is_file().then_some(program)
}

#[expect(clippy::print_stderr, reason = "a skipped test prints the reason")]
fn enumerate(options: &[&str]) -> Option<Output> {
    let Some(program) = program() else {
        eprintln!("skipped: the program is not built: cargo build -p countersign-web");
        return None;
    };
    let mut bench = Command::new(env!("CARGO_BIN_EXE_countersign-bench"));
    bench.args(["enumerate", "--bin"]).arg(program).args(options);
    // Settings in the environment, for somebody's own site, must have no effect.
    bench.env("COUNTERSIGN_PASSWORD__MAX_LENGTH", "1000").env("ROCKET_PORT", "1");
    Some(bench.output().unwrap())
}

fn works(output: &Output) -> &str {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("the program: "), "{said}");
    std::str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn every_kind_is_answered_the_same_and_the_control_is_told_apart() {
    let Some(output) = enumerate(&["--tries", "5", "--seed", "7", "--json"]) else { return };
    let report: Value = serde_json::from_str(works(&output)).unwrap();
    assert_eq!((&report["tries"], &report["seed"]), (&5.into(), &7.into()));
    assert_eq!(report["argon2"]["memory_kib"], 19_456, "the default cost");
    let doors = report["doors"].as_array().unwrap();
    assert_eq!(doors.len(), 2);
    for door in doors {
        let kinds = door["kinds"].as_array().unwrap();
        assert_eq!(kinds.len(), 5);
        for kind in kinds {
            assert!(kind["median_ms"].as_f64() > Some(0.0), "{kind}");
            assert!(kind["p95_ms"].as_f64() >= kind["median_ms"].as_f64(), "{kind}");
            if kind["is_control"] == true {
                assert_eq!(kind["status"], 422, "{kind}");
                // On a busy machine, one of five tries may take as long as a hash.
                assert!(kind["against_known"]["d"].as_f64() >= Some(0.6), "{kind}");
            } else {
                assert_eq!(kind["status"], 401, "{kind}");
                assert_eq!(kind["difference"], Value::Null, "{kind}");
            }
        }
    }
    let verdict = &report["verdict"];
    assert_eq!(verdict["one_hash_each"], true, "{verdict}");
    assert_eq!(verdict["enough_tries"], false, "five tries are too few: {verdict}");
}

#[test]
fn after_the_cost_was_raised_old_and_new_users_and_nobody_are_answered_the_same() {
    let Some(output) = enumerate(&["--raised", "--tries", "3", "--seed", "7", "--json"]) else {
        return;
    };
    let report: Value = serde_json::from_str(works(&output)).unwrap();
    assert_eq!(report["raised"], true);
    for door in report["doors"].as_array().unwrap() {
        for kind in door["kinds"].as_array().unwrap().iter().filter(|k| k["is_control"] == false) {
            assert_eq!(
                (&kind["status"], &kind["difference"]),
                (&401.into(), &Value::Null),
                "{kind}"
            );
        }
    }
}

#[test]
fn the_report_for_people_has_a_table_for_each_door_and_a_verdict() {
    let Some(output) = enumerate(&["--tries", "2"]) else { return };
    let report = works(&output);
    assert_eq!(report.matches("| who | answer | median ms |").count(), 2, "{report}");
    assert_eq!(report.matches("| unknown address | 401, the same |").count(), 2, "{report}");
    assert!(report.contains("Exactly one hash each"), "{report}");
    assert!(report.lines().last().unwrap().starts_with("Verdict: "), "{report}");
}

#[test]
fn a_program_that_is_not_there_is_an_error() {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_countersign-bench"));
    let output = bench.args(["enumerate", "--bin", "no-such-program"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("error: cannot run ") && said.contains("no-such-program"), "{said}");
}
