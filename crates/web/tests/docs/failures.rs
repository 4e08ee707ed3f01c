//! Checks docs/failures.md: each failure has a test that provokes it, and each such test has a row.

use crate::asvs::{has_test, tests};
use crate::{names_in, read};

const PAGE: &str = "docs/failures.md";
const TESTS: &str = "crates/web/tests/program/failures";

#[test]
fn every_failure_has_a_test_that_is_there() {
    let tests = tests(&read(PAGE));
    let page = read(PAGE);
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.contains("| the test |"));
    for row in rows {
        assert!(tests.iter().any(|(name, _)| row.contains(name.as_str())), "no test: {row}");
    }
    for (name, path) in tests {
        assert!(has_test(&read(&path), &path, &name), "{path} has no test {name}");
    }
}

#[test]
fn every_test_of_a_server_that_fails_or_a_file_has_its_row() {
    let named = tests(&read(PAGE));
    let is_named = |name: &str| named.iter().any(|(other, _)| other == name);
    for file in names_in(TESTS) {
        let text = read(&format!("{TESTS}/{file}"));
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let is_test = |line: &str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        for pair in lines.windows(2) {
            let [attribute, function] = pair else { continue };
            let name = function.split_once("fn ").and_then(|(_, rest)| rest.split('(').next());
            let is_missing = is_test(attribute) && !name.is_some_and(is_named);
            assert!(!is_missing, "{PAGE} has no row for {function}");
        }
    }
}
