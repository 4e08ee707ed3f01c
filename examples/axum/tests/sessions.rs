//! Tests that the service knows the sessions that begin at the site.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum_example::{SESSION_COOKIE, app};
use countersign_auth::domain::Client;
use countersign_auth::{Auth, Caller, LogIn, LoginState, NewSession, NewUser};
use countersign_persistence::SqlStore;
use tempfile::TempDir;
use tower::ServiceExt;

const BROWSER: &str = "Browser/1.0";

/// The site and the service, each with its own connections to one file.
struct Two {
    site: Auth,
    service: Auth,
    database: SqlStore,
    _directory: TempDir,
}

impl Two {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let url = format!("sqlite://{}?mode=rwc", directory.path().join("site.db").display());
        let database = SqlStore::connect(&url).await.unwrap();
        countersign_migration::up(database.connection()).await.unwrap();
        let site = Auth::new(database);
        let database = SqlStore::connect(&url).await.unwrap();
        Self { site, service: Auth::new(database.clone()), database, _directory: directory }
    }

    /// Registers ada with the site and logs her in there.
    async fn log_in(&self) -> NewSession {
        let caller = &Caller::visitor(Client::new(None, Some(BROWSER)));
        let (email, password) = ("ada@example.org", "tidal lantern orbit mauve");
        let site = self.site.by(caller);
        site.register(NewUser::new(email, "ada", password)).await.unwrap();
        match site.log_in(LogIn::new(email, password)).await.unwrap() {
            LoginState::Complete(begun) => begun,
            other => panic!("ada is not logged in: {other:?}"),
        }
    }

    /// Returns the status and text that the service answers to a request with these cookies.
    async fn ask(&self, browser: &str, cookies: &[&str]) -> (u16, String) {
        let mut request = Request::get("/").header("User-Agent", browser);
        for cookie in cookies {
            request = request.header("Cookie", *cookie);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = app(self.service.clone()).oneshot(request).await.unwrap();
        assert_eq!(response.headers()["Cache-Control"], "no-store");
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn the_cookie_of_the_site_is_accepted_until_its_owner_logs_out() {
    let two = Two::new().await;
    assert_eq!(two.ask(BROWSER, &[]).await.0, 401);
    let begun = two.log_in().await;
    let cookie = format!("theme=dark; {SESSION_COOKIE}={}", *begun.token.expose());
    let (status, text) = two.ask(BROWSER, &[&cookie]).await;
    assert_eq!((status, text.as_str()), (200, "You are ada. Your login is fresh.\n"));
    let (status, text) = two.ask("Another/1.0", &[&cookie]).await;
    assert_eq!((status, text.as_str()), (200, "You are ada. Your login is not fresh.\n"));
    two.site.by(&Caller::administrator()).log_out(&begun.session).await.unwrap();
    // The logout takes effect at the site at once, and here within `max_staleness`, which is a second.
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(two.ask(BROWSER, &[&cookie]).await.0, 401);
}

#[tokio::test]
async fn no_other_cookie_is_accepted() {
    let two = Two::new().await;
    let begun = two.log_in().await;
    let token = begun.token.expose();
    let (good, wrong) = (format!("{SESSION_COOKIE}={}", *token), "A".repeat(43));
    assert_eq!(two.ask(BROWSER, &[&good]).await.0, 200);
    for cookies in [
        &[format!("{good}; {good}")] as &[_],
        &[good.clone(), format!("{SESSION_COOKIE}=x")],
        &[format!("{SESSION_COOKIE}={wrong}")],
        &[format!("{SESSION_COOKIE}=")],
        &[SESSION_COOKIE.to_owned()],
        &[format!("Session={}", *token)],
        &[format!("%73ession={}", *token)],
        &[format!("{SESSION_COOKIE}=\"{}\"", *token)],
        &[format!("{SESSION_COOKIE}={}.", *token)],
    ] {
        let cookies: Vec<&str> = cookies.iter().map(String::as_str).collect();
        assert_eq!(two.ask(BROWSER, &cookies).await.0, 401, "{cookies:?}");
    }
}

#[tokio::test]
async fn an_outage_is_not_taken_for_nobody() {
    let two = Two::new().await;
    let cookie = format!("{SESSION_COOKIE}={}", *two.log_in().await.token.expose());
    two.database.clone().close().await;
    assert_eq!(two.ask(BROWSER, &[&cookie]).await.0, 503);
    assert_eq!(two.ask(BROWSER, &[]).await.0, 401);
}
