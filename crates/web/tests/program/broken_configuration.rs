//! Tests that a broken configuration stops the start, with one line that says what to fix.

use crate::support::{Done, Env, Place};

/// Environments, each with what the line must contain: the key, its value, and what is allowed.
const BROKEN: &[(&Env<'_>, &[&str])] = &[
    (&[("ROCKET_NONSENSE", "x")], &["nonsense", "x", "port"]),
    (&[("COUNTERSIGN_SESSION__IDLE_TIMEOUT", "soon")], &["session.idle_timeout", "soon", "30m"]),
    (&[("COUNTERSIGN_SESSION__IDLE_TIMEOUT", "-1")], &["session.idle_timeout", "-1", "30m"]),
    (
        &[("COUNTERSIGN_SESSION__IDLE_TIMEOUT", "0s")],
        &["session.idle_timeout = \"0s\"", "\"1s\" to \"30d\", such as \"30m\"", "environment"],
    ),
    (
        &[("COUNTERSIGN_SESSION__ABSOLUTE_TIMEOUT", "31d")],
        &["session.absolute_timeout = \"31d\"", "\"1s\" to \"30d\", such as \"12h\""],
    ),
    (
        &[("COUNTERSIGN_SESSION__FRESH_FOR", "0")],
        &["session.fresh_for = 0 ", "\"30d\", such as \"10m\""],
    ),
    (
        &[("COUNTERSIGN_SESSION__MAX_STALENESS", "61m")],
        &["session.max_staleness = \"61m\"", "\"0s\" to \"1h\""],
    ),
    (
        &[("COUNTERSIGN_REMEMBER__DURATION", "744h")],
        &["remember.duration = \"744h\"", "\"30d\", such as \"14d\""],
    ),
    (&[("COUNTERSIGN_AUDIT__KEEP_FOR", "11y")], &["audit.keep_for = \"11y\"", "such as \"400d\""]),
    (
        &[("COUNTERSIGN_THROTTLE__SITE_FAILURES", "5/2d")],
        &["throttle.site_failures = \"5/2d\"", "such as \"1200/1m\""],
    ),
    (
        &[("COUNTERSIGN_THROTTLE__ACCOUNT_LONGEST", "0s")],
        &["throttle.account_longest = \"0s\"", "\"1s\" to \"1d\", such as \"15m\""],
    ),
    (
        &[("COUNTERSIGN_THROTTLE__ACCOUNT_DELAY", "20m")],
        &["throttle.account_longest = \"15m\"", "\"20m\" to \"1d\", such as \"20m\""],
    ),
    (&[("COUNTERSIGN_SESSION__MAX_PER_USER", "0")], &["session.max_per_user", "0", "1"]),
    (&[("COUNTERSIGN_SESSION__MAX_PER_USER", "many")], &["session.max_per_user", "many"]),
    (&[("COUNTERSIGN_REGISTRATION", "maybe")], &["registration", "maybe", "open", "closed"]),
    (&[("COUNTERSIGN_ARGON2__MEMORY_KIB", "19455")], &["argon2.memory_kib", "19455", "19456"]),
    (&[("COUNTERSIGN_ARGON2__ITERATIONS", "1")], &["argon2.iterations", "1", "47104"]),
    (&[("COUNTERSIGN_ARGON2__ITERATIONS", "11")], &["argon2.iterations", "11", "10"]),
    (&[("COUNTERSIGN_ARGON2__PARALLELISM", "0")], &["argon2.parallelism", "0", "1"]),
    (&[("COUNTERSIGN_ARGON2__WORKERS", "0")], &["argon2.workers", "0", "1"]),
    (&[("COUNTERSIGN_ARGON2__QUEUE", "0")], &["argon2.queue", "0", "1"]),
    (
        &[("COUNTERSIGN_ARGON2__MAX_WAIT", "2h")],
        &["argon2.max_wait = \"2h\"", "\"0s\" to \"60s\", such as \"2s\""],
    ),
    (
        &[("COUNTERSIGN_PASSWORD__MIN_LENGTH", "7")],
        &["password.min_length = 7 ", "8 to 1024, such as 15"],
    ),
    (&[("COUNTERSIGN_PASSWORD__MAX_LENGTH", "63")], &["password.max_length", "63", "64"]),
    (
        &[("COUNTERSIGN_PASSWORD__MIN_LENGTH", "200")],
        &["password.max_length = 128 ", "200 to 1024, such as 200"],
    ),
    (&[("COUNTERSIGN_PUBLIC_URL", "ftp://site.example")], &["public_url", "ftp", "https://"]),
    (&[("COUNTERSIGN_PUBLIC_URL", "https://site.example/a")], &["public_url", "/a", "https://"]),
    (&[("COUNTERSIGN_PUBLIC_URL", "https://site.example/?a")], &["public_url", "https://"]),
    (&[("COUNTERSIGN_PUBLIC_URL", "site.example")], &["public_url", "site.example"]),
    (&[("COUNTERSIGN_PUBLIC_URL", "")], &["public_url"]),
    (&[("COUNTERSIGN_LOGIN_REDIRECT", "//evil.example")], &["login_redirect", "//evil", "/blogs"]),
    (&[("COUNTERSIGN_LOGOUT_REDIRECT", "login")], &["logout_redirect", "login", "/blogs"]),
    (&[("COUNTERSIGN_TRUSTED_PROXIES", "10.0.0.0/33")], &["trusted_proxies", "10.0.0.0/33"]),
    (&[("COUNTERSIGN_HSTS__MAX_AGE", "long")], &["hsts.max_age", "long", "30m"]),
    (
        &[("COUNTERSIGN_HSTS__PRELOAD", "true")],
        &["hsts.preload = true", "hsts.include_subdomains = false", "365d"],
    ),
    (
        &[
            ("COUNTERSIGN_HSTS__PRELOAD", "true"),
            ("COUNTERSIGN_HSTS__INCLUDE_SUBDOMAINS", "true"),
            ("COUNTERSIGN_HSTS__MAX_AGE", "364d"),
        ],
        &["hsts.preload = true", "hsts.max_age = \"364d\"", "365d"],
    ),
    (&[("COUNTERSIGN_METRICS_ADDRESS", "nowhere")], &["metrics_address", "nowhere", ":9090"]),
    (&[("COUNTERSIGN_METRICS_ADDRESS", "9090")], &["metrics_address", "9090", "127.0.0.1:9090"]),
    (&[("COUNTERSIGN_METRICS_ADDRESS", "127.0.0.1")], &["metrics_address", "127.0.0.1:9090"]),
    (&[("COUNTERSIGN_METRICS_ADDRESS", "0.0.0.0:8000")], &["metrics_address", "8000", "site"]),
    (
        &[("COUNTERSIGN_DATABASE_URL", "")],
        &["database_url = \"\"", "such as \"sqlite://countersign.db?mode=rwc\""],
    ),
    (&[("DATABASE_URL", "")], &["database_url = \"\"", "sqlite://PATH"]),
    (
        &[("DATABASE_URL", "site.db")],
        &["database_url = \"site.db\"", "such as \"sqlite://site.db?mode=rwc\""],
    ),
    (
        &[("DATABASE_URL", "/var/site.db")],
        &["database_url = \"/var/site.db\"", "sqlite:///var/site.db?mode=rwc"],
    ),
    (
        &[("DATABASE_URL", "postgres://h:99999/x")],
        &["database_url = ", "port", "postgres://USER:PASSWORD@HOST"],
    ),
    (
        &[("DATABASE_URL", "mysql://ada:a#b@h/x")],
        &["database_url = ", "mysql://USER:PASSWORD@HOST"],
    ),
    (&[("DATABASE_URL", "postgres://h/x?colour=red")], &["database_url = ", "sslmode"]),
    (&[("DATABASE_URL", "sqlite://x.db?mode=memory")], &["database_url = ", "mode=rwc"]),
    (&[("DATABASE_URL", "redis://h/x")], &["database_url = \"redis://h/x\"", "postgres://"]),
    (
        &[("DATABASE_URL", "sqlite://missing/x.db?mode=rwc")],
        &["sqlite://missing/x.db", "no directory"],
    ),
    (&[("DATABASE_URL", "sqlite://folder.db")], &["sqlite://folder.db", "it is a directory"]),
    (&[("DATABASE_URL", "sqlite://secret")], &["sqlite://secret", "not an SQLite database"]),
    (&[("COUNTERSIGN_DATABASE_URL_FILE", "missing")], &["database_url_file", "missing"]),
    (&[("COUNTERSIGN_PASSWORD__BREACH_FILE", "missing")], &["password.breach_file", "missing"]),
    (
        &[("COUNTERSIGN_PASSWORD__BREACH_FILE", "secret")],
        &["password.breach_file", "secret", "HASH:COUNT", "byte 0"],
    ),
    (
        &[("COUNTERSIGN_DATABASE_URL", "sqlite://a.db"), ("COUNTERSIGN_DATABASE_URL_FILE", "b")],
        &["database_url", "database_url_file"],
    ),
    (
        &[("DATABASE_URL", "sqlite://a.db"), ("COUNTERSIGN_DATABASE_URL_FILE", "secret")],
        &["database_url", "database_url_file"],
    ),
    (&[("ROCKET_PORT", "99999")], &["port", "99999"]),
    (&[("ROCKET_PORT", "http")], &["port", "http"]),
    (&[("ROCKET_ADDRESS", "nowhere")], &["address", "nowhere"]),
    (&[("ROCKET_LOG_LEVEL", "loud")], &["log_level", "loud"]),
    (&[("ROCKET_TEMPLATE_DIR", "nowhere")], &["template_dir", "nowhere"]),
    (&[("ROCKET_CONFIG", "missing.toml")], &["missing.toml", "does not exist"]),
    (&[("ROCKET_CONFIG", "folder.db")], &["folder.db is a folder", "such as config/Rocket.toml"]),
    (&[("ROCKET_CONFIG", "")], &["does not exist"]),
];

/// Returns what is missing in the line.
pub(crate) fn missing(done: &Done, says: &[&str]) -> Vec<String> {
    let why = done.stderr.strip_prefix("error: ").unwrap_or_default().trim_end();
    let is_one_line = done.code == Some(1) && done.stdout.is_empty() && why.lines().count() == 1;
    if !is_one_line || why.contains("panicked") {
        return vec![format!("{done:?}")];
    }
    let absent = says.iter().filter(|word| !why.contains(**word));
    absent.map(|word| format!("{word:?} is not in {why:?}")).collect()
}

#[track_caller]
pub(crate) fn check(done: &Done, says: &[&str]) {
    assert_eq!(missing(done, says), [""; 0]);
}

#[test]
fn a_broken_environment_ends_the_start_with_the_key_the_value_and_what_is_allowed() {
    let place = Place::new();
    place.write("secret", "sqlite://b.db");
    place.write("folder.db/x", "");
    // The check finds what `serve` would find.
    for args in [&["serve"][..], &["config", "check"]] {
        let runs = BROKEN.iter().map(|(env, says)| missing(&place.run_with(env, args, ""), says));
        assert_eq!(runs.flatten().collect::<Vec<_>>(), [""; 0], "{args:?}");
    }
    assert!(!place.path("countersign.db").exists(), "nothing was made");
}

#[test]
fn every_verb_reads_the_configuration() {
    let place = Place::new();
    for args in [
        &["config", "check"][..],
        &["config", "show"],
        &["user", "list"],
        &["session", "list", "ada@example.org"],
        &["migrate", "up"],
    ] {
        let env = [("COUNTERSIGN_REGISTRATION", "maybe")];
        check(&place.run_with(&env, args, ""), &["registration", "maybe", "open"]);
    }
    assert!(!place.path("countersign.db").exists(), "nothing was made");
}

#[test]
fn a_key_that_is_not_ours_is_named_as_it_is_written_with_its_value() {
    let place = Place::new();
    place.write("own.toml", "[default.countersign]\nseson = 17");
    place.write("session.toml", "[default.countersign.session]\nidle = 17");
    let is_at_the_start = |env: &Env<'_>, args: &[&str], start: &str| {
        let done = place.run_with(env, args, "");
        (!done.fails().starts_with(start)).then(|| format!("{start:?} does not begin {done:?}"))
    };
    let wrong: Vec<_> = [
        (&[("COUNTERSIGN_NONSENSE", "17")][..], &["serve"][..], "nonsense = 17 is not a key"),
        (&[("COUNTERSIGN_SESSION__IDLE", "17")], &["serve"], "session.idle = 17 is not a key"),
        (&[], &["--config", "own.toml", "serve"], "seson = 17 is not a key"),
        (&[], &["--config", "session.toml", "serve"], "session.idle = 17 is not a key"),
    ]
    .into_iter()
    .filter_map(|(env, args, start)| is_at_the_start(env, args, start))
    .collect();
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn a_number_of_threads_that_cannot_be_ends_the_start_like_any_other_value() {
    let place = Place::new();
    for (variable, key) in [("ROCKET_WORKERS", "workers"), ("ROCKET_MAX_BLOCKING", "max_blocking")]
    {
        let env = [(variable, "0"), ("ROCKET_PORT", "0")];
        check(&place.run_with(&env, &["serve"], ""), &[key, "0"]);
    }
}

#[test]
fn a_broken_file_is_named_with_what_is_wrong_in_it() {
    let place = Place::new();
    let cases = [
        ("[default]\nprot = 17", &["prot = 17", "port"][..]),
        ("[default]\nport = \"http\"", &["port", "http", "site.toml"]),
        (
            "[default.countersign.session]\nidle_timeout = \"soon\"",
            &["session.idle_timeout", "soon", "30m", "site.toml"],
        ),
        ("[default.countersign]\nregistration = true", &["registration", "true", "open"]),
        ("[countersign]\nregistration = \"closed\"", &["[countersign]", "[default.countersign]"]),
        ("[default.countersign]\nargon2 = 3", &["argon2", "3"]),
        ("[default\nport = 1", &["site.toml"]),
        ("port = 1", &["port"]),
        (
            "[default.countersign]\ndatabase_url = \"sqlite://a\"\ndatabase_url_file = \"b\"",
            &["database_url", "database_url_file"],
        ),
    ];
    let runs = cases.iter().map(|(text, says)| {
        place.write("site.toml", text);
        missing(&place.run(&["--config", "site.toml", "serve"]), says)
    });
    assert_eq!(runs.flatten().collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let place = Place::new();
    check(&place.run(&["--config", "missing.toml", "serve"]), &["missing.toml"]);
    place.write("folder/x", "");
    check(&place.run(&["--config", "folder", "serve"]), &["folder is a folder", "name a file"]);
    // Nor is the usual file left out because it is none.
    place.write("config/Rocket.toml/x", "");
    check(&place.run(&["config", "check"]), &["config/Rocket.toml is a folder"]);
}

#[test]
fn a_secret_is_not_shown_where_it_is_wrong() {
    let place = Place::new();
    place.write("secret", "postgres://ada:hunter2@db.example/site\n");
    let url = "postgres://ada:hunter2@db.example/site?password=hunter3";
    for (env, args) in [
        (&[("DATABASE_URL", url)][..], &["serve"][..]),
        (&[("COUNTERSIGN_DATABASE_URL", url)], &["user", "list"]),
        (&[("COUNTERSIGN_DATABASE_URL", "[\"hunter2\", 3]")], &["serve"]),
        (&[("COUNTERSIGN_DATABASE_URL_FILE", "secret")], &["migrate", "up"]),
        (&[], &["serve", "--database-url", url]),
    ] {
        let why = place.run_with(env, args, "");
        assert!(!why.fails().contains("hunter"), "{why:?}");
    }
    for text in [
        "[default.countersign]\ndatabase_url = \"postgres://ada:hunter2@db.example/site\n",
        "[default]\ndatabase_url = \"postgres://ada:hunter2@db.example/site\"\n",
        "[default.contersign]\ndatabase_url = \"postgres://ada:hunter2@db.example/site\"\n",
        "[default.countersign.session]\ndatabase_url = \"postgres://ada:hunter2@db.example/site\"\n",
        "[default.countersign.database_url]\npassword = \"hunter2\"\n",
    ] {
        place.write("site.toml", text);
        let why = place.run(&["--config", "site.toml", "serve"]);
        assert!(!why.fails().contains("hunter"), "{why:?}");
    }
}

#[test]
fn a_key_of_a_file_is_known_beside_that_of_its_secret_and_beside_no_other() {
    let place = Place::new();
    let unknown = |name| place.run_with(&[(name, "17")], &["config", "check"], "");
    let known = "known are database_url, database_url_file, public_url, trusted_proxies,";
    check(&unknown("COUNTERSIGN_DATABASE"), &["database = 17 is not a key", known]);
    check(&unknown("COUNTERSIGN_PUBLIC_URL_FILE"), &["public_url_file = 17 is not a key"]);
    let all = "known are remember.enabled, remember.duration (in the environment)";
    check(&unknown("COUNTERSIGN_REMEMBER__DURATION_FILE"), &[all]);
}

#[test]
fn a_password_in_a_public_url_that_is_refused_is_not_shown() {
    let place = Place::new();
    let env = [("COUNTERSIGN_PUBLIC_URL", "https://ada:hunter2@site.example")];
    let done = place.run_with(&env, &["config", "check"], "");
    check(&done, &["public_url", "https://"]);
    assert!(!done.stderr.contains("hunter2"), "{done:?}");
}

#[test]
fn certificates_that_this_build_does_not_serve_with_are_refused_and_not_ignored() {
    let place = Place::new();
    place.write("site.toml", "[default.tls]\ncerts = \"chain.pem\"\nkey = \"key.pem\"");
    check(&place.run(&["--config", "site.toml", "config", "check"]), &["tls"]);
}

#[test]
fn an_escape_after_a_letter_beyond_ascii_is_refused_and_not_misread() {
    let place = Place::new();
    for (name, value) in [
        ("COUNTERSIGN_LOGIN_REDIRECT", "\"/ޖ\\\"c\""),
        ("COUNTERSIGN_TRUSTED_PROXIES", "[\"éa\\\\\"]"),
        ("ROCKET_ADDRESS", "{a = \"é\\n\"}"),
        ("DATABASE_URL", "\"sqlite:é\\t\""),
    ] {
        let done = place.run_with(&[(name, value)], &["config", "check"], "");
        let key = name.trim_start_matches("COUNTERSIGN_").trim_start_matches("ROCKET_");
        let said = done.fails();
        assert!(said.starts_with(&key.to_lowercase()) && said.contains("backslash"), "{said}");
    }
    let plain = [("COUNTERSIGN_DATABASE_URL", "sqlite:é\\")];
    place.run_with(&plain, &["config", "check"], "").works();
}
