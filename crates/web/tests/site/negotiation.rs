//! Tests that each client is answered in the format that it accepts.

use rocket::http::Method;

use crate::support::{Answer, EMAIL, OTHER_PASSWORD, PASSWORD, Site, USERNAME};

const JSON: &[(&str, &str)] = &[("Accept", "application/json")];
const HTMX: &[(&str, &str)] = &[("HX-Request", "true")];

async fn blogs(site: &Site, headers: &[(&str, &str)]) -> Answer {
    site.anon().ask(Method::Get, "/blogs").headers(headers).send().await
}

/// Asserts that the answer is a problem of RFC 9457.
#[track_caller]
fn is_problem(answer: &Answer, status: u16) {
    answer.is(status).has("Content-Type", "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    for member in ["type", "title", "detail", "request_id"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
    }
    assert_eq!(problem["request_id"], answer.header("X-Request-Id").unwrap());
    assert_eq!(answer.header("Location"), None);
}

#[rocket::async_test]
async fn a_browser_is_sent_to_the_login_page() {
    let site = Site::new().await;
    for accept in [
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "text/html",
        "*/*",
        "text/html, application/json;q=0.9",
        "image/avif,image/webp",
    ] {
        blogs(&site, &[("Accept", accept)]).await.sees_other("/login?next=%2Fblogs");
    }
    blogs(&site, &[]).await.sees_other("/login?next=%2Fblogs");
}

#[rocket::async_test]
async fn whoever_asks_for_json_gets_a_problem_and_no_redirect() {
    let site = Site::new().await;
    for headers in [
        JSON,
        &[("Accept", "application/problem+json")],
        &[("Accept", "application/vnd.api+json")],
        &[("Accept", "application/json, text/plain, */*")],
        &[("Accept", "application/json;q=0.9, text/html;q=0.1")],
        &[("Content-Type", "application/json")],
        &[("Content-Type", "application/json; charset=utf-8")],
        &[("Content-Type", "application/json"), ("Accept", "*/*")],
    ] {
        let answer = blogs(&site, headers).await;
        is_problem(&answer, 401);
        answer.has("WWW-Authenticate", "Bearer");
        assert_eq!(answer.all("Set-Cookie").count(), 0, "no flash message: {headers:?}");
    }
}

#[rocket::async_test]
async fn htmx_is_told_to_load_the_login_page() {
    let site = Site::new().await;
    let answer = blogs(&site, HTMX).await;
    answer.is(401).has("HX-Redirect", "/login?next=%2Fblogs");
    assert_eq!((answer.header("Location"), answer.text.as_str()), (None, ""));
    // The header of htmx takes precedence over `Accept`.
    let both = [HTMX, JSON].concat();
    blogs(&site, &both).await.is(401).has("HX-Redirect", "/login?next=%2Fblogs");
    let not_htmx = [("HX-Request", "false")];
    blogs(&site, &not_htmx).await.sees_other("/login?next=%2Fblogs");
}

#[rocket::async_test]
async fn a_form_that_is_not_accepted_is_a_problem_with_its_errors() {
    let site = Site::new().await;
    site.register("taken@example.org").await;
    let mut visitor = site.anon();
    let form = [("email", "ada"), ("username", USERNAME), ("password", "short")];
    let ask = visitor.ask(Method::Post, "/register").form(&form).headers(JSON);
    let answer = ask.send().await;
    is_problem(&answer, 422);
    let errors = &answer.json()["errors"];
    assert!(errors["email"][0].as_str().unwrap().contains("name@example.com"), "{errors}");
    assert!(errors["password"][0].as_str().unwrap().contains("at least 15"), "{errors}");
    assert_eq!(errors.get("username"), None, "only fields with errors are listed");

    let form = [("email", "taken@example.org"), ("username", USERNAME), ("password", PASSWORD)];
    let ask = visitor.ask(Method::Post, "/register").form(&form).headers(JSON);
    let answer = ask.send().await;
    is_problem(&answer, 409);
    assert_eq!(answer.json()["errors"]["email"][0], "Email already present");

    let ask = visitor.ask(Method::Post, "/login").form(&[]).headers(JSON);
    let answer = ask.send().await;
    is_problem(&answer, 422);
    assert_eq!(answer.json()["errors"]["password"][0], "Enter your password.");
}

#[rocket::async_test]
async fn wrong_credentials_are_a_problem_to_a_program() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let form = [("email", EMAIL), ("password", OTHER_PASSWORD)];
    let mut visitor = site.anon();
    let answer = visitor.ask(Method::Post, "/login").form(&form).headers(JSON).send().await;
    is_problem(&answer, 401);
    answer.has("WWW-Authenticate", "Bearer").shows("Invalid email or password.").hides(EMAIL);
}

#[rocket::async_test]
async fn what_is_not_there_is_a_page_or_a_problem() {
    let site = Site::new().await;
    for path in ["/nowhere", "/static/countersign.000000000000.css"] {
        let mut visitor = site.anon();
        visitor.get(path).await.is(404).has("Content-Type", "text/html; charset=utf-8");
        let answer = visitor.ask(Method::Get, path).headers(JSON).send().await;
        is_problem(&answer, 404);
    }
}

#[rocket::async_test]
async fn a_login_from_htmx_that_fails_is_the_form_again() {
    let site = Site::new().await;
    let form = [("email", EMAIL), ("password", OTHER_PASSWORD)];
    let mut visitor = site.anon();
    let answer = visitor.ask(Method::Post, "/login").form(&form).headers(HTMX).send().await;
    answer.is(401).shows("Invalid email or password.").shows("<form");
    assert_eq!(answer.header("HX-Redirect"), None, "a redirect would hide the errors");
}

#[rocket::async_test]
async fn pages_are_html_in_utf_8_and_health_is_plain_text() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for path in ["/", "/blogs", "/logout", "/nowhere"] {
        ada.get(path).await.has("Content-Type", "text/html; charset=utf-8");
    }
    for path in ["/health/live", "/health/ready"] {
        ada.get(path).await.has("Content-Type", "text/plain; charset=utf-8");
    }
}
