//! Tests that while the store cannot be reached, a visitor counts neither as another user nor as anonymous.

use rocket::http::Method;

use crate::store::CAUSE;
use crate::support::{Answer, EMAIL, PASSWORD, Site, USERNAME};

#[track_caller]
fn is_outage(answer: &Answer) {
    answer.is(503).has("Retry-After", "5").shows("Unavailable for a moment");
    answer.hides(CAUSE);
    assert_eq!(answer.all("Set-Cookie").count(), 0, "{}: the session is kept", answer.what);
}

/// Asserts that the page shows neither a user nor links for anonymous visitors.
#[track_caller]
fn claims_nothing(answer: &Answer) {
    answer.hides("Hi Ada").hides("href=\"/login\"").hides("action=\"/logout\"");
}

#[rocket::async_test]
async fn an_outage_is_a_503_on_every_page_that_depends_on_who_asks() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    site.store.break_down();
    for path in ["/", "/blogs", "/login", "/login?next=%2Fblogs", "/register", "/logout"] {
        let answer = ada.get(path).await;
        is_outage(&answer);
        claims_nothing(&answer);
    }
    let form = [("email", EMAIL), ("username", USERNAME), ("password", PASSWORD)];
    for path in ["/login", "/register", "/logout"] {
        let answer = ada.post_form(path, &form).await;
        is_outage(&answer);
        claims_nothing(&answer);
    }
    for path in ["/login", "/register"] {
        is_outage(&site.anon().post_form(path, &form).await);
    }
    site.store.recover();
    ada.get("/blogs").await.is(200).shows("Hi Ada");
    assert_eq!(site.users().await.len(), 1);
}

#[rocket::async_test]
async fn a_page_that_is_not_there_is_a_404_in_an_outage_too_and_claims_nothing() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    site.store.break_down();
    claims_nothing(ada.get("/nowhere").await.is(404));
}

#[rocket::async_test]
async fn whoever_shows_no_session_needs_no_store_to_be_anonymous() {
    let site = Site::new().await;
    site.store.break_down();
    for path in ["/", "/login", "/register"] {
        site.anon().get(path).await.is(200);
    }
    site.anon().get("/blogs").await.sees_other("/login?next=%2Fblogs");
    let mut visitor = site.anon();
    visitor.set_cookie("session", "not a token");
    visitor.get("/").await.is(200);
}

#[rocket::async_test]
async fn a_program_hears_of_an_outage_in_its_own_form() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    site.store.break_down();
    let ask = ada.ask(Method::Get, "/blogs").header("Accept", "application/json");
    let answer = ask.send().await;
    answer.is(503).has("Content-Type", "application/problem+json").has("Retry-After", "5");
    answer.hides(CAUSE);
    let answer = ada.ask(Method::Get, "/blogs").header("HX-Request", "true").send().await;
    answer.is(503).has("Retry-After", "5");
    assert_eq!(answer.header("HX-Redirect"), None);
}

#[rocket::async_test]
async fn an_outage_is_not_ready_but_alive() {
    let site = Site::new().await;
    site.store.break_down();
    site.anon().get("/health/ready").await.is(503).hides(CAUSE);
    site.anon().get("/health/live").await.is(200);
    site.store.recover();
    site.anon().get("/health/ready").await.is(200);
}

#[rocket::async_test]
async fn a_logout_that_could_not_be_written_down_is_not_told_to_have_worked() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    site.store.break_down();
    let answer = ada.post_form("/logout", &[]).await;
    is_outage(&answer);
    assert_eq!(answer.header("Clear-Site-Data"), None);
    site.store.recover();
    ada.get("/blogs").await.is(200);
    ada.post_form("/logout", &[]).await.sees_other("/login");
    ada.get("/blogs").await.is(303);
}
