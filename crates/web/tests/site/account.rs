//! Tests of what users can do with their own account, and what they must prove first.

use countersign_web::auth::Caller;
use countersign_web::domain::Duration;
use rocket::http::Method;

use crate::support::{Actor, Answer, EMAIL, OTHER_PASSWORD, PASSWORD, Site, USERNAME};

const JSON: &[(&str, &str)] = &[("Accept", "application/json")];
const CHANGE: &[(&str, &str)] = &[("current_password", PASSWORD), ("password", OTHER_PASSWORD)];
const DELETE: &[(&str, &str)] = &[("password", PASSWORD)];

/// Logs Ada in, and lets ten minutes pass.
async fn stale_ada(site: &Site) -> Actor<'_> {
    let ada = site.ada().await;
    site.clock.advance(Duration::minutes(10));
    ada
}

/// Asserts that the field has this error, also for assistive technology.
#[track_caller]
fn has_error(answer: &Answer, field: &str, text: &str) {
    answer.shows(text).shows(&format!("id=\"{field}-error\""));
    let input = answer.input(field);
    assert!(input.contains("aria-invalid=\"true\"") && input.contains(&format!("{field}-error")));
    assert!(!input.contains("value="), "no password is given back: {input}");
}

async fn is_out(actor: &mut Actor<'_>) {
    actor.get("/blogs").await.sees_other("/login?next=%2Fblogs");
}

#[rocket::async_test]
async fn the_account_page_says_whose_it_is_and_where_to_go() {
    let site = Site::new().await;
    let mut ada = stale_ada(&site).await;
    let page = ada.get("/account").await;
    page.is(200).shows(&format!("<dd>{USERNAME}</dd>")).shows(&format!("<dd>{EMAIL}</dd>"));
    page.shows("1 March 2026");
    for link in ["/account/password", "/account/sessions", "/account/delete"] {
        page.shows(&format!("href=\"{link}\""));
    }
}

#[rocket::async_test]
async fn nothing_of_an_account_is_for_anonymous_visitors() {
    let site = Site::new().await;
    let pages = ["/account", "/account/password", "/account/sessions", "/account/delete"];
    for path in pages.into_iter().chain(["/reauthenticate"]) {
        let next = path.replace('/', "%2F");
        site.anon().get(path).await.sees_other(&format!("/login?next={next}"));
        let mut program = site.anon();
        let answer = program.ask(Method::Get, path).headers(JSON).send().await;
        answer.is(401).has("WWW-Authenticate", "Bearer");
        assert_eq!(answer.header("Location"), None);
    }
    let id = "019536d5-0000-7000-8000-000000000000";
    let revoke = format!("/account/sessions/{id}/revoke");
    let others = "/account/sessions/revoke-others";
    for path in ["/account/password", "/account/delete", "/reauthenticate", others, &revoke] {
        site.anon().post_form(path, &[]).await.sees_other("/login");
    }
}

#[rocket::async_test]
async fn who_logged_in_a_while_ago_confirms_who_they_are_and_comes_back() {
    let site = Site::new().await;
    let mut ada = stale_ada(&site).await;
    let there = "/reauthenticate?next=%2Faccount%2Femail";
    ada.get("/account/email").await.sees_other(there);
    let page = ada.get(there).await;
    page.is(200).shows("Please reauthenticate to access this page.");
    page.shows("name=\"next\" value=\"/account/email\"");
    let form = [("password", PASSWORD), ("next", "/account/email")];
    ada.post_form("/reauthenticate", &form).await.sees_other("/account/email");
    ada.get("/account/email").await.is(200);
}

#[rocket::async_test]
async fn a_form_that_asks_for_the_password_is_proof_enough_for_who_logged_in_a_while_ago() {
    let site = Site::new().await;
    let mut ada = stale_ada(&site).await;
    ada.get("/account/password").await.is(200).shows("name=\"current_password\"");
    ada.get("/account/delete").await.is(200);
    let wrong = [("current_password", OTHER_PASSWORD), ("password", OTHER_PASSWORD)];
    ada.post_form("/account/password", &wrong).await.is(401);
    ada.post_form("/account/password", CHANGE).await.sees_other("/account");
    let form = [("password", OTHER_PASSWORD)];
    site.clock.advance(Duration::minutes(15));
    ada.post_form("/account/delete", DELETE).await.is(401);
    ada.post_form("/account/delete", &form).await.sees_other("/login");
    assert!(site.users().await.is_empty());
}

#[rocket::async_test]
async fn a_password_is_changed_by_who_knows_the_current_one() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    ada.get("/account/password").await.is(200).shows("At least ");
    for (current, new, status, field, text) in [
        (OTHER_PASSWORD, OTHER_PASSWORD, 401, "current_password", "This is not your password."),
        ("", OTHER_PASSWORD, 422, "current_password", "Enter your"),
        (PASSWORD, "short", 422, "password", "Use at least"),
        (PASSWORD, "", 422, "password", "Choose a password."),
        (PASSWORD, "ada@example.org", 422, "password", "Choose another password"),
    ] {
        let form = [("current_password", current), ("password", new)];
        let answer = ada.post_form("/account/password", &form).await;
        has_error(answer.is(status), field, text);
        assert_eq!(answer.set_cookie("session"), None);
        let ask = ada.ask(Method::Post, "/account/password").headers(JSON);
        let problem = ask.form(&form).send().await;
        problem.is(status).has("Content-Type", "application/problem+json");
        assert!(problem.json()["errors"][field][0].as_str().unwrap().contains(text));
    }
    site.logged_in(EMAIL).await;
}

#[rocket::async_test]
async fn a_changed_password_ends_every_other_session_and_every_remembered_login() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let (mut here, mut there, mut asleep) = (site.anon(), site.logged_in(EMAIL).await, site.anon());
    here.log_in_remembered().await.sees_other("/blogs");
    asleep.log_in_remembered().await.sees_other("/blogs");
    asleep.drop_cookie("session");
    let (mut thief, mut thief_of_remembered) = (here.clone(), here.clone());
    thief.drop_cookie("remember_token");
    thief_of_remembered.drop_cookie("session");
    let old = here.token();

    let answer = here.post_form("/account/password", CHANGE).await;
    answer.sees_other("/account");
    assert!(answer.set_cookie("session").is_some(), "{:?}", answer.headers);
    assert_ne!(here.token(), old);
    assert_eq!(here.cookie("remember_token"), None);
    let page = here.get("/account").await;
    page.is(200).shows("Your password has been changed.");
    here.get("/account/password").await.is(200);

    for other in [&mut thief, &mut there, &mut asleep, &mut thief_of_remembered] {
        is_out(other).await;
    }
    assert_eq!(site.sessions(EMAIL).await.len(), 1);
    assert!(
        site.auth
            .by(&Caller::administrator())
            .sessions(site.user(EMAIL).await.id)
            .remembered()
            .await
            .unwrap()
            .is_empty()
    );
    let mut anon = site.anon();
    anon.log_in(EMAIL, PASSWORD).await.is(401);
    anon.log_in(EMAIL, OTHER_PASSWORD).await.sees_other("/blogs");
}

#[rocket::async_test]
async fn an_account_is_deleted_by_who_knows_the_password() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let (mut ada, mut other) = (site.anon(), site.anon());
    ada.log_in_remembered().await.sees_other("/blogs");
    other.log_in_remembered().await.sees_other("/blogs");
    ada.get("/account/delete").await.is(200).shows("This cannot be undone.");
    for (password, status, text) in
        [(OTHER_PASSWORD, 401, "This is not your password."), ("", 422, "Enter your password.")]
    {
        let answer = ada.post_form("/account/delete", &[("password", password)]).await;
        has_error(answer.is(status), "password", text);
        assert_eq!(answer.header("Clear-Site-Data"), None);
    }
    assert_eq!(site.users().await.len(), 1);

    let mut thief = ada.clone();
    let answer = ada.post_form("/account/delete", DELETE).await;
    answer.sees_other("/login").has("Clear-Site-Data", "\"storage\"");
    for name in ["session", "remember_token"] {
        assert!(answer.set_cookie(name).unwrap().ends_with("Max-Age=0"));
        assert_eq!(ada.cookie(name), None);
    }
    ada.get("/login").await.is(200).shows("Your account has been deleted.");
    assert!(site.users().await.is_empty());
    is_out(&mut thief).await;
    is_out(&mut other).await;
    ada.log_in(EMAIL, PASSWORD).await.is(401);
    // The address is free again. A new account with it inherits nothing.
    site.register(EMAIL).await;
    is_out(&mut thief).await;
    site.logged_in(EMAIL).await;
}

#[rocket::async_test]
async fn who_confirms_who_they_are_is_fresh_again_with_a_new_token() {
    let site = Site::new().await;
    let mut ada = stale_ada(&site).await;
    let mut thief = ada.clone();
    let page = ada.get("/reauthenticate").await;
    page.is(200).shows("Confirm it is you").hides("name=\"next\"");
    for (password, status, text) in
        [(OTHER_PASSWORD, 401, "This is not your password."), ("", 422, "Enter your password.")]
    {
        let form = [("password", password), ("next", "/account/email")];
        let answer = ada.post_form("/reauthenticate", &form).await;
        has_error(answer.is(status), "password", text);
        answer.shows("name=\"next\" value=\"/account/email\"");
        let ask = ada.ask(Method::Post, "/reauthenticate").headers(JSON).form(&form);
        let problem = ask.send().await;
        problem.is(status).has("Content-Type", "application/problem+json");
        assert_eq!(problem.header("Location"), None);
        assert!(problem.json()["errors"]["password"][0].is_string());
    }
    ada.get("/account/email").await.is(303);

    let old = ada.token();
    ada.post_form("/reauthenticate", DELETE).await.sees_other("/blogs");
    assert_ne!(ada.token(), old);
    ada.get("/account/email").await.is(200);
    is_out(&mut thief).await;
    assert_eq!(site.sessions(EMAIL).await.len(), 1, "it is the same session");
    site.clock.advance(Duration::minutes(10) - Duration::SECOND);
    ada.get("/account/email").await.is(200);
    site.clock.advance(Duration::SECOND);
    ada.get("/account/email").await.is(303);
}

#[rocket::async_test]
async fn a_confirmation_leads_to_a_page_of_this_site_only() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for (next, location) in [
        ("/account/delete?a=1", "/account/delete?a=1"),
        ("//evil.example", "/blogs"),
        ("https://evil.example/", "/blogs"),
        ("/\\evil.example", "/blogs"),
        ("/\t/evil.example", "/blogs"),
        ("javascript:alert(1)", "/blogs"),
    ] {
        let form = [("password", PASSWORD), ("next", next)];
        ada.post_form("/reauthenticate", &form).await.sees_other(location);
        let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let page = ada.get(&format!("/reauthenticate?next={next}")).await;
        page.is(200).hides("evil").hides("javascript:");
    }
}

#[rocket::async_test]
async fn what_is_posted_in_a_session_that_has_ended_is_not_done() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    let mut elsewhere = site.logged_in(EMAIL).await;
    elsewhere.post_form("/account/sessions/revoke-others", &[]).await.is(303);
    for (path, form) in [
        ("/account/password", CHANGE),
        ("/account/delete", DELETE),
        ("/reauthenticate", DELETE),
        ("/account/sessions/revoke-others", &[]),
    ] {
        let answer = ada.post_form(path, form).await;
        answer.sees_other("/login");
        assert_eq!(answer.set_cookie("session"), None, "{path}");
    }
    elsewhere.get("/blogs").await.is(200);
    assert_eq!(site.users().await.len(), 1);
    site.logged_in(EMAIL).await;
}

#[rocket::async_test]
async fn during_an_outage_nothing_of_an_account_is_done_or_claimed() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    site.store.break_down();
    for path in ["/account", "/account/password", "/account/sessions", "/reauthenticate"] {
        ada.get(path).await.is(503).has("Retry-After", "5").hides(EMAIL);
    }
    for (path, form) in [("/account/password", CHANGE), ("/account/delete", DELETE)] {
        let answer = ada.post_form(path, form).await;
        answer.is(503).has("Retry-After", "5");
        assert_eq!(answer.all("Set-Cookie").count(), 0);
        assert_eq!(answer.header("Clear-Site-Data"), None);
    }
    site.store.recover();
    ada.get("/account").await.is(200);
    site.logged_in(EMAIL).await;
}
