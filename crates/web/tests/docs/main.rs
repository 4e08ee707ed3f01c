//! Checks README.md, CONTRIBUTING.md, SECURITY.md, CHANGELOG.md and the book in docs/.
//!
//! The rules for these texts are:
//!
//! - Every code block names its language (` ```toml `), or `text`.
//! - A ` ```console ` block contains commands after `$ `. Each runs in a shell and must exit with 0:
//!   `countersign …` or `cargo run -- …`, with assignments before it or `echo … |` to feed it.
//!   The commands of one file run in order, in one empty directory, on one database.
//! - A ` ```console,serve ` block contains commands that serve. The test starts each, waits until it is
//!   ready, and stops it.
//! - A ` ```console,no_run ` block contains commands that ask a person or take long. Each runs with `--help`
//!   at its end, which checks that its subcommands and options exist.
//! - Commands for other programs go into ` ```sh ` blocks, which are not run.
//! - ` ```rust ` blocks are compiled and run as doc tests of the library. Therefore `src/lib.rs` includes
//!   each file that has one.
//! - A relative link leads to a file, or to a heading in one.
//! - Each chapter is listed in docs/SUMMARY.md.
//! - docs/reference/configuration.md has a row for each key, with its default as `config show` prints it.
//! - docs/reference/commands.md lists each command, and docs/reference/http.md each header.
//! - docs/architecture.md names each directory of `crates/`. Its picture and its list contain the same arrows
//!   as the `[dependencies]` in the manifests.
//! - docs/asvs.md has every row of the standard, and links to tests that exist (`asvs.rs`).
//! - docs/withstand.md has a command for each promise, links to tests that exist, has the defaults that
//!   `config show` prints, and draws the transitions of its table (`withstand.rs`).
//! - docs/failures.md links to a test for each failure, and to all such tests (`failures.rs`).
#![cfg(all(unix, feature = "cli"))]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here fails a test")]

mod asvs;
mod commands;
mod failures;
mod withstand;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use countersign_web::{Auth, AuthPages, Database};
use rocket::figment::Figment;
use rocket::figment::providers::{Format, Toml};
use rocket::figment::value::Value as TomlValue;
use rocket::local::asynchronous::Client;
use serde_json::Value;

use crate::commands::ask;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the path of every text from the root.
fn texts() -> Vec<String> {
    let mut texts =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(str::to_owned).to_vec();
    texts.extend(chapters("docs"));
    texts
}

fn chapters(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in names_in(folder) {
        let path = format!("{folder}/{name}");
        if root().join(&path).is_dir() {
            found.extend(chapters(&path));
        } else if path.ends_with(".md") {
            found.push(path);
        }
    }
    found
}

fn names_in(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A code block: the words after its fence, and its lines.
struct Block {
    info: String,
    lines: Vec<String>,
}

/// Returns the code blocks of a text, and its lines outside of them.
fn parse(text: &str) -> (Vec<Block>, Vec<String>) {
    let (mut blocks, mut prose) = (Vec::new(), Vec::new());
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(info), None) => {
                open = Some(Block { info: info.trim().to_owned(), lines: Vec::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.lines.push(line.to_owned()),
            (None, None) => prose.push(line.to_owned()),
        }
    }
    assert!(open.is_none(), "a code block does not end");
    (blocks, prose)
}

/// Returns the rows of the tables below `heading`, without the header rows.
fn rows(path: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, prose) = parse(&read(path));
    let below = prose.iter().skip_while(|line| *line != heading).skip(1);
    let section = below.take_while(|line| !line.starts_with("## "));
    let rows = section.filter(|line| line.starts_with("| `"));
    let cells = |row: &String| row.trim_matches('|').split(" | ").map(clean).collect();
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "{path} has no table below {heading:?}");
    rows
}

fn clean(cell: &str) -> String {
    cell.trim_matches([' ', '|']).to_owned()
}

/// Returns `text` if the cell is `` `text` `` and nothing else.
fn code(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`').filter(|inner| !inner.contains('`'))
}

/// Returns the anchor of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let headings = parse(text).1;
    let headings = headings.iter().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let anchor = anchor(line.trim_start_matches('#'));
            let count = seen.entry(anchor.clone()).or_default();
            *count += 1;
            if *count == 1 { anchor } else { format!("{anchor}-{}", *count - 1) }
        })
        .collect()
}

/// Returns the relative targets of the links and images of a text.
fn links(text: &str) -> Vec<String> {
    let prose = parse(text).1.join("\n");
    // Text between backticks contains no links.
    let prose: String = prose.split('`').step_by(2).collect::<Vec<_>>().join("");
    let after = |mark: &str, end: char| {
        let parts = prose.split(mark).skip(1);
        parts.filter_map(|part| part.split_once(end)).map(|(to, _)| to.to_owned()).collect()
    };
    let mut found: Vec<String> = after("](", ')');
    found.extend::<Vec<String>>(after("src=\"", '"'));
    found.extend::<Vec<String>>(after("srcset=\"", '"'));
    let definitions = prose.lines().filter(|line| line.starts_with('['));
    found.extend(definitions.filter_map(|line| line.split_once("]: ")).map(|(_, to)| to.into()));
    found.retain(|to| !to.contains("://") && !to.starts_with("mailto:"));
    found
}

#[test]
fn every_link_and_image_leads_somewhere() {
    let mut dead = Vec::new();
    for path in texts() {
        let text = read(&path);
        for link in links(&text) {
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let folder = root().join(&path).parent().unwrap().to_owned();
            let target = if file.is_empty() { root().join(&path) } else { folder.join(file) };
            let leads = match heading {
                "" => target.exists(),
                heading => std::fs::read_to_string(&target)
                    .is_ok_and(|text| anchors(&text).contains(heading)),
            };
            if !leads {
                dead.push(format!("{path}: {link}"));
            }
        }
    }
    assert!(dead.is_empty(), "dead links: {dead:#?}");
}

#[test]
fn the_summary_names_every_chapter_once() {
    let mut named: Vec<String> =
        links(&read("docs/SUMMARY.md")).iter().map(|link| format!("docs/{link}")).collect();
    named.sort();
    let mut there = chapters("docs");
    there.retain(|path| path != "docs/SUMMARY.md");
    there.sort();
    assert_eq!(named, there);
}

#[test]
fn every_code_block_says_what_is_in_it_and_every_rust_block_is_compiled() {
    let library = read("crates/web/src/lib.rs");
    for path in texts() {
        let (blocks, _) = parse(&read(&path));
        for block in &blocks {
            assert!(!block.info.is_empty(), "{path}: {:?} has no language", block.lines.first());
        }
        let has_rust = blocks.iter().any(|block| block.info.split(',').next() == Some("rust"));
        let line = format!("include_str!(\"../../../{path}\")");
        let should = if has_rust { "should" } else { "need not" };
        assert_eq!(library.contains(&line), has_rust, "src/lib.rs {should} have {line}");
    }
}

/// All dependencies between two packages of this repository, as arrows from one to the other.
type Arrows = BTreeSet<(String, String)>;

fn arrows<'a>(lines: impl Iterator<Item = &'a str>, arrow: &str) -> Arrows {
    let ends = lines.filter_map(|line| line.split_once(arrow));
    let end = |text: &str| text.trim().to_owned();
    ends.map(|(from, to)| (end(from), end(to))).collect()
}

/// Returns the directories of the packages, each with the short name of its package.
fn packages() -> BTreeMap<String, String> {
    let crates = names_in("crates").into_iter().map(|name| format!("crates/{name}"));
    let folders = crates.chain(["migration".to_owned()]);
    let folders = folders.filter(|folder| root().join(folder).join("Cargo.toml").is_file());
    folders.map(|folder| (folder.rsplit('/').next().unwrap().to_owned(), folder)).collect()
}

#[test]
fn the_architecture_draws_the_arrows_of_the_manifests() {
    let mut real = Arrows::new();
    for (name, folder) in packages() {
        let manifest = Figment::from(Toml::file_exact(root().join(folder).join("Cargo.toml")));
        let package: String = manifest.extract_inner("package.name").unwrap();
        assert_eq!(package, format!("countersign-{name}"));
        let all = manifest.extract_inner::<BTreeMap<String, TomlValue>>("dependencies").unwrap();
        let ours = all.keys().filter_map(|key| key.strip_prefix("countersign-"));
        real.extend(ours.map(|to| (name.clone(), to.to_owned())));
    }

    let (blocks, prose) = parse(&read("docs/architecture.md"));
    let picture = blocks.iter().find(|block| block.info == "mermaid").unwrap();
    let drawn = arrows(picture.lines.iter().map(String::as_str), "-->");
    let list = prose.iter().filter_map(|line| line.strip_prefix("- ")).filter_map(code);
    assert_eq!(drawn, real, "the picture");
    assert_eq!(arrows(list, "→"), real, "the list");
}

#[test]
fn the_architecture_names_every_directory() {
    let text = read("docs/architecture.md");
    for (name, folder) in packages() {
        assert!(text.contains(&format!("| `{folder}/` |")), "{folder}/ has no row");
        assert!(text.contains(&format!("`countersign-{name}`")), "countersign-{name} has no row");
    }
    for name in names_in("crates") {
        assert!(text.contains(&format!("`crates/{name}/`")), "crates/{name}/ is not named");
    }
}

/// Returns every value below `value`. The levels of the keys are joined with dots.
fn flat(prefix: &str, value: &Value) -> BTreeMap<String, Option<String>> {
    let shown = match value {
        Value::Object(members) => {
            let dot = if prefix.is_empty() { "" } else { "." };
            let members = members.iter();
            return members.flat_map(|(key, v)| flat(&format!("{prefix}{dot}{key}"), v)).collect();
        }
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    BTreeMap::from([(prefix.to_owned(), shown)])
}

/// Returns the keys that a table lists, each with its default as `config show` prints it.
fn documented(heading: &str, shown: &Value) -> BTreeMap<String, Option<String>> {
    let cores = available_parallelism().unwrap().get();
    let workers = shown.pointer("/argon2/workers").and_then(Value::as_u64).unwrap_or_default();
    let rows = rows("docs/reference/configuration.md", heading);
    let rows = rows.iter().map(|row| {
        let [key, default, ..] = row.as_slice() else { panic!("{row:?} has no default") };
        let default = match (code(default), default.as_str()) {
            (Some(value), _) => Some(value.to_owned()),
            (None, "none") => None,
            (None, "one for each core") => Some(cores.to_string()),
            (None, "64 for each worker") => Some((64 * workers).to_string()),
            (None, other) => panic!("{key}: these tests do not know the default {other}"),
        };
        (code(key).unwrap().to_owned(), default)
    });
    rows.collect()
}

#[test]
fn the_reference_lists_every_key_with_its_default_and_no_other() {
    for profile in ["debug", "release"] {
        let show = format!("ROCKET_PROFILE={profile} countersign config show --json");
        compare_with_the_reference(&serde_json::from_str(&ask(&show)).unwrap());
    }
}

fn compare_with_the_reference(shown: &Value) {
    let (ours, rockets) = (&shown["countersign"], &shown["rocket"]);

    let mut listed = documented("## Countersign's keys", ours);
    // A key for a file with a secret is read, but not shown.
    let files: Vec<_> = listed.keys().filter(|key| key.ends_with("_url_file")).cloned().collect();
    for key in files {
        assert_eq!(listed.remove(&key), Some(None), "{key}");
        assert!(listed.contains_key(key.trim_end_matches("_file")), "{key}");
        let variable = key.to_uppercase().replace('.', "__");
        let line = format!("COUNTERSIGN_{variable}=secret countersign config check");
        ask(&format!("echo sqlite://site.db > secret; {line}"));
    }
    assert_eq!(listed, flat("", ours));

    let mut rockets = flat("", rockets);
    // The profile can be set only in the environment.
    rockets.remove("profile");
    assert_eq!(documented("## Rocket's keys", &shown["rocket"]), rockets);
}

/// Returns the subcommands that the help of a command lists.
fn verbs(command: &str) -> Vec<String> {
    let help = ask(&format!("countersign {command} --help"));
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let verbs = lines.filter_map(|line| line.split_whitespace().next().map(str::to_owned));
    verbs.filter(|verb| verb != "help").collect()
}

#[test]
fn the_reference_has_every_command() {
    let text = read("docs/reference/commands.md");
    for group in verbs("") {
        assert!(text.contains(&format!("\n## {group}\n")), "{group}");
        for verb in verbs(&group) {
            assert!(text.contains(&format!("`{group} {verb}")), "{group} {verb}");
        }
    }
}

#[rocket::async_test]
async fn the_reference_has_every_header() {
    let auth = Auth::new(Database::connect("sqlite::memory:").await.unwrap());
    let pages = AuthPages::at("/", auth).public_url("https://site.example".parse().unwrap());
    let quiet = rocket::Config { log_level: rocket::config::LogLevel::Off, ..Default::default() };
    let client = Client::tracked(rocket::custom(quiet).attach(pages)).await.unwrap();
    let response = client.get("/login").dispatch().await;

    let mut real: BTreeMap<String, String> = response
        .headers()
        .iter()
        .map(|header| (header.name().to_string().to_lowercase(), header.value().to_owned()))
        .collect();
    for of_every_server in ["content-type", "server", "content-length"] {
        real.remove(of_every_server);
    }
    for row in rows("docs/reference/http.md", "## Headers") {
        let [name, value, ..] = row.as_slice() else { panic!("{row:?} has no value") };
        let name = code(name).unwrap().to_lowercase();
        let sent = real.remove(&name).unwrap_or_else(|| panic!("{name} is not sent"));
        // A value is described in words, or given as code. An ellipsis stands for what varies.
        if let Some(value) = value.split('`').nth(1) {
            let (start, end) = value.split_once('…').unwrap_or((value, ""));
            assert!(sent.starts_with(start) && sent.ends_with(end), "{name}: {sent}");
        }
    }
    assert_eq!(real, BTreeMap::new(), "these headers are not in the reference");
}
