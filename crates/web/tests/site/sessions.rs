//! Tests of how sessions begin and end.

use countersign_web::auth::Caller;
use countersign_web::domain::Duration;

use crate::support::{EMAIL, OTHER_PASSWORD, PASSWORD, Site};

const TO_LOGIN: &str = "/login?next=%2Fblogs";

#[rocket::async_test]
async fn a_session_that_was_logged_out_is_dead_on_the_server() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    let mut thief = ada.clone();
    thief.get("/blogs").await.is(200);
    let answer = ada.post_form("/logout", &[]).await;
    answer.sees_other("/login").has("Clear-Site-Data", "\"storage\"");
    assert_eq!(ada.cookie("session"), None);
    assert!(site.sessions(EMAIL).await.is_empty());
    thief.get("/blogs").await.sees_other(TO_LOGIN);
    thief.get("/").await.is(200).hides("Hi Ada");
}

#[rocket::async_test]
async fn a_logout_ends_no_other_session() {
    let site = Site::new().await;
    let mut here = site.ada().await;
    let mut there = site.logged_in(EMAIL).await;
    here.post_form("/logout", &[]).await.sees_other("/login");
    there.get("/blogs").await.is(200);
}

#[rocket::async_test]
async fn whoever_is_not_logged_in_may_log_out_all_the_same() {
    let site = Site::new().await;
    for cookie in [None, Some("stale"), Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")] {
        let mut visitor = site.anon();
        if let Some(cookie) = cookie {
            visitor.set_cookie("session", cookie);
        }
        visitor.post_form("/logout", &[]).await.sees_other("/login");
        assert_eq!(visitor.cookie("session"), None);
    }
}

#[rocket::async_test]
async fn a_session_that_is_not_used_ends_after_half_an_hour() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    site.clock.advance(Duration::minutes(30) - Duration::SECOND);
    ada.get("/blogs").await.is(200);
    site.clock.advance(Duration::minutes(30));
    ada.get("/blogs").await.sees_other(TO_LOGIN);
}

#[rocket::async_test]
async fn a_session_that_is_used_does_not_idle_out_but_ends_after_twelve_hours() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for _ in 0..35 {
        site.clock.advance(Duration::minutes(20));
        ada.get("/blogs").await.is(200);
    }
    site.clock.advance(Duration::minutes(20) - Duration::SECOND);
    ada.get("/blogs").await.is(200);
    site.clock.advance(Duration::SECOND);
    ada.get("/blogs").await.sees_other(TO_LOGIN);
    assert!(site.sessions(EMAIL).await.is_empty());
}

#[rocket::async_test]
async fn a_session_is_kept_awake_by_any_page_that_looks_at_it() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for path in ["/", "/login", "/logout", "/nowhere", "/"] {
        site.clock.advance(Duration::minutes(20));
        ada.get(path).await;
    }
    ada.get("/blogs").await.is(200);
}

#[rocket::async_test]
async fn every_login_gets_a_token_of_its_own() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let mut tokens = std::collections::HashSet::new();
    for _ in 0..5 {
        let token = site.logged_in(EMAIL).await.token();
        assert_eq!(token.len(), 43, "256 bits as base64url");
        assert!(tokens.insert(token));
    }
    assert_eq!(site.sessions(EMAIL).await.len(), 5);
}

#[rocket::async_test]
async fn a_login_does_not_adopt_a_cookie_that_the_visitor_sent() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let planted = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let mut victim = site.anon();
    victim.set_cookie("session", planted);
    victim.log_in(EMAIL, PASSWORD).await.sees_other("/blogs");
    assert_ne!(victim.token(), planted);
    let mut attacker = site.anon();
    attacker.set_cookie("session", planted);
    attacker.get("/blogs").await.sees_other(TO_LOGIN);
}

#[rocket::async_test]
async fn a_session_that_ended_is_not_adopted_by_the_next_login() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    let old = ada.token();
    site.clock.advance(Duration::hours(13));
    ada.log_in(EMAIL, PASSWORD).await.sees_other("/blogs");
    assert_ne!(ada.token(), old);
    let mut thief = site.anon();
    thief.set_cookie("session", &old);
    thief.get("/blogs").await.sees_other(TO_LOGIN);
}

#[rocket::async_test]
async fn a_new_password_ends_every_session_and_the_old_one_no_longer_logs_in() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    let user = site.users().await.remove(0);
    site.auth
        .by(&Caller::administrator())
        .admin()
        .set_password(&user, OTHER_PASSWORD)
        .await
        .unwrap();
    ada.get("/blogs").await.sees_other(TO_LOGIN);
    ada.log_in(EMAIL, PASSWORD).await.is(401);
    ada.log_in(EMAIL, OTHER_PASSWORD).await.sees_other("/blogs");
}

#[rocket::async_test]
async fn the_session_of_a_user_who_is_deleted_is_nobodys() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    let user = site.users().await.remove(0);
    site.auth.by(&Caller::administrator()).admin().delete(user.id).await.unwrap();
    ada.get("/blogs").await.sees_other(TO_LOGIN);
    ada.log_in(EMAIL, PASSWORD).await.is(401);
}

#[rocket::async_test]
async fn the_oldest_session_ends_when_there_are_more_than_twenty() {
    let site = Site::new().await;
    let mut first = site.ada().await;
    let mut second = None;
    for _ in 0..20 {
        site.clock.advance(Duration::SECOND);
        let actor = site.logged_in(EMAIL).await;
        second.get_or_insert(actor);
    }
    assert_eq!(site.sessions(EMAIL).await.len(), 20);
    first.get("/blogs").await.sees_other(TO_LOGIN);
    second.unwrap().get("/blogs").await.is(200);
}

#[rocket::async_test]
async fn the_database_holds_no_token() {
    let site = Site::new().await;
    let ada = site.ada().await;
    let token = ada.token();
    let session = site.sessions(EMAIL).await.remove(0);
    assert!(!format!("{session:?}").contains(&token));
    assert_ne!(session.id.to_string(), token);
    // The id of a session is not accepted as its token.
    let mut thief = site.anon();
    thief.set_cookie("session", &session.id.to_string());
    thief.get("/blogs").await.sees_other(TO_LOGIN);
}
