//! Tests of what each page answers to each kind of visitor.

use countersign_domain::Duration;
use rocket::http::Method;

use crate::support::{Answer, EMAIL, OTHER_PASSWORD, PASSWORD, Setup, Site, USERNAME};

/// A page that contains this text, or a redirect to this target.
enum Expected {
    Page(&'static str),
    To(&'static str),
}

use Expected::{Page, To};

#[track_caller]
fn check(answer: &Answer, expected: &Expected) {
    match expected {
        Page(text) => answer.is(200).shows(text),
        To(location) => answer.sees_other(location),
    };
}

#[rocket::async_test]
async fn pages_that_an_anonymous_visitor_gets() {
    let site = Site::new().await;
    for (path, expected) in [
        ("/", Page("<a class=\"button\" href=\"/login\">Log in</a>")),
        ("/", Page("<a class=\"button quiet\" href=\"/register\">Register</a>")),
        ("/register", Page("<form method=\"post\" action=\"/register\"")),
        ("/login", Page("<form method=\"post\" action=\"/login\"")),
        ("/login?next=%2Fblogs", Page("<input type=\"hidden\" name=\"next\" value=\"/blogs\">")),
        ("/blogs", To("/login?next=%2Fblogs")),
        ("/blogs?page=2&q=a%20b", To("/login?next=%2Fblogs%3Fpage%3D2%26q%3Da%2520b")),
        ("/logout", To("/login")),
        ("/health/live", Page("live")),
        ("/health/ready", Page("ready")),
    ] {
        check(&site.anon().get(path).await, &expected);
    }
}

#[rocket::async_test]
async fn pages_that_a_member_gets() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for (path, expected) in [
        ("/", Page("<h1>Hi Ada</h1>")),
        ("/register", To("/blogs")),
        ("/login", To("/blogs")),
        ("/login?next=%2F", To("/")),
        ("/blogs", Page("<h1>Hi Ada</h1>")),
        ("/blogs", Page("<form method=\"post\" action=\"/logout\"")),
        ("/logout", Page("<form method=\"post\" action=\"/logout\"")),
        ("/health/live", Page("live")),
        ("/health/ready", Page("ready")),
    ] {
        check(&ada.get(path).await, &expected);
    }
}

#[rocket::async_test]
async fn whoever_registers_is_sent_to_log_in_and_from_there_to_the_members_page() {
    let site = Site::new().await;
    let mut visitor = site.anon();
    let form = [("email", EMAIL), ("username", USERNAME), ("password", PASSWORD)];
    visitor.post_form("/register", &form).await.sees_other("/login");
    visitor.get("/login").await.is(200).shows("Your account is ready. Please log in.");
    visitor.log_in(EMAIL, PASSWORD).await.sees_other("/blogs");
    visitor.get("/blogs").await.is(200).shows("Hi Ada").shows(EMAIL);
    visitor.post_form("/logout", &[]).await.sees_other("/login");
    visitor.get("/login").await.is(200).shows("You have been logged out.");
    visitor.get("/blogs").await.sees_other("/login?next=%2Fblogs");
}

#[rocket::async_test]
async fn every_redirect_after_a_form_is_a_303() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let account = [("email", "bob@example.org"), ("username", "Bob"), ("password", PASSWORD)];
    let login = [("email", EMAIL), ("password", PASSWORD)];
    for (path, form, location) in [
        ("/register", &account[..], "/login"),
        ("/login", &login, "/blogs"),
        ("/logout", &[], "/login"),
    ] {
        site.anon().post_form(path, form).await.sees_other(location);
    }
    let mut ada = site.logged_in(EMAIL).await;
    ada.post_form("/login", &login).await.sees_other("/blogs");
    let next = [&login[..], &[("next", "/?a=b")]].concat();
    ada.post_form("/login", &next).await.sees_other("/?a=b");
    ada.post_form("/logout", &[]).await.sees_other("/login");
}

#[rocket::async_test]
async fn a_member_registers_nobody_keeps_their_session_and_what_was_typed() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    let form = [("email", "bob@example.org"), ("username", "Bob"), ("password", PASSWORD)];
    let answer = ada.post_form("/register", &form).await;
    answer.is(409).shows("You are logged in as Ada.").shows("bob@example.org").hides(PASSWORD);
    assert_eq!(answer.set_cookie("session"), None);
    ada.get("/blogs").await.is(200).shows("Hi Ada");
    assert_eq!(site.users().await.len(), 1);
    ada.get("/register").await.sees_other("/blogs");
}

#[rocket::async_test]
async fn a_login_takes_the_place_of_another_only_with_the_right_password() {
    let site = Site::new().await;
    let bert = "bert@example.org";
    site.register(bert).await;
    let mut browser = site.ada().await;
    let anna = browser.clone();
    browser.log_in(bert, OTHER_PASSWORD).await.is(401).shows("Invalid email or password.");
    browser.get("/blogs").await.is(200);
    assert_eq!(browser.token(), anna.token());
    browser.log_in(bert, PASSWORD).await.sees_other("/blogs");
    assert_ne!(browser.token(), anna.token());
    assert_eq!((site.sessions(EMAIL).await.len(), site.sessions(bert).await.len()), (0, 1));
    browser.get("/account").await.is(200).shows(bert);
    // The same user once more begins a new session in place of the old one.
    browser.log_in(bert, PASSWORD).await.sees_other("/blogs");
    assert_eq!(site.sessions(bert).await.len(), 1);
}

#[rocket::async_test]
async fn the_way_to_a_page_survives_registration() {
    let site = Site::new().await;
    let mut anon = site.anon();
    let (login, register) =
        ("/login?next=%2Fblogs%3Fpage%3D2", "/register?next=%2Fblogs%3Fpage%3D2");
    anon.get("/blogs?page=2").await.sees_other(login);
    anon.get(login).await.is(200).shows(&format!("href=\"{register}\""));
    let page = anon.get(register).await;
    page.is(200).shows("name=\"next\" value=\"/blogs?page=2\"").shows(&format!("href=\"{login}\""));
    let next = ("next", "/blogs?page=2");
    let wrong = [("email", EMAIL), ("username", USERNAME), ("password", "short"), next];
    let page = anon.post_form("/register", &wrong).await;
    page.is(422).shows("name=\"next\" value=\"/blogs?page=2\"");
    let form = [("email", EMAIL), ("username", USERNAME), ("password", PASSWORD), next];
    anon.post_form("/register", &form).await.sees_other(login);
    let form = [("email", "bob@example.org"), ("username", "Bob"), ("password", PASSWORD)];
    let elsewhere = [&form[..], &[("next", "//evil.example")]].concat();
    anon.post_form("/register", &elsewhere).await.sees_other("/login");
    site.logged_in(EMAIL).await.get(register).await.sees_other("/blogs?page=2");
}

#[rocket::async_test]
async fn a_browser_that_keeps_no_cookie_is_told_why_its_login_does_not_stick() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let hint = "your browser has not kept our cookie";
    let login = [("email", EMAIL), ("password", PASSWORD), ("next", "/blogs")];
    site.anon().post_form("/login", &login).await.sees_other("/blogs");
    let to_login = "/login?next=%2Fblogs";
    site.anon().get("/blogs").await.sees_other(to_login);
    site.anon().get(to_login).await.is(200).shows(hint);
    let mut forgetful = site.anon();
    let ask = forgetful.ask(Method::Get, to_login).header("Sec-Fetch-Site", "same-origin");
    ask.send().await.is(200).shows(hint);
    // Whoever comes from elsewhere has no cookie yet, and a browser that keeps them sends one.
    for elsewhere in ["none", "cross-site"] {
        let mut anon = site.anon();
        let ask = anon.ask(Method::Get, to_login).header("Sec-Fetch-Site", elsewhere);
        ask.send().await.is(200).hides(hint);
    }
    let mut usual = site.anon();
    usual.get("/blogs").await.sees_other(to_login);
    usual.get(to_login).await.is(200).hides(hint);
    site.anon().get("/login").await.is(200).hides(hint);
}

#[rocket::async_test]
async fn registration_does_not_log_in() {
    let site = Site::new().await;
    let mut visitor = site.anon();
    let form = [("email", EMAIL), ("username", USERNAME), ("password", PASSWORD)];
    let answer = visitor.post_form("/register", &form).await;
    assert_eq!(answer.set_cookie("session"), None);
    assert!(site.sessions(EMAIL).await.is_empty());
}

#[rocket::async_test]
async fn a_link_to_the_logout_page_logs_nobody_out() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for method in [Method::Get, Method::Head] {
        ada.ask(method, "/logout").send().await.is(200);
    }
    ada.get("/blogs").await.is(200);
}

#[rocket::async_test]
async fn a_message_is_shown_once() {
    let site = Site::new().await;
    let mut visitor = site.anon();
    visitor.get("/blogs").await;
    let text = "Please log in to access this page.";
    visitor.get("/login?next=%2Fblogs").await.is(200).shows(text);
    visitor.get("/login?next=%2Fblogs").await.is(200).hides(text);
    assert_eq!(visitor.cookie("flash"), None);
}

#[rocket::async_test]
async fn a_message_cookie_that_the_site_did_not_write_shows_nothing() {
    let site = Site::new().await;
    let plain = site.anon().get("/login").await.text;
    for forged in ["Your+password+expired", "<b>x</b>", "login-required-x", "LOGGED-OUT", "0"] {
        let mut visitor = site.anon();
        visitor.set_cookie("flash", forged);
        let answer = visitor.get("/login").await;
        assert_eq!(answer.is(200).text, plain, "{forged}");
        assert_eq!(visitor.cookie("flash"), None, "{forged}");
    }
}

#[rocket::async_test]
async fn while_registration_is_closed_nobody_registers_and_no_page_offers_it() {
    let site = Setup::default().closed().start().await;
    let mut visitor = site.anon();
    let form = [("email", EMAIL), ("username", USERNAME), ("password", PASSWORD)];
    visitor.get("/register").await.is(403).shows("Registration is closed");
    visitor.post_form("/register", &form).await.is(403).shows("Registration is closed");
    assert!(site.users().await.is_empty());
    assert_eq!(site.auth.testing().hashes_computed(), 0);
    for path in ["/", "/login", "/register", "/nowhere"] {
        visitor.get(path).await.hides("href=\"/register\"");
    }
    // Existing users can still log in.
    let mut ada = site.ada().await;
    ada.get("/register").await.sees_other("/blogs");
}

#[rocket::async_test]
async fn what_is_not_there_is_a_404_page() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for path in ["/nowhere", "/login/x", "/Login", "/static/", "/static", "/blogs/1", "/auth/login"]
    {
        site.anon().get(path).await.is(404).shows("Page not found");
        ada.get(path).await.is(404).shows("Page not found");
    }
    for (method, path) in [
        (Method::Post, "/"),
        (Method::Post, "/blogs"),
        (Method::Put, "/login"),
        (Method::Delete, "/login"),
        (Method::Patch, "/register"),
        (Method::Options, "/login"),
    ] {
        ada.ask(method, path).send().await.is(404);
    }
}

#[rocket::async_test]
async fn head_is_answered_like_get_without_a_body() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for path in ["/", "/blogs", "/logout", "/health/ready"] {
        let (get, head) = (ada.get(path).await, ada.ask(Method::Head, path).send().await);
        assert_eq!((head.is(get.status).text.as_str(), path), ("", path));
        assert_eq!(head.header("Content-Type"), get.header("Content-Type"), "{path}");
    }
    let answer = site.anon().ask(Method::Head, "/blogs").send().await;
    answer.sees_other("/login?next=%2Fblogs");
}

#[rocket::async_test]
async fn one_request_looks_its_session_up_once() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for path in ["/", "/blogs", "/login", "/logout", "/nowhere"] {
        site.clock.advance(Duration::SECOND);
        let before = site.store.lookups();
        ada.get(path).await;
        assert_eq!(site.store.lookups() - before, 1, "{path}");
        ada.get(path).await;
        assert_eq!(site.store.lookups() - before, 1, "{path} in the same second");
    }
}
