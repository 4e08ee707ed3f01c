//! Tests of how cookies are set, and which ones are accepted.

use rocket::http::Method;

use crate::support::{Answer, EMAIL, PASSWORD, Setup, Site};

/// Returns the session cookie that an answer sets, without its token.
#[track_caller]
fn attributes(answer: &Answer, name: &str) -> String {
    let header = answer.set_cookie(name).unwrap_or_default();
    let token = header.split(['=', ';']).nth(1).unwrap_or_default();
    header.replace(&format!("={token};"), "=TOKEN;")
}

#[rocket::async_test]
async fn over_http_a_session_cookie_has_these_attributes_and_no_others() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let answer = site.anon().log_in(EMAIL, PASSWORD).await;
    assert_eq!(attributes(&answer, "session"), "session=TOKEN; HttpOnly; SameSite=Lax; Path=/");
    let expected = "known_browser=TOKEN; HttpOnly; SameSite=Lax; Path=/; Max-Age=31536000";
    assert_eq!(attributes(&answer, "known_browser"), expected);
    assert_eq!(answer.all("Set-Cookie").count(), 2);
}

#[rocket::async_test]
async fn over_https_a_session_cookie_is_bound_to_this_host() {
    let site = Setup::default().https().start().await;
    site.register(EMAIL).await;
    let mut ada = site.anon();
    let answer = ada.log_in(EMAIL, PASSWORD).await;
    let expected = "__Host-session=TOKEN; HttpOnly; SameSite=Lax; Path=/; Secure";
    assert_eq!(attributes(&answer, "__Host-session"), expected);
    let expected = "__Host-known_browser=TOKEN; HttpOnly; SameSite=Lax; Path=/; Secure; \
                    Max-Age=31536000";
    assert_eq!(attributes(&answer, "__Host-known_browser"), expected);
    assert_eq!(answer.all("Set-Cookie").count(), 2);
    ada.get("/blogs").await.is(200);
    // The token is not accepted under the other name.
    let token = ada.cookie("__Host-session").unwrap().to_owned();
    let mut other = site.anon();
    other.set_cookie("session", &token);
    other.get("/blogs").await.is(303);
}

#[rocket::async_test]
async fn a_logout_removes_the_cookie_with_the_attributes_it_was_set_with() {
    let over_http = Site::new().await;
    let over_https = Setup::default().https().start().await;
    for (site, expected) in [
        (&over_http, "session=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0"),
        (&over_https, "__Host-session=; HttpOnly; SameSite=Lax; Path=/; Secure; Max-Age=0"),
    ] {
        site.register(EMAIL).await;
        let mut ada = site.logged_in(EMAIL).await;
        let answer = ada.post_form("/logout", &[]).await;
        let name = expected.split('=').next().unwrap();
        assert_eq!(answer.set_cookie(name), Some(expected));
    }
}

#[rocket::async_test]
async fn a_message_cookie_holds_a_code_and_lives_for_a_minute() {
    let over_http = Site::new().await;
    let over_https = Setup::default().https().start().await;
    for (site, expected) in [
        (&over_http, "flash=login-required; HttpOnly; SameSite=Lax; Path=/; Max-Age=60"),
        (
            &over_https,
            "__Host-flash=login-required; HttpOnly; SameSite=Lax; Path=/; Secure; Max-Age=60",
        ),
    ] {
        let answer = site.anon().get("/blogs").await;
        assert_eq!(answer.all("Set-Cookie").collect::<Vec<_>>(), [expected]);
    }
}

#[rocket::async_test]
async fn a_page_that_changes_nothing_sets_no_cookie() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for path in ["/", "/blogs", "/login", "/logout", "/nowhere", "/health/live"] {
        let answer = ada.get(path).await;
        assert_eq!(answer.all("Set-Cookie").count(), 0, "{path}");
    }
    for path in ["/", "/login", "/register", "/nowhere"] {
        let answer = site.anon().get(path).await;
        assert_eq!(answer.all("Set-Cookie").count(), 0, "{path}");
    }
}

#[rocket::async_test]
async fn only_one_cookie_of_exactly_this_name_counts() {
    let site = Setup::default().https().start().await;
    site.register(EMAIL).await;
    let mut ada = site.anon();
    ada.log_in(EMAIL, PASSWORD).await.sees_other("/blogs");
    let token = ada.cookie("__Host-session").unwrap().to_owned();
    let own = format!("__Host-session={token}");
    let other = "A".repeat(43);
    let mut none = vec![
        format!("{own}; {own}"),
        format!("{own}; __Host-session={other}"),
        format!("__Host-session={other}; {own}"),
        format!("__Host-session=; {own}"),
        format!("{own}; a=b; __Host-session="),
        format!("__host-session={token}"),
        format!("__Host-Session={token}"),
        format!("__Host-session{token}"),
        format!("__Host-session=\"{token}\""),
        format!("__Host-session={token}="),
        format!("__Host-session= {token}"),
        format!("__Host-session ={token}"),
        format!("%5F%5FHost-session={token}"),
        format!("__Host%2Dsession={token}"),
        format!("__Host-%73ession={token}"),
        format!("__Secure-session={token}"),
        format!("session={token}"),
        format!("a=b,{own}"),
        format!("$Version=1; \"{own}\""),
    ];
    let blanks = ['\u{85}', '\u{a0}', '\u{2000}', '\u{2003}', '\u{2028}', '\u{3000}', '\u{b}'];
    for blank in blanks.into_iter().chain(['\u{200b}', '\u{feff}']) {
        none.push(format!("{blank}{own}"));
        none.push(format!("__Host-session{blank}={token}"));
        none.push(format!("a=b;{blank}{own}"));
    }
    for cookie in none {
        let mut visitor = site.anon();
        let answer = visitor.ask(Method::Get, "/blogs").header("Cookie", &cookie).send().await;
        assert_eq!(answer.status, 303, "{cookie:?}");
    }
    // Two cookies in two headers are refused like two in one header.
    let mut visitor = site.anon();
    let ask = visitor.ask(Method::Get, "/blogs").header("Cookie", &own).header("Cookie", &own);
    ask.send().await.is(303);
    let mut visitor = site.anon();
    let forged = format!("__Host-session={other}");
    let ask = visitor.ask(Method::Get, "/blogs").header("Cookie", &own).header("Cookie", &forged);
    ask.send().await.is(303);
}

#[rocket::async_test]
async fn cookies_of_other_names_do_no_harm() {
    let site = Setup::default().https().start().await;
    site.register(EMAIL).await;
    let mut ada = site.anon();
    ada.log_in(EMAIL, PASSWORD).await.sees_other("/blogs");
    let own = format!("__Host-session={}", ada.cookie("__Host-session").unwrap());
    for cookie in [
        own.clone(),
        format!("a=b; {own}; c=d"),
        format!("a=b;{own}"),
        format!("session=x; {own}; %5F%5FHost-session=x"),
        format!("{own};"),
        format!("novalue; =nameless; {own}"),
    ] {
        let mut visitor = site.anon();
        let answer = visitor.ask(Method::Get, "/blogs").header("Cookie", &cookie).send().await;
        assert_eq!(answer.status, 200, "{cookie:?}");
    }
    // A browser may send each cookie in a header of its own in HTTP/2.
    let mut visitor = site.anon();
    let ask = visitor.ask(Method::Get, "/blogs").header("Cookie", "a=b").header("Cookie", &own);
    ask.send().await.is(200);
}
