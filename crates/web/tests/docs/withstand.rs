//! Checks docs/withstand.md: each promise has a command that shows it, and the numbers are those of the
//! program.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::asvs::{has_test, tests};
use crate::commands::ask;
use crate::{Block, code, flat, parse, read, root, rows};

const PAGE: &str = "docs/withstand.md";

/// The section that describes a mechanism and makes no promise.
const NO_PROMISE: &str = "The throttle";

/// Returns the sections by their headings.
fn sections() -> BTreeMap<String, String> {
    let page = read(PAGE);
    let sections = page.split("\n## ").skip(1);
    let parts = sections.filter_map(|section| section.split_once('\n'));
    parts.map(|(heading, text)| (heading.to_owned(), text.to_owned())).collect()
}

/// Returns the first word after `mark` in a command.
fn after<'c>(command: &'c str, mark: &str) -> Option<&'c str> {
    command.split_once(mark)?.1.split(' ').next()
}

/// Checks whether a `cargo test` command finds its tests: the package and the file exist, and the last word
/// is part of the name of a module or a test.
fn is_there(command: &str) -> bool {
    let package = after(command, "-p countersign-").unwrap_or_default();
    let folder = root().join("crates").join(package);
    let Some(target) = after(command, "--test ") else {
        let module = after(command, "--lib ").unwrap_or_default().replace("::", "/");
        let file = |end| folder.join("src").join(format!("{module}{end}")).is_file();
        return file(".rs") || file("/mod.rs");
    };
    let tests = folder.join("tests");
    if tests.join(format!("{target}.rs")).is_file() {
        return true;
    }
    let filter = after(command, &format!("--test {target} ")).unwrap_or_default();
    let modules = std::fs::read_dir(tests.join(target)).into_iter().flatten().flatten();
    modules.map(|module| module.path()).any(|path| {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let names = text.lines().filter_map(|line| line.split_once("fn ")?.1.split('(').next());
        path.file_stem().is_some_and(|stem| stem == filter)
            || names.into_iter().any(|name| name.split('_').any(|word| word == filter))
    })
}

#[test]
fn every_promise_has_its_parts_and_a_command_that_shows_it() {
    let sections = sections();
    for (heading, text) in sections.iter().filter(|(heading, _)| *heading != NO_PROMISE) {
        for part in ["**The promise.**", "**How.**", "**What it does not cover.**"] {
            assert!(text.contains(part), "{heading} has no {part}");
        }
        let blocks = parse(text).0;
        let commands: Vec<&String> = blocks
            .iter()
            .filter(|block| ["sh", "console"].contains(&block.info.as_str()))
            .flat_map(|block| &block.lines)
            .collect();
        assert!(!commands.is_empty(), "{heading} has no command");
        for command in commands {
            let is_script = command.starts_with("scripts/");
            let script = root().join(command.split(' ').next().unwrap_or_default());
            assert!(!is_script || script.is_file(), "{heading}: {command}");
            let is_test = command.starts_with("cargo test ");
            assert!(!is_test || is_there(command), "{heading}: {command}");
        }
    }
    assert!(sections.len() > 10);
}

#[test]
fn every_test_that_a_promise_links_to_is_there() {
    let tests = tests(&read(PAGE));
    assert!(tests.len() > 20);
    for (name, path) in tests {
        assert!(has_test(&read(&path), &path, &name), "{path} has no test {name}");
    }
}

#[test]
fn the_numbers_are_the_defaults() {
    let shown: Value = serde_json::from_str(&ask("countersign config show --json")).unwrap();
    let real = flat("", &shown["countersign"]);
    for (heading, prefix) in [("## The throttle", "throttle."), ("## The audit trail", "audit.")] {
        let listed = rows(PAGE, heading);
        let listed = listed.iter().filter(|row| row[0].starts_with(&format!("`{prefix}")));
        let listed: BTreeMap<&str, &str> =
            listed.map(|row| (code(&row[0]).unwrap(), code(&row[1]).unwrap())).collect();
        let all = real.iter().filter(|(key, _)| key.starts_with(prefix));
        let all = all.filter(|(key, _)| *key != "throttle.enabled");
        let all: BTreeMap<&str, &str> =
            all.map(|(key, default)| (key.as_str(), default.as_deref().unwrap())).collect();
        assert_eq!(listed, all);
    }
}

#[test]
fn the_picture_of_the_throttle_has_the_transitions_of_its_table() {
    let is_state = |cell: &str| !cell.starts_with("throttle.");
    let table = rows(PAGE, "## The throttle").into_iter().filter_map(|row| {
        let [from, to, on] = row.as_slice() else { return None };
        let (from, to) = (code(from)?, code(to)?);
        is_state(from).then(|| format!("{from} --> {to} : {on}"))
    });
    let is_picture = |block: &Block| block.info == "mermaid";
    let blocks = parse(&read(PAGE)).0;
    let picture = blocks.iter().find(|block| is_picture(block)).unwrap();
    let drawn = picture.lines.iter().map(|line| line.trim()).filter(|line| line.contains(" : "));
    let drawn: Vec<String> = drawn.map(str::to_owned).collect();
    assert_eq!(drawn, table.collect::<Vec<_>>());
}
