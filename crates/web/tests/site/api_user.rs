//! Tests of the guard `ApiUser`, which reads a session token from a header.

use countersign_web::auth::{Caller, LoginState};
use countersign_web::{ApiUser, AuthPages};
use rocket::http::Method;
use rocket::{get, routes};

use crate::support::{EMAIL, Site, rocket};

#[expect(clippy::needless_pass_by_value, reason = "Rocket passes guards by value")]
#[get("/api/whoami")]
fn whoami(me: ApiUser) -> String {
    format!("{} in session {}", me.email, me.session().id)
}

#[get("/<_..>", rank = 99)]
fn catch_all() -> &'static str {
    "anything"
}

async fn site() -> Site {
    Site::of(|auth| {
        rocket().attach(AuthPages::at("/auth", auth)).mount("/", routes![whoami, catch_all])
    })
    .await
}

async fn token(site: &Site) -> String {
    let ada = site.register(EMAIL).await;
    let state = site.auth.by(&Caller::administrator()).log_in_user(&ada, false).await.unwrap();
    let begun = state.and_then(LoginState::into_session).unwrap();
    begun.token.expose().to_string()
}

#[rocket::async_test]
async fn a_program_shows_the_token_that_it_was_given() {
    let site = site().await;
    let token = token(&site).await;
    for scheme in ["Bearer", "bearer"] {
        let authorization = format!("{scheme} {token}");
        let mut anon = site.anon();
        let asked = anon.ask(Method::Get, "/api/whoami").header("Authorization", &authorization);
        asked.send().await.is(200).shows(EMAIL);
    }
    let user = site.user(EMAIL).await;
    site.auth.by(&Caller::administrator()).sessions(user.id).revoke_all().await.unwrap();
    let mut anon = site.anon();
    let asked =
        anon.ask(Method::Get, "/api/whoami").header("Authorization", &format!("Bearer {token}"));
    asked.send().await.is(401);
}

#[rocket::async_test]
async fn whoever_shows_none_gets_a_problem_and_no_redirect() {
    let site = site().await;
    let token = token(&site).await;
    for authorization in ["", "Bearer", "Bearer x", "Basic YWRhOnNlY3JldA==", &token] {
        for accept in ["text/html", "application/json"] {
            let mut anon = site.anon();
            anon.set_cookie("session", &token);
            let asked = anon
                .ask(Method::Get, "/api/whoami")
                .headers(&[("Authorization", authorization), ("Accept", accept)]);
            let answer = asked.send().await;
            answer.is(401).has("WWW-Authenticate", "Bearer");
            assert_eq!(answer.json()["title"], "Token required", "{authorization:?} {accept}");
            assert_eq!(answer.header("Location"), None);
        }
    }
}

#[rocket::async_test]
async fn an_outage_is_not_a_wrong_token() {
    let site = site().await;
    let token = token(&site).await;
    site.store.break_down();
    let mut anon = site.anon();
    let asked =
        anon.ask(Method::Get, "/api/whoami").header("Authorization", &format!("Bearer {token}"));
    asked.send().await.is(503).has("Retry-After", "5");
}
