//! Tests of the throttle: guessers are told to wait and learn nothing else, and known browsers are let in.

use rocket::http::Method;

use crate::login_secrecy::{FAILURES, comparable, with_each_kind};
use crate::support::{Actor, Answer, EMAIL, OTHER_PASSWORD, PASSWORD, Setup, Site, USERNAME};
use crate::views::looks_like;

const HOME: &str = "203.0.113.7";
const AWAY: &str = "198.51.100.9";
const WAIT: &str = "Too many attempts. Please try again in 5 minutes.";

/// Fails five times to log in, after which the account is closed to this address for five minutes.
async fn close(actor: &mut Actor<'_>, email: &str) {
    for _ in 0..5 {
        actor.log_in(email, OTHER_PASSWORD).await.is(401);
    }
}

/// Fails ten times to log in as Ada, each time from another network, after which her account is closed to all
/// addresses.
async fn besiege(site: &Site) {
    for n in 0..10 {
        let mut stranger = site.anon().at(&format!("11.0.{n}.1"));
        stranger.log_in(EMAIL, OTHER_PASSWORD).await.is(401);
    }
}

/// Asserts that the answer is the form without a password, with a time to wait.
#[track_caller]
fn is_told_to_wait(answer: &Answer) {
    answer.is(429).has("Retry-After", "300").shows(WAIT).has("Cache-Control", "no-store");
    answer.hides(PASSWORD).hides(OTHER_PASSWORD);
    for field in ["name=\"password\"", "name=\"current_password\""] {
        let tags = answer.text.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap());
        for tag in tags.filter(|tag| tag.contains(field)) {
            assert!(!tag.contains("value="), "{tag}");
        }
    }
    assert_eq!(answer.all("Set-Cookie").count(), 0, "{}", answer.what);
}

#[track_caller]
fn is_problem(answer: &Answer, wait: &str) {
    answer.is(429).has("Content-Type", "application/problem+json").has("Retry-After", wait);
    let problem = answer.json();
    assert_eq!((&problem["status"], &problem["type"]), (&429.into(), &"about:blank".into()));
    assert_eq!(problem["title"], "Too Many Requests");
    assert!(problem["detail"].as_str().unwrap().starts_with("Too many attempts."), "{problem}");
    assert_eq!(problem.get("errors").and_then(|errors| errors.get("password")), None);
}

#[rocket::async_test]
async fn the_login_form_comes_back_as_it_was_but_for_the_password() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let mut visitor = site.anon().at(HOME);
    close(&mut visitor, EMAIL).await;
    let form =
        [("email", EMAIL), ("password", PASSWORD), ("remember", "on"), ("next", "/blogs?page=2")];
    let answer = visitor.post_form("/login", &form).await;
    is_told_to_wait(&answer);
    assert!(answer.input("email").contains(EMAIL));
    assert!(answer.input("remember").contains("checked"));
    assert!(answer.input("next").contains("/blogs?page=2"));
    looks_like("login-throttled", &answer);
    let ask = visitor.ask(Method::Post, "/login").form(&form).header("Accept", "application/json");
    is_problem(&ask.send().await, "300");
    let ask = visitor.ask(Method::Post, "/login").form(&form).header("HX-Request", "true");
    let answer = ask.send().await;
    is_told_to_wait(&answer);
    assert_eq!(answer.header("HX-Redirect"), None);
    // Opening the page does not count as a try.
    visitor.get("/login").await.is(200).hides("Too many");
    assert!(site.sessions(EMAIL).await.is_empty());
}

#[rocket::async_test]
async fn every_form_for_members_says_the_same_and_keeps_no_password() {
    for (path, field) in [
        ("/reauthenticate", "password"),
        ("/account/password", "current_password"),
        ("/account/delete", "password"),
    ] {
        let site = Site::new().await;
        let mut ada = site.ada().await;
        let form = |typed| match path {
            "/account/password" => vec![(field, typed), ("password", "eleven grey herons wade")],
            _ => vec![(field, typed), ("next", "/blogs?page=2")],
        };
        for _ in 0..5 {
            ada.post_form(path, &form(OTHER_PASSWORD)).await.is(401);
        }
        let answer = ada.post_form(path, &form(PASSWORD)).await;
        is_told_to_wait(answer.hides("eleven grey herons"));
        if path == "/reauthenticate" {
            assert!(answer.input("next").contains("/blogs?page=2"));
        }
        let ask = ada.ask(Method::Post, path).form(&form(PASSWORD));
        is_problem(&ask.header("Accept", "application/json").send().await, "300");
        let ask = ada.ask(Method::Post, path).form(&form(PASSWORD));
        is_told_to_wait(&ask.header("HX-Request", "true").send().await);
        // The user stays logged in.
        ada.get("/blogs").await.is(200);
        assert_eq!(site.users().await.len(), 1);
    }
}

#[rocket::async_test]
async fn who_registers_too_often_gets_the_form_back_as_it_was_but_for_the_password() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let mut visitor = site.anon().at(HOME);
    let form = [("email", EMAIL), ("username", USERNAME), ("password", PASSWORD)];
    for _ in 0..20 {
        visitor.post_form("/register", &form).await.is(409);
    }
    let before = site.auth.testing().hashes_computed();
    let form = [("email", "bob@example.org"), ("username", "Bob"), ("password", PASSWORD)];
    let answer = visitor.post_form("/register", &form).await;
    answer.is(429).has("Retry-After", "60").shows("try again in 60 seconds.").hides(PASSWORD);
    assert!(answer.input("email").contains("bob@example.org"));
    assert!(answer.input("username").contains("Bob"));
    assert!(!answer.input("password").contains("value="));
    let ask = visitor.ask(Method::Post, "/register").form(&form);
    is_problem(&ask.header("Accept", "application/json").send().await, "60");
    assert_eq!(site.auth.testing().hashes_computed(), before);
    site.anon().at(AWAY).post_form("/register", &form).await.sees_other("/login");
}

#[rocket::async_test]
async fn the_page_and_the_header_name_the_same_time() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let mut visitor = site.anon().at(HOME);
    close(&mut visitor, EMAIL).await;
    let mut gone = 0;
    for (after, header, words) in [
        (0, "300", "5 minutes"),
        (1_000, "299", "5 minutes"),
        (209_000, "91", "2 minutes"),
        (210_000, "90", "90 seconds"),
        (298_001, "2", "2 seconds"),
        (299_000, "1", "1 second"),
        (299_999, "1", "1 second"),
    ] {
        site.clock.advance(time::Duration::milliseconds(after - gone));
        gone = after;
        let answer = visitor.log_in(EMAIL, PASSWORD).await;
        answer.is(429).has("Retry-After", header).shows(&format!("try again in {words}."));
    }
    site.clock.advance(time::Duration::MILLISECOND);
    visitor.log_in(EMAIL, PASSWORD).await.sees_other("/blogs");
}

#[rocket::async_test]
async fn nobody_learns_from_being_slowed_down_who_is_there() {
    let site = with_each_kind(Setup::default()).await;
    for (n, headers) in
        [&[][..], &[("Accept", "application/json")], &[("HX-Request", "true")]].iter().enumerate()
    {
        let mut first = None;
        // Each uses its own network, so that only the tries on the account count.
        for (m, (email, password)) in FAILURES.into_iter().enumerate() {
            let mut visitor = site.anon().at(&format!("11.{n}.{m}.1"));
            let form = [("email", email), ("password", password), ("next", "/blogs")];
            // Two of the failures concern the same user, whose account slows down everywhere after ten.
            let mut answers = Vec::new();
            for _ in 0..6 {
                let ask = visitor.ask(Method::Post, "/login").headers(headers).form(&form);
                let answer = ask.send().await;
                answers.push(comparable(&answer, email));
                assert_eq!(answer.all("Set-Cookie").count(), 0, "{email}");
            }
            let statuses: Vec<_> = answers.iter().map(|(status, ..)| *status).collect();
            assert_eq!(statuses, [401, 401, 401, 401, 401, 429], "{email}");
            assert_eq!(*first.get_or_insert(answers.clone()), answers, "{email}");
            site.clock.advance(time::Duration::DAY);
        }
    }
}

#[rocket::async_test]
async fn a_known_browser_is_let_in_while_strangers_are_slowed_down() {
    let site = Site::new().await;
    let mut ada = site.anon().at(HOME);
    site.register(EMAIL).await;
    let answer = ada.log_in(EMAIL, PASSWORD).await;
    let cookie = answer.sees_other("/blogs").set_cookie("known_browser").unwrap();
    assert!(cookie.ends_with("; HttpOnly; SameSite=Lax; Path=/; Max-Age=31536000"), "{cookie}");
    let known = ada.cookie("known_browser").unwrap().to_owned();
    let answer = ada.post_form("/logout", &[]).await;
    answer.sees_other("/login").has("Clear-Site-Data", "\"storage\"");
    assert_eq!(ada.cookie("known_browser"), Some(&*known));
    besiege(&site).await;
    let answer = site.anon().at(HOME).log_in(EMAIL, PASSWORD).await;
    answer.is(429).has("Retry-After", "1");
    let answer = ada.log_in(EMAIL, PASSWORD).await;
    assert_eq!(answer.sees_other("/blogs").set_cookie("known_browser"), None, "it is known");
    assert_eq!(ada.cookie("known_browser"), Some(&*known));
    // Ada's login does not open the account for others.
    site.anon().at(AWAY).log_in(EMAIL, PASSWORD).await.is(429);
}

#[rocket::async_test]
async fn on_https_the_cookie_of_a_known_browser_is_bound_to_the_host() {
    let site = Setup::default().https().start().await;
    site.register(EMAIL).await;
    let answer = site.anon().log_in(EMAIL, PASSWORD).await;
    let cookie = answer.set_cookie("__Host-known_browser").unwrap();
    let attributes = cookie.split_once(';').unwrap().1;
    assert_eq!(attributes, " HttpOnly; SameSite=Lax; Path=/; Secure; Max-Age=31536000");
}

#[rocket::async_test]
async fn what_is_no_cookie_of_a_known_browser_is_none_and_breaks_nothing() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let mut ada = site.logged_in(EMAIL).await;
    let known = ada.cookie("known_browser").unwrap().to_owned();
    ada.post_form("/logout", &[]).await;
    besiege(&site).await;
    let (long, unknown) = ("A".repeat(7_000), "A".repeat(known.len()));
    let with = async |cookie: &str| {
        let form = [("email", EMAIL), ("password", PASSWORD)];
        let mut visitor = site.anon().at(AWAY);
        let ask = visitor.ask(Method::Post, "/login").form(&form);
        ask.header("Cookie", cookie).send().await
    };
    for cookie in [
        &*format!("known_browser={known}; known_browser={known}"),
        &format!("known_browser={known}; known_browser="),
        &format!("known_browser={known}A"),
        &format!("known_browser=\"{known}\""),
        &format!("known%5Fbrowser={known}"),
        &format!("Known_Browser={known}"),
        &format!("session={known}"),
        &format!("known_browser={long}"),
        &format!("known_browser={unknown}"),
        "known_browser=%00%ff'--",
        "known_browser",
        "=;;=",
    ] {
        let answer = with(cookie).await;
        assert_eq!((answer.status, answer.all("Set-Cookie").count()), (429, 0), "{cookie}");
    }
    with(&format!("known_browser={known}")).await.sees_other("/blogs");
    // While the throttle lets everybody in, a browser with an invalid token gets a new one.
    site.clock.advance(time::Duration::DAY);
    let planted = format!("known_browser={unknown}");
    for cookie in [&*planted, "known_browser=nonsense", "known_browser=a; known_browser=b"] {
        let answer = with(cookie).await;
        let fresh = answer.sees_other("/blogs").set_cookie("known_browser").unwrap();
        assert!(!fresh.starts_with(&planted), "{fresh}");
    }
}

#[rocket::async_test]
async fn a_browser_that_is_known_to_one_user_is_a_stranger_to_another() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    site.register("eve@example.org").await;
    let mut eve = site.logged_in("eve@example.org").await.at(AWAY);
    eve.post_form("/logout", &[]).await;
    besiege(&site).await;
    eve.log_in(EMAIL, PASSWORD).await.is(429);
}

#[rocket::async_test]
async fn a_success_does_not_clear_what_its_address_has_failed() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let here = || site.anon().at(HOME);
    for n in 0..9 {
        here().log_in(&format!("nobody{n}@example.org"), PASSWORD).await.is(401);
    }
    for _ in 0..3 {
        here().log_in(EMAIL, PASSWORD).await.sees_other("/blogs");
    }
    here().log_in("nobody9@example.org", PASSWORD).await.is(401);
    here().log_in(EMAIL, PASSWORD).await.is(429).has("Retry-After", "60");
    site.anon().at(AWAY).log_in(EMAIL, PASSWORD).await.sees_other("/blogs");
}

#[rocket::async_test]
async fn no_header_of_a_clients_own_gives_it_another_address() {
    let site = Site::new().await;
    for n in 0..10 {
        let mut visitor = site.anon().at(HOME);
        let email = format!("nobody{n}@example.org");
        let form = [("email", &*email), ("password", PASSWORD)];
        let (forged, forwarded) = (format!("11.0.{n}.1"), format!("for=11.0.{n}.1"));
        let ask = visitor.ask(Method::Post, "/login").form(&form);
        let headers = [("X-Forwarded-For", &*forged), ("X-Real-IP", &forged)];
        ask.headers(&headers).header("Forwarded", &forwarded).send().await.is(401);
    }
    site.anon().at(HOME).log_in("nobody10@example.org", PASSWORD).await.is(429);
}
