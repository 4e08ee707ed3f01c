//! Tests of the second step of a login, with the factor for tests.

use countersign_web::auth::{Caller, LoginState};
use countersign_web::domain::contract::any_record;
use countersign_web::domain::{Duration, Store};

use crate::support::{Actor, EMAIL, OTHER_PASSWORD, PASSWORD, Setup, Site};

const CODE: &str = "123 456";
const VERIFY: &str = "/login/verify";

/// Starts a site on which Ada has a second factor.
async fn site() -> Site {
    let site = Site::new().await;
    site.register(EMAIL).await;
    site.auth.testing().require_factor(site.user(EMAIL).await.id, CODE);
    site
}

/// Logs Ada in with her password, so that her login waits for a code.
async fn waiting(site: &Site) -> Actor<'_> {
    let mut ada = site.anon();
    ada.log_in(EMAIL, PASSWORD).await.sees_other(VERIFY);
    ada
}

async fn code(actor: &mut Actor<'_>, code: &str) -> crate::support::Answer {
    actor.post_form(VERIFY, &[("code", code)]).await
}

#[rocket::async_test]
async fn a_password_alone_opens_nothing_to_a_user_with_a_second_factor() {
    let site = site().await;
    let mut ada = site.anon();
    let form = [("email", EMAIL), ("password", PASSWORD), ("next", "/account"), ("remember", "on")];
    let answer = ada.post_form("/login", &form).await;
    answer.sees_other("/login/verify?next=%2Faccount");
    let cookie = answer.set_cookie("pending").unwrap();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert_eq!((ada.cookie("session"), ada.cookie("remember_token")), (None, None));
    ada.get("/blogs").await.sees_other("/login?next=%2Fblogs");
    assert!(site.sessions(EMAIL).await.is_empty());

    let page = ada.get("/login/verify?next=%2Faccount").await;
    assert!(page.is(200).input("code").contains("one-time-code"));
    crate::views::looks_like("login-verify", &page);
    ada.post_form(VERIFY, &[("code", CODE), ("next", "/account")]).await.sees_other("/account");
    ada.get("/account").await.is(200);
    assert!(ada.cookie("pending").is_none() && ada.cookie("remember_token").is_some());
    ada.get(VERIFY).await.sees_other("/blogs");
}

#[rocket::async_test]
async fn the_cookie_of_a_waiting_login_has_the_prefix_on_https() {
    let site = Setup::default().https().start().await;
    site.register(EMAIL).await;
    site.auth.testing().require_factor(site.user(EMAIL).await.id, CODE);
    let answer = site.anon().log_in(EMAIL, PASSWORD).await;
    let cookie = answer.set_cookie("__Host-pending").unwrap();
    assert!(cookie.contains("; Secure"), "{cookie}");
}

#[rocket::async_test]
async fn a_wrong_code_is_a_401_and_the_fifth_ends_the_login() {
    let site = site().await;
    let mut ada = waiting(&site).await;
    code(&mut ada, " ").await.is(422).shows("Enter the code.");
    for _ in 0..5 {
        code(&mut ada, "000 000").await.is(401).shows("This code is not valid.");
    }
    code(&mut ada, CODE).await.sees_other("/login");
    assert!(ada.cookie("pending").is_none());
    ada.get("/login").await.is(200).shows("That login has ended.");
    ada.get("/blogs").await.is(303);
}

#[rocket::async_test]
async fn an_account_on_which_too_many_codes_were_tried_is_a_429_that_says_until_when() {
    let site = site().await;
    for _ in 0..2 {
        let mut eve = waiting(&site).await;
        for _ in 0..5 {
            code(&mut eve, "000 000").await.is(401);
        }
    }
    let mut ada = waiting(&site).await;
    code(&mut ada, CODE).await.is(429).has("Retry-After", "900").shows("Too many");
    assert!(ada.cookie("pending").is_some(), "the login waits on");
    site.clock.advance(Duration::minutes(15));
    let mut ada = waiting(&site).await;
    code(&mut ada, CODE).await.sees_other("/blogs");
}

#[rocket::async_test]
async fn nobody_verifies_without_a_login_that_waits() {
    let site = site().await;
    let mut anon = site.anon();
    anon.get("/login/verify?next=%2Faccount").await.sees_other("/login?next=%2Faccount");
    code(&mut anon, CODE).await.sees_other("/login");
    anon.set_cookie("pending", &"A".repeat(43));
    code(&mut anon, CODE).await.sees_other("/login");
    let mut late = waiting(&site).await;
    site.clock.advance(Duration::minutes(10));
    late.get(VERIFY).await.sees_other("/login");
    code(&mut late, CODE).await.sees_other("/login");
    assert!(site.sessions(EMAIL).await.is_empty());
}

#[rocket::async_test]
async fn what_ends_a_session_ends_a_login_that_waits() {
    let site = site().await;
    let user = site.user(EMAIL).await;
    let admin = Caller::administrator();
    let mut left = waiting(&site).await;
    left.post_form("/logout", &[]).await.is(303);
    assert!(left.cookie("pending").is_none());

    let mut ada = waiting(&site).await;
    site.auth.by(&admin).admin().set_active(user.id, false).await.unwrap();
    code(&mut ada, CODE).await.sees_other("/login");
    site.auth.by(&admin).admin().set_active(user.id, true).await.unwrap();

    let mut ada = waiting(&site).await;
    site.auth.by(&admin).admin().set_password(&user, OTHER_PASSWORD).await.unwrap();
    code(&mut ada, CODE).await.sees_other("/login");
    assert!(site.sessions(EMAIL).await.is_empty());
}

#[rocket::async_test]
async fn an_outage_is_a_503_and_the_login_waits_on() {
    let site = site().await;
    let mut ada = waiting(&site).await;
    site.store.break_down();
    ada.get(VERIFY).await.is(503);
    code(&mut ada, CODE).await.is(503);
    site.store.recover();
    code(&mut ada, CODE).await.sees_other("/blogs");
}

/// Logs in a user who has no password but the factor for tests.
async fn passwordless(site: &Site) -> Actor<'_> {
    let admin = Caller::administrator();
    let mut user = site.register(EMAIL).await;
    site.auth.by(&admin).admin().delete(user.id).await.unwrap();
    user.password_hash = None;
    site.store.users().insert_user(&user, &any_record()).await.unwrap();
    let state = site.auth.by(&admin).log_in_user(&user, false).await.unwrap();
    let begun = state.and_then(LoginState::into_session).unwrap();
    site.auth.testing().require_factor(user.id, CODE);
    let mut ada = site.anon();
    ada.set_cookie("session", &begun.token.expose());
    ada
}

#[rocket::async_test]
async fn a_user_without_a_password_confirms_with_a_code() {
    let site = Site::new().await;
    let mut ada = passwordless(&site).await;
    site.clock.advance(Duration::minutes(11));
    ada.get("/account/password").await.is(303);
    let page = ada.get("/reauthenticate?next=%2Faccount%2Fpassword").await;
    page.is(200).hides("name=\"password\"").shows("name=\"code\"");
    crate::views::looks_like("reauthenticate-code", &page);
    let form = [("code", "000 000"), ("next", "/account/password")];
    ada.post_form("/reauthenticate", &form).await.is(401).shows("This code is not valid.");
    let form = [("code", CODE), ("next", "/account/password")];
    ada.post_form("/reauthenticate", &form).await.sees_other("/account/password");
    ada.get("/account/password").await.is(200).hides("name=\"current_password\"");
    ada.post_form("/account/password", &[("password", OTHER_PASSWORD)])
        .await
        .sees_other("/account");
    site.anon().log_in(EMAIL, OTHER_PASSWORD).await.sees_other(VERIFY);
    ada.post_form("/account/delete", &[("password", PASSWORD)]).await.is(401);
}

#[rocket::async_test]
async fn a_user_without_a_password_deletes_the_account_with_a_fresh_login() {
    let site = Site::new().await;
    let mut ada = passwordless(&site).await;
    site.clock.advance(Duration::minutes(11));
    ada.post_form("/account/delete", &[]).await.is(303);
    assert_eq!(site.users().await.len(), 1);
    ada.post_form("/reauthenticate", &[("code", CODE)]).await.is(303);
    ada.get("/account/delete").await.is(200).hides("name=\"password\"");
    ada.post_form("/account/delete", &[]).await.sees_other("/login");
    assert!(site.users().await.is_empty());
}
