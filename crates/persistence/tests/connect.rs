//! What is said when there is no connection.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;

use countersign_persistence::SqlStore;
use tempfile::TempDir;

async fn refusal(url: &str) -> String {
    let error = SqlStore::connect(url).await.expect_err(url).to_string();
    assert!(error.starts_with("cannot use the database ") && error.lines().count() == 1, "{error}");
    error
}

#[tokio::test]
async fn another_kind_of_database_is_refused_with_what_is_allowed_and_without_its_password() {
    for (url, shown) in [
        ("oracle://ada:s3cret@db.example/site", "oracle://***@db.example/site:"),
        ("ada:s3cret@db.example", "URL:"),
        ("host=db.example password=s3cret", "URL:"),
        ("", "URL:"),
    ] {
        let error = refusal(url).await;
        assert!(error.starts_with(&format!("cannot use the database {shown}")), "{error}");
        assert!(error.contains("sqlite://PATH?mode=rwc") && !error.contains("s3c"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_its_password() {
    for (url, shown, why) in [
        (
            "postgres://ada:s3cret@127.0.0.1:1/site",
            "postgres://***@127.0.0.1:1/site: ",
            "no server",
        ),
        ("mariadb://ada:s3cret@127.0.0.1:1/site", "mariadb://***@127.0.0.1:1/site: ", "no server"),
        ("postgres://ada:s3cret@[::1]:1/site", "postgres://***@[::1]:1/site: ", "no server"),
        ("mysql://ada:s3cret@[::1]:1/site", "mysql://***@[::1]:1/site: ", "no server"),
        ("postgres://ada:s3cret@127.0.0.1:1", "postgres://***@127.0.0.1:1: ", "no database"),
        ("mysql://127.0.0.1:1/?ssl-mode=s3c", "mysql://127.0.0.1:1/: ", "no database"),
        (
            "postgres://ada:s3c@r/e?t@127.0.0.1:1/site?password=s3cret",
            "postgres://***@127.0.0.1:1/site: ",
            "supported are max_connections, sslmode",
        ),
        ("mysql://127.0.0.1:1/x?password=s3cret", "mysql://127.0.0.1:1/x: ", "ssl-mode, ssl-ca"),
        ("mysql://127.0.0.1:1/x?max_connections=s3c", "mysql://127.0.0.1:1/x: ", "from 1 to 1000"),
        ("postgres://h/x?max_connections=0", "postgres://h/x: ", "from 1 to 1000"),
    ] {
        let error = refusal(url).await;
        assert!(error.starts_with(&format!("cannot use the database {shown}")), "{error}");
        assert!(error.contains(why) && !error.contains("s3c"), "{error}");
    }
}

#[tokio::test]
async fn what_tls_cannot_use_is_refused_before_a_server_is_asked() {
    let dir = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name).display().to_string()
    };
    let (empty, other) = (file("empty", ""), file("other", "-----BEGIN PRIVATE KEY-----"));
    for (checked, unchecked, [authority, certificate, key]) in [
        ("sslmode=verify-full", "sslmode=require", ["sslrootcert", "sslcert", "sslkey"]),
        ("ssl-mode=VERIFY_IDENTITY", "ssl-mode=REQUIRED", ["ssl-ca", "ssl-cert", "ssl-key"]),
    ] {
        let scheme = if authority == "ssl-ca" { "mysql" } else { "postgres" };
        for (parameters, why) in [
            (format!("{checked}&{authority}=/s3cret/ca"), format!("{authority}: No such file")),
            (format!("{checked}&{certificate}=/s3cret/it"), format!("{certificate}: No such file")),
            (format!("{checked}&{key}=/s3cret/key"), format!("{key}: No such file")),
            (format!("{checked}&{authority}={empty}"), "the file holds no certificate".to_owned()),
            (format!("{checked}&{authority}={other}"), "the file holds no certificate".to_owned()),
            (format!("{unchecked}&{authority}={other}"), format!("{authority} without {checked}")),
            (format!("{authority}={other}"), format!("{authority} without {checked}")),
        ] {
            let url = format!("{scheme}://ada:s3cret@127.0.0.1:1/site?{parameters}");
            let error = refusal(&url).await;
            assert!(error.contains(&why) && !error.contains("s3c"), "{error}");
            let later = SqlStore::connect_later(&url).await.expect_err(&url);
            assert!(!later.is_away() && later.to_string() == error, "{later}");
        }
    }
}

#[tokio::test]
async fn a_url_that_names_no_file_or_wants_something_else_is_refused() {
    for (url, why) in [
        ("sqlite:", "it names no file"),
        ("sqlite://?mode=rwc", "it names no file"),
        ("sqlite:x.db?mode=ro", "mode=rw and mode=rwc"),
        ("sqlite:x.db?key=s3cret", "mode=rw and mode=rwc"),
        ("sqlite:x%FF.db", "utf-8"),
    ] {
        let error = refusal(url).await;
        assert!(error.contains(why) && !error.contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_database_file_is_said_to_be_so() {
    let dir = TempDir::new().unwrap();
    let url = |name: &str| format!("sqlite://{}/{name}", dir.path().display());
    let error = refusal(&url("missing.db")).await;
    assert!(error.contains("missing.db: there is no such file; add ?mode=rwc"), "{error}");
    let error = refusal(&url("nowhere/x.db?mode=rwc")).await;
    assert!(error.contains("x.db: there is no directory /"), "{error}");
    let error = refusal(&url("?mode=rwc")).await;
    assert!(error.contains("it is a directory"), "{error}");
    fs::write(dir.path().join("text.db"), "no database ".repeat(1_000)).unwrap();
    let error = refusal(&url("text.db")).await;
    assert!(error.contains("the file is not an SQLite database"), "{error}");
    let error = refusal(&url("text.db/x.db?mode=rwc")).await;
    assert!(error.contains("Not a directory"), "{error}");
}

#[tokio::test]
async fn a_damaged_database_is_said_to_be_damaged() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("test.db");
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let database = SqlStore::connect(&url).await.unwrap();
    countersign_migration::up(database.connection()).await.unwrap();
    database.close().await;
    // The list of tables begins after the header.
    let mut bytes = fs::read(&path).unwrap();
    bytes[100..1_000].fill(0xFF);
    fs::write(&path, &bytes).unwrap();
    let error = refusal(&url).await;
    assert!(error.contains("the file is damaged"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_may_not_be_written_is_said_to_be_so() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("test.db");
    let url = format!("sqlite:{}?mode=rwc", path.display());
    SqlStore::connect(&url).await.unwrap().close().await;
    for (mode, why) in [(0o400, "it cannot be written"), (0o000, "it cannot be opened")] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        // The superuser may write whatever the mode is.
        if fs::OpenOptions::new().append(true).open(&path).is_err() {
            let error = refusal(&url).await;
            assert!(error.contains(why), "{error}");
        }
    }
}

#[tokio::test]
async fn both_ways_of_writing_a_url_name_one_file() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path().display();
    let one = SqlStore::connect(&format!("sqlite://{dir}/a%20b.db?mode=rwc")).await.unwrap();
    countersign_migration::up(one.connection()).await.unwrap();
    let two = SqlStore::connect(&format!("sqlite:{dir}/a b.db")).await.unwrap();
    countersign_domain::Store::ready(&two).await.unwrap();
}
