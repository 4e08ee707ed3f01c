//! Tests of the program `countersign-migration`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

fn program(dir: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign-migration"));
    command.args(arguments).current_dir(dir.path());
    command.env_remove("COUNTERSIGN_DATABASE_URL").env_remove("DATABASE_URL");
    command
}

fn run(dir: &TempDir, arguments: &[&str]) -> Output {
    program(dir, arguments).output().unwrap()
}

fn out(output: &Output) -> &str {
    let error = str::from_utf8(&output.stderr).unwrap();
    assert!(output.status.success() && error.is_empty(), "{error}");
    str::from_utf8(&output.stdout).unwrap()
}

fn error(output: &Output) -> (Option<i32>, &str) {
    assert!(output.stdout.is_empty());
    (output.status.code(), str::from_utf8(&output.stderr).unwrap())
}

#[test]
fn it_says_one_line_for_each_migration() {
    let dir = TempDir::new().unwrap();
    assert_eq!(
        out(&run(&dir, &["up"])),
        "applied m20260301_000001_users\napplied m20260301_000002_remembered_logins\n\
         applied m20260301_000003_sessions\napplied m20261124_000004_throttle\n\
         applied m20261124_000005_audit\n\
         applied m20261128_000006_pending_logins\n\
         applied m20261128_000007_site\n"
    );
    assert_eq!(out(&run(&dir, &["up"])), "");
    assert_eq!(
        out(&run(&dir, &["down", "5", "--yes"])),
        "reverted m20261128_000007_site\n\
         reverted m20261128_000006_pending_logins\nreverted m20261124_000005_audit\n\
         reverted m20261124_000004_throttle\n\
         reverted m20260301_000003_sessions\n"
    );
    assert_eq!(
        out(&run(&dir, &["status"])),
        "applied m20260301_000001_users\napplied m20260301_000002_remembered_logins\n\
         pending m20260301_000003_sessions\npending m20261124_000004_throttle\n\
         pending m20261124_000005_audit\n\
         pending m20261128_000006_pending_logins\n\
         pending m20261128_000007_site\n"
    );
    assert_eq!(
        out(&run(&dir, &["down", "2", "--yes"])),
        "reverted m20260301_000002_remembered_logins\nreverted m20260301_000001_users\n"
    );
}

#[test]
fn the_database_is_found_on_the_command_line_then_in_the_environment() {
    let dir = TempDir::new().unwrap();
    let url = |name: &str| format!("sqlite:{name}.db?mode=rwc");
    let mut up = program(&dir, &["up", "--database-url", &url("given")]);
    up.env("COUNTERSIGN_DATABASE_URL", url("ours")).env("DATABASE_URL", url("plain"));
    out(&up.output().unwrap());
    let mut up = program(&dir, &["up"]);
    out(&up.env("DATABASE_URL", url("plain")).output().unwrap());
    out(&up.env("COUNTERSIGN_DATABASE_URL", url("ours")).output().unwrap());
    out(&run(&dir, &["up"]));
    for name in ["given.db", "plain.db", "ours.db", "countersign.db"] {
        assert!(dir.path().join(name).exists(), "{name}");
    }
}

#[test]
fn only_up_makes_a_database_and_for_its_owner_alone() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("countersign.db");
    for arguments in [&["status"][..], &["down", "--yes"]] {
        let output = run(&dir, arguments);
        let (code, line) = error(&output);
        assert_eq!((code, line.lines().count()), (Some(1), 1), "{line}");
        assert!(!file.exists());
    }
    out(&run(&dir, &["up"]));
    #[cfg(unix)]
    assert_eq!(mode_of(&file), 0o600);
}

#[cfg(unix)]
fn mode_of(file: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn a_failure_is_one_line_without_the_url_and_exits_with_1() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("text.db"), "no database ".repeat(100)).unwrap();
    for (url, says) in [
        ("oracle://ada:secret@localhost/x", "the database URL: it must begin with sqlite:"),
        ("postgres://ada:secret@127.0.0.1:1/x", "the database URL: "),
        ("mysql://ada:secret@127.0.0.1:1/x", "the database URL: "),
        ("sqlite:nowhere/x.db?mode=rwc", "sqlite:nowhere/x.db: No such file"),
        ("sqlite:text.db", "sqlite:text.db: "),
        ("sqlite:x.db?mode=secret", "unknown value"),
    ] {
        let output = run(&dir, &["up", "--database-url", url]);
        let (code, line) = error(&output);
        assert_eq!((code, line.lines().count()), (Some(1), 1), "{line}");
        assert!(line.contains(says) && !line.contains("ada:secret"), "{line}");
    }
}

#[test]
fn down_wants_a_yes_and_never_more_than_there_is() {
    let dir = TempDir::new().unwrap();
    let applied = out(&run(&dir, &["up"])).lines().count();
    let (code, line) = {
        let output = program(&dir, &["down", "1"]).stdin(Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!((code, line.lines().count()), (Some(2), 1), "{line}");
    assert!(line.contains("add --yes"), "{line}");
    let output = run(&dir, &["down", "99", "--yes"]);
    let (code, line) = error(&output);
    assert_eq!((code, line.lines().count()), (Some(1), 1), "{line}");
    assert!(line.contains(&format!("only {applied} are applied")), "{line}");
    let status = run(&dir, &["status"]);
    assert!(out(&status).lines().all(|line| line.starts_with("applied ")));
}

#[test]
fn wrong_usage_exits_with_2() {
    let dir = TempDir::new().unwrap();
    for arguments in [&[][..], &["sideways"], &["down", "0", "--yes"], &["down", "x"], &["up", "1"]]
    {
        assert_eq!(error(&run(&dir, arguments)).0, Some(2), "{arguments:?}");
    }
}
