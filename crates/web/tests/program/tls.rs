//! Tests of TLS connections to database servers, as docs/databases.md describes them.

mod authority;

use std::path::Path;

use countersign_persistence::SqlStore;
use sea_orm::{ConnectionTrait, Statement};

use self::authority::Authority;
pub(crate) use self::authority::Certificate;
use crate::failures::{RECOVERED, wait_until};
use crate::own::{Own, SECRET};
use crate::server::Engine;
use crate::support::{EMAIL, PASSWORD, Place};

/// A server that requires TLS, and the authority of its certificate.
struct Guarded {
    engine: Engine,
    own: Own,
    authority: Authority,
}

impl Guarded {
    /// Starts a server with a certificate for this name. Returns `None` if a tool is missing.
    fn start(engine: Engine, name: &str) -> Option<Self> {
        let authority = Authority::new()?;
        let mut own = Own::prepare(engine)?;
        own.require_tls(&authority.sign("server", name), authority.path());
        own.run();
        Some(Self { engine, own, authority })
    }

    /// Restarts the server with this certificate.
    fn takes(&mut self, certificate: &Certificate) {
        self.own.kill();
        self.own.require_tls(certificate, self.authority.path());
        self.own.run();
    }

    /// Returns the URL with another host and with parameters, which are given in PostgreSQL's names.
    fn url(&self, host: &str, parameters: &str) -> String {
        with_parameters(self.engine, &self.own.url().replace("127.0.0.1", host), parameters)
    }

    /// Returns the URL with parameters that make the client verify the server's certificate.
    fn checked(&self, host: &str) -> String {
        self.url(host, &checked_by("verify-full", self.authority.path()))
    }
}

fn checked_by(mode: &str, authority: &Path) -> String {
    format!("sslmode={mode}&sslrootcert={}", authority.display())
}

fn with_parameters(engine: Engine, url: &str, parameters: &str) -> String {
    format!("{url}?{}", named(engine, parameters))
}

/// Translates the parameters to the names that the driver of this engine uses.
fn named(engine: Engine, parameters: &str) -> String {
    let mut parameters = parameters.to_owned();
    if engine == Engine::MariaDb {
        for (postgres, mariadb) in [
            ("verify-full", "VERIFY_IDENTITY"),
            ("verify-ca", "VERIFY_CA"),
            ("require", "REQUIRED"),
            ("disable", "DISABLED"),
            ("sslmode", "ssl-mode"),
            ("sslrootcert", "ssl-ca"),
            ("sslcert", "ssl-cert"),
            ("sslkey", "ssl-key"),
        ] {
            parameters = parameters.replace(postgres, mariadb);
        }
    }
    parameters
}

/// Returns the TLS version that the server reports for the connection.
async fn protocol(engine: Engine, url: &str) -> Option<String> {
    let database = SqlStore::connect(url).await.unwrap();
    let connection = database.connection();
    let sql = match engine {
        Engine::Postgres => "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl",
        Engine::MariaDb => {
            "SELECT variable_value AS version FROM information_schema.session_status \
             WHERE variable_name = 'SSL_VERSION' AND variable_value <> ''"
        }
    };
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await.unwrap();
    database.close().await;
    row.map(|row| row.try_get("", "version").unwrap())
}

/// Asserts that a connection failed for good, and returns the line that says why.
#[track_caller]
fn refusal(connected: Result<SqlStore, countersign_persistence::ConnectError>) -> String {
    let error = connected.unwrap_err();
    let line = error.to_string();
    assert!(line.starts_with("cannot use the database ") && line.contains("://***@"), "{line}");
    assert!(line.lines().count() == 1 && !line.contains(SECRET), "{line}");
    assert!(!error.is_away(), "this must not count as temporary: {line}");
    line
}

#[tokio::test]
async fn each_way_of_asking_for_tls_gets_it_from_each_server() {
    for engine in Engine::ALL {
        let Some(server) = Guarded::start(engine, "DNS:localhost") else { continue };
        let authority = server.authority.path();
        for url in [
            server.checked("localhost"),
            // Verifies the authority, but not the name.
            server.url("127.0.0.1", &checked_by("verify-ca", authority)),
            server.url("127.0.0.1", "sslmode=require"),
            server.url("127.0.0.1", ""),
        ] {
            let protocol = protocol(engine, &url).await;
            assert!(protocol.is_some_and(|it| it.starts_with("TLSv1.")), "{url}");
        }
        let own = server.authority.sign("certified", "DNS:certified");
        let own = format!("sslcert={}&sslkey={}", own.path.display(), own.key.display());
        let url = server.checked("localhost");
        let somebody = url.split_once("://").unwrap().1.split_once('@').unwrap().0;
        if engine == Engine::Postgres {
            let role = "CREATE ROLE certified LOGIN";
            let database = SqlStore::connect(&url).await.unwrap();
            database.connection().execute_unprepared(role).await.unwrap();
            database.close().await;
        }
        let certified = url.replace(somebody, "certified");
        let without = refusal(SqlStore::connect(&certified).await);
        assert!(without.contains("certificate") || without.contains("Access denied"), "{without}");
        let with = format!("{certified}&{}", named(engine, &own));
        assert!(protocol(engine, &with).await.is_some(), "{engine:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_does_not_convince_is_refused_in_one_line() {
    for engine in Engine::ALL {
        let Some(mut server) = Guarded::start(engine, "DNS:localhost") else { continue };
        let other = Authority::new().unwrap();
        for (url, why) in [
            (server.checked("127.0.0.1"), "TLS: invalid peer certificate: certificate not valid"),
            (
                server.url("localhost", &checked_by("verify-full", other.path())),
                "TLS: invalid peer certificate: ",
            ),
            (
                server.url("localhost", &checked_by("verify-ca", other.path())),
                "TLS: invalid peer certificate: ",
            ),
            // No authority that browsers trust has signed the certificate.
            (server.url("localhost", "sslmode=verify-full"), "TLS: invalid peer certificate: "),
        ] {
            let line = refusal(SqlStore::connect(&url).await);
            assert!(line.contains(why), "{line}");
        }
        // The name in the subject does not count.
        server.takes(&server.authority.sign("localhost", "IP:127.0.0.1"));
        assert!(protocol(engine, &server.checked("127.0.0.1")).await.is_some());
        let line = refusal(SqlStore::connect(&server.checked("localhost")).await);
        assert!(line.contains("certificate not valid for name \"localhost\""), "{line}");
    }
}

#[tokio::test]
async fn a_certificate_that_signed_itself_is_checked_against_itself_unless_it_may_sign_others() {
    let engine = Engine::Postgres;
    let Some(mut server) = Guarded::start(engine, "DNS:localhost") else { return };
    for (constraints, is_taken) in [("CA:FALSE", true), ("CA:TRUE", false)] {
        let stranger = server.authority.stranger(constraints);
        server.takes(&stranger);
        refusal(SqlStore::connect(&server.checked("localhost")).await);
        let url = server.url("localhost", &checked_by("verify-full", &stranger.path));
        if is_taken {
            assert!(protocol(engine, &url).await.is_some());
        } else {
            let line = refusal(SqlStore::connect(&url).await);
            assert!(line.contains("CaUsedAsEndEntity"), "{line}");
        }
    }
}

#[tokio::test]
async fn nobody_is_let_in_without_tls_where_one_side_wants_it() {
    for engine in Engine::ALL {
        let Some(authority) = Authority::new() else { return };
        let Some(mut own) = Own::start(engine) else { continue };
        let localhost = own.url().replace("127.0.0.1", "localhost");
        assert_eq!(protocol(engine, &localhost).await, None);
        for parameters in
            ["sslmode=require".to_owned(), checked_by("verify-full", authority.path())]
        {
            let url = with_parameters(engine, &localhost, &parameters);
            let line = refusal(SqlStore::connect(&url).await);
            assert!(line.contains("server does not support TLS"), "{line}");
        }
        own.kill();
        own.require_tls(&authority.sign("server", "DNS:localhost"), authority.path());
        own.run();
        let url = with_parameters(engine, &localhost, "sslmode=disable");
        let line = refusal(SqlStore::connect(&url).await);
        let why = match engine {
            Engine::Postgres => "no pg_hba.conf entry for host \"127.0.0.1\"",
            Engine::MariaDb => "Access denied for user",
        };
        assert!(line.contains(why), "{line}");
        let url = with_parameters(engine, &localhost, "sslmode=require");
        assert!(protocol(engine, &url).await.is_some(), "the same password, with TLS");
    }
}

#[test]
fn a_site_moves_to_a_server_and_lives_there_over_tls() {
    for engine in Engine::ALL {
        let Some(mut server) = Guarded::start(engine, "DNS:localhost") else { continue };
        let place = Place::new();
        place.create(EMAIL, PASSWORD);
        let other = Authority::new().unwrap();
        let unproven = server.url("localhost", &checked_by("verify-full", other.path()));
        let refused = place.run(&["export", "--to", &unproven]);
        assert!(refused.fails().contains("TLS: invalid peer certificate"), "{refused:?}");
        let url = server.checked("localhost");
        place.run(&["export", "--to", &url]).works();

        let env = [
            ("COUNTERSIGN_DATABASE_URL", url.as_str()),
            ("COUNTERSIGN_SESSION__MAX_STALENESS", "0s"),
        ];
        let site = place.serve(&env);
        let mut ada = site.member(EMAIL, PASSWORD);
        ada.get("/blogs").is(200).shows("Hi Ada");
        ada.post("/logout", &[]).sees_other("/login");
        site.browser().try_register("bob@example.org", PASSWORD).unwrap().is(303);
        site.browser().get("/health/ready").is(200);
        // Another server in its place learns nothing.
        let mut ada = site.member(EMAIL, PASSWORD);
        server.takes(&other.sign("server", "DNS:localhost"));
        wait_until(RECOVERED, "the certificate is looked at", || {
            // The first requests fail because the old connections are broken.
            ada.get("/blogs").is(503);
            site.log().contains("invalid peer certificate")
        });
        site.browser().get("/health/ready").is(503);
        server.takes(&server.authority.sign("server", "DNS:localhost"));
        wait_until(RECOVERED, "it is the server again", || ada.get("/blogs").status == 200);
        assert_eq!(site.end("TERM").0, Some(0));
        // At the start, the program does not wait for another certificate.
        let env = [("COUNTERSIGN_DATABASE_URL", unproven.as_str()), ("ROCKET_PORT", "0")];
        let ended = place.run_with(&env, &["serve"], "");
        assert!(ended.fails().contains("TLS: invalid peer certificate"), "{ended:?}");
        assert!(!ended.stderr.contains(SECRET), "{ended:?}");
    }
}
