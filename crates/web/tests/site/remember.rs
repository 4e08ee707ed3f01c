//! Tests of remembered logins: they start a new session when the old one has ended, and end after a theft.

use countersign_web::auth::Caller;
use countersign_web::auth::SessionConfig;
use countersign_web::domain::Duration;
use rocket::futures::future::join_all;
use rocket::http::Method;

use crate::support::{Actor, Answer, EMAIL, PASSWORD, Setup, Site};

const REMEMBER: &str = "remember_token";
const TO_LOGIN: &str = "/login?next=%2Fblogs";
const STOLEN: &str = "Somebody else has used the login that this browser remembered";

/// Returns a cookie that an answer sets, without its value.
#[track_caller]
fn attributes(answer: &Answer, name: &str) -> String {
    let header = answer.set_cookie(name).unwrap_or_default();
    let value = header.split(['=', ';']).nth(1).unwrap_or_default();
    header.replace(&format!("={value};"), "=VALUE;")
}

#[track_caller]
fn removes(answer: &Answer, name: &str) {
    let header = answer.set_cookie(name).unwrap_or_default();
    assert!(header.starts_with(&format!("{name}=;")) && header.ends_with("Max-Age=0"), "{header}");
}

/// Logs Ada in with "remember me".
async fn remembered_ada(site: &Site) -> Actor<'_> {
    site.register(EMAIL).await;
    let mut ada = site.anon();
    ada.log_in_remembered().await.sees_other("/blogs");
    ada
}

async fn remembered(site: &Site) -> usize {
    site.auth
        .by(&Caller::administrator())
        .sessions(site.user(EMAIL).await.id)
        .remembered()
        .await
        .unwrap()
        .len()
}

#[rocket::async_test]
async fn the_cookie_has_these_attributes_and_lives_for_two_weeks() {
    let over_http = Site::new().await;
    let over_https = Setup::default().https().start().await;
    let common = "=VALUE; HttpOnly; SameSite=Lax; Path=/";
    for (site, prefix, secure) in [(&over_http, "", ""), (&over_https, "__Host-", "; Secure")] {
        site.register(EMAIL).await;
        let answer = site.anon().log_in_remembered().await;
        answer.sees_other("/blogs");
        let name = format!("{prefix}remember_token");
        let expected = format!("{name}{common}{secure}; Max-Age=1209600");
        assert_eq!(attributes(&answer, &name), expected);
        let name = format!("{prefix}session");
        assert_eq!(attributes(&answer, &name), format!("{name}{common}{secure}"));
        assert_eq!(answer.all("Set-Cookie").count(), 3);
    }
}

#[rocket::async_test]
async fn nobody_is_remembered_who_did_not_ask() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let page = site.anon().get("/login").await;
    assert!(!page.input("remember").contains("checked"));
    for remember in [None, Some(""), Some("0"), Some("false"), Some("off")] {
        let mut form = vec![("email", EMAIL), ("password", PASSWORD)];
        form.extend(remember.map(|value| ("remember", value)));
        let mut ada = site.anon();
        ada.post_form("/login", &form).await.sees_other("/blogs");
        assert_eq!(ada.cookie(REMEMBER), None, "{remember:?}");
    }
    assert_eq!(remembered(&site).await, 0);
    // A failed login is not remembered either, but the box stays ticked.
    let form = [("email", EMAIL), ("password", "wrong password here"), ("remember", "on")];
    let answer = site.anon().post_form("/login", &form).await;
    assert_eq!(answer.is(401).all("Set-Cookie").count(), 0);
    assert!(answer.input("remember").contains("checked"));
}

#[rocket::async_test]
async fn a_remembered_user_is_logged_in_again_with_both_cookies_new() {
    let site = Site::new().await;
    let mut ada = remembered_ada(&site).await;
    let (token, remember) = (ada.token(), ada.cookie(REMEMBER).unwrap().to_owned());
    let answer = ada.get("/blogs").await;
    assert_eq!(answer.is(200).all("Set-Cookie").count(), 0, "no rotation before it is needed");
    site.clock.advance(Duration::minutes(30));
    let answer = ada.get("/blogs").await;
    answer.is(200).shows("Hi Ada");
    assert_eq!(
        attributes(&answer, REMEMBER),
        "remember_token=VALUE; HttpOnly; SameSite=Lax; Path=/; Max-Age=1209600"
    );
    assert_ne!(ada.token(), token);
    assert_ne!(ada.cookie(REMEMBER), Some(remember.as_str()));
    assert_eq!((site.sessions(EMAIL).await.len(), remembered(&site).await), (1, 1));
    for _ in 0..3 {
        site.clock.advance(Duration::hours(13));
        ada.get("/").await.is(200).shows("Hi Ada");
    }
    assert_eq!((site.sessions(EMAIL).await.len(), remembered(&site).await), (1, 1));
}

#[rocket::async_test]
async fn a_remembered_login_ends_two_weeks_after_it_began() {
    let site = Site::new().await;
    let mut ada = remembered_ada(&site).await;
    site.clock.advance(Duration::days(14) - Duration::SECOND);
    ada.get("/blogs").await.is(200);
    site.clock.advance(Duration::SECOND);
    ada.get("/blogs").await.sees_other(TO_LOGIN);
    assert_eq!(ada.cookie(REMEMBER), None);
}

#[rocket::async_test]
async fn a_remembered_user_is_never_fresh_until_they_type_their_password() {
    let site = Site::new().await;
    let mut ada = remembered_ada(&site).await;
    ada.drop_cookie("session");
    let answer = ada.get("/account/email").await;
    answer.sees_other("/reauthenticate?next=%2Faccount%2Femail");
    assert!(ada.cookie("session").is_some(), "they are still logged in");
    ada.get("/account/email").await.is(303);
    ada.post_form("/reauthenticate", &[("password", PASSWORD)]).await.sees_other("/blogs");
    ada.get("/account/email").await.is(200);
}

#[rocket::async_test]
async fn requests_that_were_under_way_together_are_all_answered() {
    let site = Site::new().await;
    let mut ada = remembered_ada(&site).await;
    ada.drop_cookie("session");
    let tries = (0..8).map(|_| {
        let mut tab = ada.clone();
        async move { tab.get("/blogs").await }
    });
    let answers = join_all(tries).await;
    for answer in &answers {
        answer.is(200).shows("Hi Ada");
        // Both cookies come with one answer. Whichever arrives last, the browser is logged in.
        assert_eq!(answer.set_cookie(REMEMBER).is_some(), answer.set_cookie("session").is_some());
    }
    let begun: Vec<_> =
        answers.iter().filter(|answer| answer.set_cookie(REMEMBER).is_some()).collect();
    assert_eq!(begun.len(), 1);
    assert_eq!((site.sessions(EMAIL).await.len(), remembered(&site).await), (1, 1));
    for name in ["session", REMEMBER] {
        let value = begun[0].set_cookie(name).unwrap().split(['=', ';']).nth(1).unwrap();
        ada.set_cookie(name, value);
    }
    assert_eq!(ada.get("/blogs").await.is(200).all("Set-Cookie").count(), 0);
}

#[rocket::async_test]
async fn a_browser_that_is_closed_and_opened_stays_one_device() {
    let site = Site::new().await;
    let mut ada = remembered_ada(&site).await;
    for _ in 0..3 {
        site.clock.advance(Duration::minutes(1));
        ada.drop_cookie("session");
        ada.get("/blogs").await.is(200);
    }
    let page = ada.get("/account/sessions").await;
    page.is(200).shows("This device").shows("You are not logged in anywhere else.");
    assert_eq!((site.sessions(EMAIL).await.len(), remembered(&site).await), (1, 1));
}

#[rocket::async_test]
async fn an_answer_that_is_lost_logs_nobody_out() {
    let site = Site::new().await;
    let mut ada = remembered_ada(&site).await;
    ada.drop_cookie("session");
    let mut lost = ada.clone();
    lost.get("/blogs").await.is(200);
    site.clock.advance(Duration::hours(3));
    let answer = ada.get("/blogs").await;
    answer.is(200).shows("Hi Ada").hides(STOLEN);
    assert!(answer.set_cookie(REMEMBER).is_some() && answer.set_cookie("session").is_some());
    site.clock.advance(Duration::hours(3));
    ada.get("/blogs").await.is(200);
    assert_eq!((site.sessions(EMAIL).await.len(), remembered(&site).await), (1, 1));
}

#[rocket::async_test]
async fn whoever_comes_back_too_often_is_asked_for_the_password_and_stays_remembered() {
    let site = Site::new().await;
    let mut ada = remembered_ada(&site).await;
    for _ in 0..30 {
        ada.drop_cookie("session");
        ada.get("/blogs").await.is(200);
    }
    ada.drop_cookie("session");
    let answer = ada.get("/blogs").await;
    answer.sees_other(TO_LOGIN);
    assert_eq!(answer.set_cookie(REMEMBER), None);
    assert_eq!(site.sessions(EMAIL).await.len(), 1);
    site.clock.advance(Duration::minutes(10));
    ada.get("/blogs").await.is(200);
}

#[rocket::async_test]
async fn a_copied_secret_is_a_theft_when_both_have_used_it() {
    let site = Site::new().await;
    let mut ada = remembered_ada(&site).await;
    ada.drop_cookie("session");
    let (mut slow, mut thief) = (ada.clone(), ada.clone());
    ada.get("/blogs").await.is(200);
    site.clock.advance(Duration::seconds(9));
    let answer = slow.get("/blogs").await;
    assert_eq!(answer.is(200).all("Set-Cookie").count(), 0);
    site.clock.advance(Duration::seconds(2));
    // For now, it looks as if the answer to Ada had been lost.
    thief.get("/blogs").await.is(200);
    let (mut ada, mut thief) = (thief, ada);

    let answer = thief.get("/blogs").await;
    answer.sees_other(TO_LOGIN);
    removes(&answer, REMEMBER);
    removes(&answer, "session");
    let page = thief.get(TO_LOGIN).await;
    page.is(200).shows(STOLEN).hides("Please log in to access");
    thief.get("/login").await.is(200).hides(STOLEN);
    // The site cannot know which of them is the thief, so it ends the sessions of both.
    ada.get("/blogs").await.sees_other(TO_LOGIN);
    assert_eq!(ada.cookie(REMEMBER), None);
    slow.get("/blogs").await.sees_other(TO_LOGIN);
    assert_eq!((site.sessions(EMAIL).await.len(), remembered(&site).await), (0, 0));
}

#[rocket::async_test]
async fn a_theft_is_told_on_the_next_page_whatever_was_asked_for() {
    let site = Site::new().await;
    let mut ada = remembered_ada(&site).await;
    ada.drop_cookie("session");
    let mut thief = ada.clone();
    for _ in 0..2 {
        ada.drop_cookie("session");
        ada.get("/blogs").await.is(200);
    }
    let mut bystander = site.logged_in(EMAIL).await;
    site.clock.advance(Duration::seconds(11));
    let page = thief.get("/").await;
    page.is(200).hides("Hi Ada");
    removes(&page, REMEMBER);
    thief.get("/login").await.is(200).shows(STOLEN);
    bystander.get("/blogs").await.is(200);
}

#[rocket::async_test]
async fn a_logout_ends_the_remembered_login_too() {
    let site = Site::new().await;
    for has_session in [true, false] {
        let site = if has_session { &site } else { &Site::new().await };
        let mut ada = remembered_ada(site).await;
        if !has_session {
            ada.drop_cookie("session");
        }
        let mut thief = ada.clone();
        thief.drop_cookie("session");
        let answer = ada.post_form("/logout", &[]).await;
        answer.sees_other("/login");
        removes(&answer, REMEMBER);
        removes(&answer, "session");
        assert_eq!((site.sessions(EMAIL).await.len(), remembered(site).await), (0, 0));
        thief.get("/blogs").await.sees_other(TO_LOGIN);
    }
}

#[rocket::async_test]
async fn a_login_replaces_what_the_browser_was_remembered_by() {
    let site = Site::new().await;
    let mut ada = remembered_ada(&site).await;
    let user = site.user(EMAIL).await;
    site.auth.by(&Caller::administrator()).admin().set_active(user.id, false).await.unwrap();
    ada.get("/blogs").await.sees_other(TO_LOGIN);
    site.auth.by(&Caller::administrator()).admin().set_active(user.id, true).await.unwrap();
    ada.log_in_remembered().await.sees_other("/blogs");
    let mut second = ada.clone();
    second.drop_cookie("session");
    second.get("/blogs").await.is(200);
    assert_eq!(remembered(&site).await, 1);
}

#[rocket::async_test]
async fn two_cookies_of_the_name_count_as_none() {
    let site = Site::new().await;
    let ada = remembered_ada(&site).await;
    let own = format!("{REMEMBER}={}", ada.cookie(REMEMBER).unwrap());
    for cookie in [
        format!("{own}; {own}"),
        format!("{own}; {REMEMBER}=x"),
        format!("{REMEMBER}=; {own}"),
        format!("remember%5Ftoken{}", own.trim_start_matches(REMEMBER)),
        format!("__Host-{own}"),
        own.to_uppercase(),
    ] {
        let mut visitor = site.anon();
        let answer = visitor.ask(Method::Get, "/blogs").header("Cookie", &cookie).send().await;
        assert_eq!(answer.status, 303, "{cookie}");
        assert_eq!(answer.set_cookie("session"), None);
    }
    let mut visitor = site.anon();
    visitor.ask(Method::Get, "/blogs").header("Cookie", &own).send().await.is(200);
}

#[rocket::async_test]
async fn what_is_no_token_of_ours_does_nothing() {
    let site = Site::new().await;
    let ada = remembered_ada(&site).await;
    let own = ada.cookie(REMEMBER).unwrap();
    let (series, secret) = own.split_once('.').unwrap();
    let none = "A".repeat(43);
    for garbage in [
        String::new(),
        "x".to_owned(),
        ".".to_owned(),
        series.to_owned(),
        secret.to_owned(),
        format!("{own}."),
        format!("{own}="),
        format!("{secret}.{series}"),
        format!("{none}.{none}"),
        format!("{none}.{secret}"),
        "a".repeat(4000),
    ] {
        let mut visitor = site.anon();
        visitor.set_cookie(REMEMBER, &garbage);
        visitor.get("/").await.is(200).hides("Hi Ada");
        visitor.set_cookie(REMEMBER, &garbage);
        visitor.get("/blogs").await.sees_other(TO_LOGIN);
        assert_eq!(visitor.cookie("session"), None, "{garbage}");
        visitor.get("/login").await.is(200).hides(STOLEN);
    }
    // An attacker who knows the series but no secret cannot end the login by guessing.
    assert_eq!(remembered(&site).await, 1);
}

#[rocket::async_test]
async fn a_session_that_stands_needs_no_remembered_login() {
    let site = Site::new().await;
    let mut ada = remembered_ada(&site).await;
    ada.set_cookie(REMEMBER, "garbage");
    assert_eq!(ada.get("/blogs").await.is(200).all("Set-Cookie").count(), 0);
}

#[rocket::async_test]
async fn where_it_is_switched_off_nobody_is_remembered() {
    let mut sessions = SessionConfig::default();
    sessions.remember = false;
    let site = Setup::default().sessions(sessions).start().await;
    site.register(EMAIL).await;
    let mut ada = site.anon();
    ada.get("/login").await.is(200).hides("Remember me").hides("name=\"remember\"");
    let answer = ada.log_in_remembered().await;
    assert_eq!(answer.sees_other("/blogs").all("Set-Cookie").count(), 2);
    assert_eq!(remembered(&site).await, 0);

    let other = Site::new().await;
    let remember = remembered_ada(&other).await.cookie(REMEMBER).unwrap().to_owned();
    let mut visitor = site.anon();
    visitor.set_cookie(REMEMBER, &remember);
    visitor.get("/blogs").await.sees_other(TO_LOGIN);
    assert_eq!(visitor.cookie("session"), None);
}

#[rocket::async_test]
async fn an_outage_is_no_reason_to_forget_anybody() {
    let site = Site::new().await;
    let mut ada = remembered_ada(&site).await;
    let mut without_session = ada.clone();
    without_session.drop_cookie("session");
    site.store.break_down();
    for actor in [&mut ada, &mut without_session] {
        for path in ["/blogs", "/", "/login"] {
            let answer = actor.get(path).await;
            answer.is(503).has("Retry-After", "5");
            assert_eq!(answer.all("Set-Cookie").count(), 0, "{path}");
        }
    }
    site.store.recover();
    without_session.get("/blogs").await.is(200);
}

#[rocket::async_test]
async fn a_user_who_is_disabled_is_not_remembered() {
    let site = Site::new().await;
    let mut ada = remembered_ada(&site).await;
    let user = site.user(EMAIL).await;
    site.auth.by(&Caller::administrator()).admin().set_active(user.id, false).await.unwrap();
    ada.get("/blogs").await.sees_other(TO_LOGIN);
    assert_eq!(ada.cookie(REMEMBER), None);
    ada.get("/login").await.is(200).hides(STOLEN);
    assert_eq!(remembered(&site).await, 0);
}
