//! Runs the commands in the documentation.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::{parse, read, texts};

const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign");

/// The texts that a reader follows in an empty folder. All others are about a site that is there.
const BEGIN_WITH_NOTHING: [&str; 3] = ["README.md", "docs/guide.md", "docs/reference/commands.md"];

/// Returns a command that runs in `folder` and finds the program, without the environment of this process.
fn shell(folder: &Path, line: &str) -> Command {
    let programs = Path::new(PROGRAM).parent().unwrap().display();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", line]).current_dir(folder).env_clear().stdin(Stdio::null());
    command.env("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin"));
    command
}

fn run(folder: &Path, line: &str) -> Output {
    shell(folder, line).output().unwrap()
}

/// Runs `line` in an empty directory, and returns its output.
pub(crate) fn ask(line: &str) -> String {
    let folder = TempDir::new().unwrap();
    let output = run(folder.path(), line);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the command after `$ `, changed so that a shell can run it here.
fn command(line: &str) -> Option<String> {
    let line = line.strip_prefix("$ ")?;
    let line = match line.strip_prefix("cargo run") {
        Some(rest) => format!("countersign{}", rest.strip_prefix(" --").unwrap_or(rest)),
        None => line.to_owned(),
    };
    for part in line.split(" | ") {
        let program = part.split(' ').find(|word| !word.contains('='));
        let is_known = matches!(program, Some("countersign" | "echo"));
        assert!(is_known, "{line:?} is not our program: put it into an sh block");
    }
    Some(line)
}

/// Starts a command that serves, waits until it is ready, and stops it.
fn serve(folder: &Path, line: &str) {
    let mut child = shell(folder, &format!("exec {line}"))
        .envs([("ROCKET_PORT", "0"), ("ROCKET_LOG_LEVEL", "off")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines().next();
    child.kill().unwrap();
    child.wait().unwrap();
    let said = said.unwrap_or_else(|| panic!("{line} said nothing")).unwrap();
    assert!(said.starts_with("Countersign is ready at http://127.0.0.1:"), "{line}: {said}");
}

#[test]
fn every_command_does_what_the_text_has_it_do() {
    let mut ran = 0;
    for path in texts() {
        let folder = TempDir::new().unwrap();
        if !BEGIN_WITH_NOTHING.contains(&path.as_str()) {
            assert!(run(folder.path(), "countersign migrate up").status.success());
        }
        for block in parse(&read(&path)).0 {
            for line in block.lines.iter().filter_map(|line| command_of(&block.info, line)) {
                ran += 1;
                let line = match block.info.as_str() {
                    "console,serve" => {
                        serve(folder.path(), &line);
                        continue;
                    }
                    "console,no_run" => format!("{line} --help"),
                    _ => line,
                };
                let output = run(folder.path(), &line);
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{path}: {line}: {said}");
            }
        }
    }
    assert!(ran > 0);
}

#[cfg(unix)]
#[test]
fn the_backups_of_the_guide_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    assert!(run(folder.path(), "countersign migrate up").status.success());
    let (path, mut made) = (folder.path().join("backup.db"), 0);
    let blocks = parse(&read("docs/guide.md")).0;
    for line in blocks.iter().flat_map(|block| &block.lines) {
        if !line.contains("sqlite3 ") {
            continue;
        }
        // Where there is no such program, there is nothing to check but the text.
        assert!(line.starts_with("(umask 077; "), "{line}");
        if run(folder.path(), &format!("umask 022; {line}")).status.success() {
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{line}");
            std::fs::remove_file(&path).unwrap();
        }
        made += 1;
    }
    assert_eq!(made, 2);
}

fn command_of(info: &str, line: &str) -> Option<String> {
    match info {
        "console" | "console,serve" | "console,no_run" => command(line),
        other => {
            assert!(!other.starts_with("console"), "{other} is not a kind of console");
            None
        }
    }
}
