//! Tests of the command line itself.

use crate::support::{EMAIL, Place};

const VERBS: &[&[&str]] = &[
    &[],
    &["serve"],
    &["migrate"],
    &["migrate", "up"],
    &["migrate", "down"],
    &["migrate", "status"],
    &["user"],
    &["user", "create"],
    &["user", "list"],
    &["user", "show"],
    &["user", "set-password"],
    &["user", "set-email"],
    &["user", "set-username"],
    &["user", "disable"],
    &["user", "enable"],
    &["user", "delete"],
    &["session"],
    &["session", "list"],
    &["session", "revoke"],
    &["export"],
    &["config"],
    &["config", "check"],
    &["config", "show"],
    &["hash"],
    &["hash", "calibrate"],
    &["completions"],
];

#[test]
fn the_help_of_every_verb_has_an_example() {
    let place = Place::new();
    for verb in VERBS {
        let done = place.run(&[verb, &["--help"][..]].concat());
        let help = done.works();
        assert!(help.contains("Example: "), "{verb:?}: {help}");
        assert!(help.contains("Usage: countersign"), "{verb:?}: {help}");
        if !verb.is_empty() {
            assert!(help.contains("--config") && help.contains("--database-url"), "{verb:?}");
        }
    }
    assert!(!place.path("countersign.db").exists(), "help makes no database");
}

#[test]
fn examples_in_the_help_are_valid_command_lines() {
    let place = Place::new();
    for verb in VERBS {
        let help = place.run(&[verb, &["--help"][..]].concat());
        let example = help.works().split("Example: ").nth(1).unwrap().lines().next().unwrap();
        let command = example.split("countersign ").nth(1).unwrap().split('>').next().unwrap();
        let mut args: Vec<_> = command.split_whitespace().collect();
        args.push("--help");
        place.run(&args).works();
    }
}

#[test]
fn wrong_usage_is_a_2() {
    let place = Place::new();
    for args in [
        &["nonsense"][..],
        &["serve", "--nonsense"],
        &["serve", "more"],
        &["user"],
        &["user", "create"],
        &["user", "show"],
        &["user", "show", EMAIL, "--email", EMAIL],
        &["migrate"],
        &["migrate", "down", "some"],
        &["migrate", "down", "-1"],
        &["migrate", "down", "0"],
        &["session", "revoke", "--user", EMAIL],
        &["session", "revoke", "--all"],
        &["config"],
        &["hash", "calibrate", "--target", "soon"],
        &["completions"],
        &["completions", "cobol"],
        &["--config"],
    ] {
        let done = place.run(args);
        assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{args:?}: {done:?}");
        assert!(!done.stderr.is_empty() && !done.stderr.contains("panicked"), "{done:?}");
    }
}

#[test]
fn it_tells_its_version() {
    let version = format!("countersign {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(Place::new().run(&["--version"]).works(), version);
}

#[test]
fn shells_get_their_completions() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = place.run(&["completions", shell]);
        assert!(done.works().contains("set-password"), "{shell}");
    }
}

#[cfg(unix)]
#[test]
fn completions_for_bash_are_a_script_that_bash_reads() {
    let place = Place::new();
    place.write("complete.bash", place.run(&["completions", "bash"]).works());
    let mut bash = std::process::Command::new("bash");
    // Without bash on the machine, there is nothing to check.
    if let Ok(status) = bash.arg("-n").arg(place.path("complete.bash")).status() {
        assert!(status.success());
    }
}

#[test]
fn the_schema_goes_up_and_down() {
    let place = Place::new();
    assert!(place.run(&["migrate", "status"]).fails().contains("countersign.db"));
    assert!(!place.path("countersign.db").exists());
    place.write("countersign.db", "");
    let status = |json: bool| {
        let args = if json { &["migrate", "status", "--json"][..] } else { &["migrate", "status"] };
        place.run(args)
    };
    let states = || {
        let rows = status(true).json();
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let count = states().len();
    assert!(count > 0 && states().iter().all(|state| state == "pending"));
    let up = place.run(&["migrate", "up"]);
    assert_eq!(up.works().lines().filter(|line| line.starts_with("applied ")).count(), count);
    assert!(states().iter().all(|state| state == "applied"));
    assert_eq!(status(false).works().lines().count(), count);
    // A second run changes nothing.
    assert!(!place.run(&["migrate", "up"]).works().contains("applied "));
    let down = place.run(&["migrate", "down", "--yes"]);
    assert_eq!(down.works().lines().filter(|line| line.starts_with("reverted ")).count(), 1);
    assert_eq!(states().iter().filter(|state| *state == "pending").count(), 1);
    // One of them is reverted already.
    let too_many = place.run(&["migrate", "down", &count.to_string(), "--yes"]);
    assert!(too_many.fails().contains("nothing was reverted"), "{too_many:?}");
    assert_eq!(states().iter().filter(|state| *state == "pending").count(), 1);
    place.run(&["migrate", "down", &(count - 1).to_string(), "--yes"]).works();
    assert!(states().iter().all(|state| state == "pending"));
    assert!(place.run(&["migrate", "down", "--yes"]).fails().contains("only 0 are applied"));
    place.run(&["migrate", "up"]).works();
    assert!(states().iter().all(|state| state == "applied"));
}

#[test]
fn hashing_is_measured() {
    let place = Place::new();
    let done = place.run(&["hash", "calibrate", "--target", "1ms"]);
    assert!(done.works().contains("memory_kib"), "{done:?}");
    assert!(done.stdout.contains("19456") && done.stdout.contains("keep the defaults"), "{done:?}");
    assert!(!place.path("countersign.db").exists());
    // The proposed configuration is accepted.
    let done = place.run(&["hash", "calibrate", "--target", "150ms"]);
    if let Some((said, proposed)) = done.works().split_once("[default.countersign.argon2]") {
        for promised in ["logins a second", "MiB of memory", "workers"] {
            assert!(said.contains(promised), "{done:?}");
        }
        place.write("proposed.toml", format!("[default.countersign.argon2]{proposed}"));
        place.run(&["--config", "proposed.toml", "config", "check"]).works();
        let shown = place.run(&["--config", "proposed.toml", "config", "show", "--json"]).json();
        let workers = shown.pointer("/countersign/argon2/workers").unwrap().as_u64().unwrap();
        let cores = std::thread::available_parallelism().unwrap().get() as u64;
        assert!((1..=cores).contains(&workers), "{done:?}");
    }
}
