//! Tests every key of the configuration, from a file and from the environment.

use serde_json::{Value, json};

use crate::support::{Env, Place};

impl Place {
    #[track_caller]
    fn shown(&self, env: &Env<'_>, args: &[&str]) -> Value {
        self.run_with(env, &[args, &["config", "show", "--json"]].concat(), "").json()
    }
}

/// Returns the value at a key such as `session.idle_timeout`.
fn at<'v>(shown: &'v Value, key: &str) -> &'v Value {
    key.split('.').fold(shown, |value, part| &value[part])
}

#[test]
fn the_defaults_are_those_of_the_book() {
    let shown = Place::new().shown(&[], &[]);
    for (key, value) in [
        ("countersign.database_url", json!("sqlite://countersign.db?mode=rwc")),
        ("countersign.public_url", json!("http://127.0.0.1:8000")),
        ("countersign.trusted_proxies", json!([])),
        ("countersign.login_redirect", json!("/blogs")),
        ("countersign.logout_redirect", json!("/login")),
        ("countersign.registration", json!("open")),
        ("countersign.session.idle_timeout", json!("30m")),
        ("countersign.session.absolute_timeout", json!("12h")),
        ("countersign.session.fresh_for", json!("10m")),
        ("countersign.session.max_per_user", json!(20)),
        ("countersign.password.min_length", json!(15)),
        ("countersign.password.max_length", json!(128)),
        ("countersign.argon2.memory_kib", json!(19456)),
        ("countersign.argon2.iterations", json!(2)),
        ("countersign.argon2.parallelism", json!(1)),
        ("countersign.argon2.max_wait", json!("2s")),
        ("rocket.address", json!("127.0.0.1")),
        ("rocket.port", json!(8000)),
        ("rocket.log_level", json!("normal")),
    ] {
        assert_eq!(at(&shown, key), &value, "{key}");
    }
    let workers = at(&shown, "countersign.argon2.workers").as_u64().unwrap();
    assert_eq!(at(&shown, "countersign.argon2.queue"), &json!(64 * workers));
}

/// A key, a value in a file and how it is shown, a value in the environment and how it is shown.
type Row = (&'static str, &'static str, Value, &'static str, Value);

fn rows() -> Vec<Row> {
    vec![
        (
            "database_url",
            "\"sqlite:a.db\"",
            json!("sqlite:a.db"),
            "sqlite:b.db",
            json!("sqlite:b.db"),
        ),
        (
            "public_url",
            "\"https://a.example\"",
            json!("https://a.example"),
            "https://b.example:444",
            json!("https://b.example:444"),
        ),
        (
            "trusted_proxies",
            "[\"10.0.0.0/8\", \"::1\"]",
            json!(["10.0.0.0/8", "::1/128"]),
            "192.168.0.0/16, 127.0.0.1",
            json!(["192.168.0.0/16", "127.0.0.1/32"]),
        ),
        ("login_redirect", "\"/a\"", json!("/a"), "/b", json!("/b")),
        ("logout_redirect", "\"/a\"", json!("/a"), "/b", json!("/b")),
        ("registration", "\"closed\"", json!("closed"), "open", json!("open")),
        ("session.idle_timeout", "\"45m\"", json!("45m"), "1h", json!("1h")),
        ("session.idle_timeout", "60", json!("1m"), "90", json!("90s")),
        ("session.absolute_timeout", "\"1d\"", json!("1d"), "2h", json!("2h")),
        ("session.fresh_for", "\"1m\"", json!("1m"), "5m", json!("5m")),
        ("session.max_per_user", "3", json!(3), "4", json!(4)),
        ("password.min_length", "16", json!(16), "8", json!(8)),
        ("password.max_length", "200", json!(200), "64", json!(64)),
        ("argon2.memory_kib", "32768", json!(32768), "65536", json!(65536)),
        ("argon2.iterations", "3", json!(3), "4", json!(4)),
        ("argon2.parallelism", "2", json!(2), "3", json!(3)),
        ("argon2.workers", "5", json!(5), "6", json!(6)),
        ("argon2.queue", "7", json!(7), "8", json!(8)),
        ("argon2.max_wait", "\"3s\"", json!("3s"), "4", json!("4s")),
        ("hsts.max_age", "\"1d\"", json!("1d"), "0", json!("0s")),
        ("hsts.include_subdomains", "true", json!(true), "true", json!(true)),
        ("site.index", "true", json!(true), "true", json!(true)),
        (
            "metrics_address",
            "\"127.0.0.1:9090\"",
            json!("127.0.0.1:9090"),
            "[::1]:9091",
            json!("[::1]:9091"),
        ),
    ]
}

#[test]
fn every_key_of_ours_is_taken_from_a_file_and_from_the_environment_which_wins() {
    let place = Place::new();
    for (key, in_file, from_file, in_env, from_env) in rows() {
        place.write("site.toml", format!("[default.countersign]\n{key} = {in_file}\n"));
        let full = format!("countersign.{key}");
        let file = ["--config", "site.toml"];
        assert_eq!(at(&place.shown(&[], &file), &full), &from_file, "{key} in a file");
        let variable = format!("COUNTERSIGN_{}", key.to_uppercase().replace('.', "__"));
        let env = [(variable.as_str(), in_env)];
        assert_eq!(at(&place.shown(&env, &[]), &full), &from_env, "{variable}");
        assert_eq!(at(&place.shown(&env, &file), &full), &from_env, "{variable} over a file");
    }
}

#[test]
fn rockets_keys_keep_rockets_names() {
    let place = Place::new();
    for (key, in_file, from_file, in_env, from_env) in [
        ("address", "\"0.0.0.0\"", json!("0.0.0.0"), "::1", json!("::1")),
        ("port", "9000", json!(9000), "9001", json!(9001)),
        ("workers", "3", json!(3), "4", json!(4)),
        ("log_level", "\"off\"", json!("off"), "debug", json!("debug")),
    ] {
        place.write("config/Rocket.toml", format!("[default]\n{key} = {in_file}\n"));
        let full = format!("rocket.{key}");
        assert_eq!(at(&place.shown(&[], &[]), &full), &from_file, "{key} in a file");
        let variable = format!("ROCKET_{}", key.to_uppercase());
        let shown = place.shown(&[(&variable, in_env)], &[]);
        assert_eq!(at(&shown, &full), &from_env, "{variable}");
    }
    let shown = place.shown(&[("ROCKET_ADDRESS", "::1"), ("ROCKET_PORT", "9001")], &[]);
    assert_eq!(at(&shown, "countersign.public_url"), "http://[::1]:9001");
}

#[test]
fn a_later_source_wins_over_an_earlier_one() {
    let place = Place::new();
    let key = "countersign.database_url";
    let file = |name: &str| format!("[default.countersign]\ndatabase_url = \"sqlite:{name}\"\n");
    assert_eq!(at(&place.shown(&[], &[]), key), "sqlite://countersign.db?mode=rwc");
    place.write("config/Rocket.toml", file("usual"));
    place.write("env.toml", file("env-file"));
    place.write("flag.toml", file("flag-file"));
    assert_eq!(at(&place.shown(&[], &[]), key), "sqlite:usual");
    let mut env = vec![("ROCKET_CONFIG", "env.toml")];
    assert_eq!(at(&place.shown(&env, &[]), key), "sqlite:env-file");
    let flag = ["--config", "flag.toml"];
    assert_eq!(at(&place.shown(&env, &flag), key), "sqlite:flag-file");
    env.push(("DATABASE_URL", "sqlite:plain"));
    assert_eq!(at(&place.shown(&env, &flag), key), "sqlite:plain");
    env.push(("COUNTERSIGN_DATABASE_URL", "sqlite:own"));
    assert_eq!(at(&place.shown(&env, &flag), key), "sqlite:own");
    let flags = ["--config", "flag.toml", "--database-url", "sqlite:flag"];
    assert_eq!(at(&place.shown(&env, &flags), key), "sqlite:flag");
}

#[test]
fn a_profile_is_chosen_by_name() {
    let place = Place::new();
    let text = "[default]\nport = 1\n[default.countersign]\nlogin_redirect = \"/default\"\n\
                [staging]\nport = 2\n[staging.countersign]\nlogin_redirect = \"/staging\"\n";
    place.write("config/Rocket.toml", text);
    let shown = place.shown(&[], &[]);
    assert_eq!(
        (at(&shown, "rocket.port"), at(&shown, "countersign.login_redirect")),
        (&json!(1), &json!("/default"))
    );
    let shown = place.shown(&[("ROCKET_PROFILE", "staging")], &[]);
    assert_eq!(
        (at(&shown, "rocket.port"), at(&shown, "countersign.login_redirect")),
        (&json!(2), &json!("/staging"))
    );
    assert_eq!(at(&shown, "rocket.profile"), "staging");
}

#[test]
fn a_secret_may_be_in_a_file_of_its_own() {
    let place = Place::new();
    // As some editors save it.
    place.write("secret", "\u{feff}sqlite:from-a-file.db?mode=rwc \t\r\n\n");
    let env = [("COUNTERSIGN_DATABASE_URL_FILE", "secret")];
    let shown = place.shown(&env, &[]);
    assert_eq!(at(&shown, "countersign.database_url"), "sqlite:from-a-file.db?mode=rwc");
    place.run_with(&env, &["migrate", "up"], "").works();
    assert!(place.path("from-a-file.db").is_file());
}

#[test]
fn the_file_of_stolen_passwords_is_shown_and_used() {
    let place = Place::new();
    // `printf 'copper window seven gulls' | sha1sum`
    place.write("breached.txt", "75049CC5D966B0BECED4855B93B00B2E076FB4F9:31\n");
    let env = [("COUNTERSIGN_PASSWORD__BREACH_FILE", "breached.txt")];
    assert_eq!(at(&place.shown(&env, &[]), "countersign.password.breach_file"), "breached.txt");
    place.migrate();
    let args = ["user", "create", "ada@example.org", "--password-stdin"];
    let refused = place.run_with(&env, &args, "copper window seven gulls");
    assert!(refused.fails().contains("password: Choose another password: this one was stolen"));
    place.run_with(&env, &args, "tidal lantern orbit mauve").works();
}

#[test]
fn secrets_are_not_shown() {
    let place = Place::new();
    place.write("secret", "postgres://ada:hunter2@db.example/site");
    for env in [
        [("DATABASE_URL", "postgres://ada:hunter2@db.example/site")],
        [("COUNTERSIGN_DATABASE_URL", "mysql://ada:hunter2@db.example/site?ssl-mode=REQUIRED")],
        [("COUNTERSIGN_DATABASE_URL_FILE", "secret")],
        [("ROCKET_SECRET_KEY", "hunter2hunter2hunter2hunter2hunter2hunter2hu")],
    ] {
        for args in [&["config", "show"][..], &["config", "show", "--json"]] {
            let done = place.run_with(&env, args, "");
            assert!(!done.works().contains("hunter2"), "{env:?}: {}", done.stdout);
            assert!(!done.stderr.contains("hunter2"), "{env:?}: {}", done.stderr);
        }
    }
}

#[test]
fn a_secret_in_what_is_no_url_of_a_database_is_not_shown() {
    let place = Place::new();
    for url in ["ada:hunter2@db.example", "//ada:hunter2@db.example/site", "hunter2"] {
        let done = place.run_with(&[("DATABASE_URL", url)], &["config", "show"], "");
        assert!(!done.works().contains("hunter2"), "{}", done.stdout);
    }
}

#[test]
fn a_password_among_a_database_urls_parameters_is_not_shown() {
    let place = Place::new();
    for url in [
        "postgres://db.example/site?user=ada&password=hunter2",
        "postgres://db.example/site?sslpassword=hunter2",
    ] {
        let done = place.run_with(&[("DATABASE_URL", url)], &["config", "show"], "");
        assert!(!done.works().contains("hunter2"), "{}", done.stdout);
    }
}

#[test]
fn what_is_shown_can_be_written_into_a_file() {
    let place = Place::new();
    let env = [
        ("ROCKET_PORT", "9001"),
        ("COUNTERSIGN_PUBLIC_URL", "https://site.example"),
        ("COUNTERSIGN_TRUSTED_PROXIES", "10.0.0.0/8"),
        ("COUNTERSIGN_SESSION__IDLE_TIMEOUT", "90"),
    ];
    let shown = place.shown(&env, &[]);
    let text = place.run_with(&env, &["config", "show"], "");
    place.write("shown.toml", text.works());
    assert_eq!(place.shown(&[], &["--config", "shown.toml"]), shown);
}

#[test]
fn what_kubernetes_says_of_a_service_of_our_name_is_no_key() {
    let place = Place::new();
    let env = [
        ("COUNTERSIGN_SERVICE_HOST", "10.96.0.12"),
        ("COUNTERSIGN_SERVICE_PORT", "8000"),
        ("COUNTERSIGN_SERVICE_PORT_HTTP", "8000"),
        ("COUNTERSIGN_PORT", "tcp://10.96.0.12:8000"),
        ("COUNTERSIGN_PORT_8000_TCP", "tcp://10.96.0.12:8000"),
        ("COUNTERSIGN_PORT_8000_TCP_PROTO", "tcp"),
        ("COUNTERSIGN_PORT_8000_TCP_PORT", "8000"),
        ("COUNTERSIGN_PORT_8000_TCP_ADDR", "10.96.0.12"),
        ("COUNTERSIGN_METRICS_SERVICE_HOST", "10.96.0.13"),
        ("COUNTERSIGN_METRICS_PORT", "tcp://10.96.0.13:9090"),
        ("COUNTERSIGN_REGISTRATION", "closed"),
    ];
    let shown = place.shown(&env, &[]);
    assert_eq!(at(&shown, "countersign.registration"), "closed");
    assert_eq!(at(&shown, "rocket.port"), 8000);
    place.serve(&env).browser().get("/health/ready").is(200);
    for (name, key) in [
        ("COUNTERSIGN_SERVICE", "service"),
        ("COUNTERSIGN_SERVICE_NAME", "service_name"),
        ("COUNTERSIGN_PORT", "port"),
        ("COUNTERSIGN_PORT_HTTP", "port_http"),
        ("COUNTERSIGN_METRICS_PORT", "metrics_port"),
        ("COUNTERSIGN_SESSION__PORT", "session.port"),
    ] {
        let done = place.run_with(&[(name, "17")], &["config", "check"], "");
        assert!(done.fails().starts_with(&format!("{key} = 17 is not a key")), "{done:?}");
    }
}

#[test]
fn a_login_is_logged_in_every_profile() {
    for profile in ["debug", "release", "staging"] {
        let place = Place::new();
        place.create("ada@example.org", "tidal lantern orbit mauve");
        let env = [("ROCKET_PROFILE", profile)];
        assert_eq!(at(&place.shown(&env, &[]), "rocket.log_level"), "normal", "{profile}");
        let server = place.serve(&env);
        server.member("ada@example.org", "tidal lantern orbit mauve");
        assert!(server.log().contains("user_logged_in"), "{profile}");
    }
}

#[test]
fn a_valid_configuration_is_said_to_be_valid() {
    let place = Place::new();
    assert!(place.run(&["config", "check"]).works().contains("valid"));
    assert!(!place.path("countersign.db").exists(), "a check creates nothing");
}

#[test]
fn the_configuration_that_comes_with_the_source_is_valid() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/Rocket.toml");
    Place::new().run(&["--config", file, "config", "check"]).works();
}

#[test]
fn keys_do_what_they_say() {
    let place = Place::new();
    place.create("ada@example.org", "tidal lantern orbit mauve");
    let server = place.serve(&[
        ("COUNTERSIGN_REGISTRATION", "closed"),
        ("COUNTERSIGN_LOGIN_REDIRECT", "/?welcome"),
        ("COUNTERSIGN_LOGOUT_REDIRECT", "/?bye"),
        ("COUNTERSIGN_SESSION__IDLE_TIMEOUT", "1s"),
    ]);
    let mut ada = server.browser();
    ada.get("/register").is(403);
    ada.log_in("ada@example.org", "tidal lantern orbit mauve").sees_other("/?welcome");
    ada.get("/blogs").is(200);
    std::thread::sleep(std::time::Duration::from_millis(1_300));
    ada.get("/blogs").is(303);
    ada.post("/logout", &[]).sees_other("/?bye");
    drop(server);

    let server = place.serve(&[("COUNTERSIGN_PUBLIC_URL", "https://site.example")]);
    let mut ada = server.browser();
    let login = ada.log_in("ada@example.org", "tidal lantern orbit mauve");
    let cookie = login.is(303).header("Set-Cookie").unwrap();
    assert!(cookie.starts_with("__Host-session=") && cookie.ends_with("; Secure"), "{cookie}");
    assert!(login.header("Strict-Transport-Security").is_some());
    ada.get("/").shows("noindex");
    drop(server);

    let server = place.serve(&[
        ("COUNTERSIGN_PUBLIC_URL", "https://site.example"),
        ("COUNTERSIGN_HSTS__MAX_AGE", "365d"),
        ("COUNTERSIGN_HSTS__INCLUDE_SUBDOMAINS", "true"),
        ("COUNTERSIGN_HSTS__PRELOAD", "true"),
        ("COUNTERSIGN_SITE__INDEX", "true"),
    ]);
    let home = server.browser().get("/");
    let hsts = home.is(200).header("Strict-Transport-Security");
    assert_eq!(hsts, Some("max-age=31536000; includeSubDomains; preload"));
    assert!(!home.body.contains("noindex"), "{}", home.body);
}
