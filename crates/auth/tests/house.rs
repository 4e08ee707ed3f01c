//! Tests of the dependencies of the layers, as cargo reports them, and of the example without a framework.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::process::{Command, Stdio};

fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).arg("--offline");
    cargo
}

/// Returns the names of all crates that `package` is built from.
fn below(package: &str, options: &[&str]) -> Vec<String> {
    let tree = cargo()
        .args(["tree", "--package", package, "--prefix", "none", "--format", "{p}"])
        .args(options)
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let names = String::from_utf8(tree.stdout).unwrap();
    let names = names.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned);
    names.collect()
}

fn assert_none_of(unwanted: &[&str], names: &[String], package: &str) {
    assert!(names.iter().any(|name| name == package), "{package} is part of its tree");
    let found: Vec<_> = names.iter().filter(|name| unwanted.contains(&name.as_str())).collect();
    assert!(found.is_empty(), "below {package} stand {found:?}");
}

#[test]
fn the_rules_need_no_runtime_no_database_and_no_network() {
    let unwanted = ["tokio", "sea-orm", "sqlx-core", "rocket", "hyper", "http", "argon2", "tera"];
    let names = below("countersign-domain", &["--edges", "normal", "--all-features"]);
    assert_none_of(&unwanted, &names, "countersign-domain");
}

#[test]
fn a_program_that_registers_and_logs_in_needs_no_framework_and_no_template_engine() {
    let unwanted = ["rocket", "rocket_dyn_templates", "tera", "hyper", "http"];
    let names = below("countersign-auth", &["--edges", "normal,dev"]);
    assert!(names.iter().any(|name| name == "countersign-persistence"), "the example needs it");
    assert_none_of(&unwanted, &names, "countersign-auth");
}

#[test]
fn an_application_compiles_nothing_that_only_the_program_needs() {
    // tracing-subscriber is not in the list, since sea-orm-migration depends on it.
    let unwanted = ["clap", "clap_complete", "rpassword", "humantime", "h2", "tokio-rustls"];
    let options = ["--edges", "normal", "--no-default-features"];
    let names = below("countersign-web", &options);
    assert_none_of(&unwanted, &names, "countersign-web");
}

#[test]
fn the_example_registers_and_logs_in() {
    let folder = tempfile::TempDir::new().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("example.db").display());
    let run = |password: &str| {
        let mut example = cargo()
            .args(["run", "--quiet", "--package", "countersign-auth", "--example", "cli", "--"])
            .args([&url, "ada@example.org"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(example.stdin.take().unwrap(), "{password}").unwrap();
        let done = example.wait_with_output().unwrap();
        (done.status.success(), String::from_utf8(done.stdout).unwrap())
    };
    let (done, said) = run("tidal lantern orbit mauve");
    assert!(done && said.contains("registered ada@example.org"), "{said}");
    assert!(said.contains("logged in as") && said.contains("logged out"), "{said}");
    let (done, said) = run("not the password at all");
    assert!(!done && said.contains("already registered"), "{said}");
}
