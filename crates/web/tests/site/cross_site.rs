//! Tests that other sites cannot change anything through a visitor's browser.

use countersign_web::{AuthPages, CurrentUser};
use rocket::http::Method;
use rocket::{delete, get, patch, post, put, routes};

use crate::support::{EMAIL, PASSWORD, Setup, Site, USERNAME, rocket};

const OWN: &str = "http://127.0.0.1:8000";

/// The headers that tell the origin of a request, and whether the site accepts it.
const TABLE: &[(&[(&str, &str)], bool)] = &[
    (&[], true),
    (&[("Sec-Fetch-Site", "same-origin")], true),
    (&[("Sec-Fetch-Site", "none")], true),
    (&[("Sec-Fetch-Site", "same-site")], false),
    (&[("Sec-Fetch-Site", "cross-site")], false),
    (&[("Sec-Fetch-Site", "")], false),
    (&[("Sec-Fetch-Site", "Same-Origin")], false),
    (&[("Sec-Fetch-Site", "whatever")], false),
    (&[("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")], false),
    (&[("Origin", OWN)], true),
    (&[("Origin", "https://127.0.0.1:8000")], false),
    (&[("Origin", "http://127.0.0.1:8001")], false),
    (&[("Origin", "http://127.0.0.1")], false),
    (&[("Origin", "http://127.0.0.1:8000.evil.example")], false),
    (&[("Origin", "http://127.0.0.1:8000/")], false),
    (&[("Origin", "http://evil.example")], false),
    (&[("Origin", "null")], false),
    (&[("Origin", "")], false),
    (&[("Origin", OWN), ("Origin", "http://evil.example")], false),
    // If both headers are present, the newer one decides. Only that one is right behind a proxy that rewrites
    // the host, or with a privacy setting that hides the origin.
    (&[("Sec-Fetch-Site", "same-origin"), ("Origin", "null")], true),
    (&[("Sec-Fetch-Site", "same-origin"), ("Origin", "http://evil.example")], true),
    (&[("Sec-Fetch-Site", "cross-site"), ("Origin", OWN)], false),
    (&[("Sec-Fetch-Site", "same-site"), ("Origin", OWN)], false),
    (&[("Sec-Fetch-Site", "none"), ("Origin", OWN)], true),
    // Other headers do not count.
    (&[("Referer", "http://evil.example/")], true),
];

#[rocket::async_test]
async fn a_form_from_another_site_is_refused_and_changes_nothing() {
    for (headers, is_own) in TABLE {
        let site = Site::new().await;
        let form = [("email", EMAIL), ("username", USERNAME), ("password", PASSWORD)];
        let mut visitor = site.anon();
        let ask = visitor.ask(Method::Post, "/register").form(&form).headers(headers);
        let answer = ask.send().await;
        answer.is(if *is_own { 303 } else { 403 });
        assert_eq!(site.users().await.len(), usize::from(*is_own), "{headers:?}");
        if !is_own {
            answer.shows("This came from another site").shows("Nothing was changed.");
            assert_eq!(answer.all("Set-Cookie").count(), 0, "{headers:?}");
            assert_eq!(site.auth.testing().hashes_computed(), 0, "{headers:?}");
        }
    }
}

#[rocket::async_test]
async fn another_site_logs_nobody_in_and_nobody_out() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for (headers, is_own) in TABLE.iter().filter(|(_, is_own)| !is_own) {
        let form = [("email", EMAIL), ("password", PASSWORD)];
        let mut visitor = site.anon();
        let answer = visitor.ask(Method::Post, "/login").form(&form).headers(headers).send().await;
        assert_eq!(answer.is(403).all("Set-Cookie").count(), 0, "{is_own}");
        let answer = ada.ask(Method::Post, "/logout").form(&[]).headers(headers).send().await;
        assert_eq!(answer.is(403).all("Set-Cookie").count(), 0);
        assert_eq!(answer.header("Clear-Site-Data"), None);
    }
    assert_eq!(site.sessions(EMAIL).await.len(), 1);
    ada.get("/blogs").await.is(200);
}

#[rocket::async_test]
async fn over_https_only_the_https_origin_is_ours() {
    let site = Setup::default().https().start().await;
    for (origin, status) in [
        ("https://site.example", 303),
        ("https://site.example:443", 403),
        ("http://site.example", 403),
        ("https://www.site.example", 403),
        ("https://site.example.evil.example", 403),
    ] {
        let mut visitor = site.anon();
        let ask = visitor.ask(Method::Post, "/logout").header("Origin", origin);
        ask.send().await.is(status);
    }
}

#[rocket::async_test]
async fn a_link_from_another_site_is_followed() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for (headers, _) in TABLE {
        for method in [Method::Get, Method::Head] {
            ada.ask(method, "/blogs").headers(headers).send().await.is(200);
        }
    }
}

#[get("/note")]
fn read(_me: CurrentUser<'_>) -> &'static str {
    "read"
}

#[post("/note", data = "<_body>")]
fn create(_me: CurrentUser<'_>, _body: Vec<u8>) -> &'static str {
    "note created"
}

#[put("/note")]
fn replace(_me: CurrentUser<'_>) -> &'static str {
    "note replaced"
}

#[patch("/note")]
fn change(_me: CurrentUser<'_>) -> &'static str {
    "note changed"
}

#[delete("/note")]
fn remove(_me: CurrentUser<'_>) -> &'static str {
    "note removed"
}

/// Starts an application with a route for each method, and the login at `/login`.
async fn application() -> Site {
    Site::of(|auth| {
        let pages =
            AuthPages::at("/", auth).public_url(OWN.parse().unwrap()).login_redirect("/blogs");
        let routes = routes![read, create, replace, change, remove];
        rocket().attach(pages).mount("/", routes)
    })
    .await
}

#[rocket::async_test]
async fn every_route_of_an_application_is_guarded_for_every_unsafe_method() {
    let site = application().await;
    let mut ada = site.ada().await;
    for (headers, is_own) in TABLE {
        for (method, done) in [
            (Method::Post, "note created"),
            (Method::Put, "note replaced"),
            (Method::Patch, "note changed"),
            (Method::Delete, "note removed"),
        ] {
            let answer = ada.ask(method, "/note").headers(headers).send().await;
            if *is_own {
                answer.is(200).shows(done);
            } else {
                answer.is(403).hides(done);
            }
        }
        ada.ask(Method::Get, "/note").headers(headers).send().await.is(200).shows("read");
    }
}

#[rocket::async_test]
async fn a_form_field_does_not_choose_the_method() {
    let site = application().await;
    let mut ada = site.ada().await;
    for field in [
        "_method=GET",
        "_method=get",
        "&_method=get",
        "&&&_method=put",
        "_method=PUT",
        "_method=put&a=b",
        "_method=PATCH",
        "_method=DELETE",
        "_method=delete",
        "&_method=delete",
        "_method=HEAD",
        "_method=head",
        "_method=OPTIONS",
        "_method=TRACE",
        "%5Fmethod=PUT",
        "%5fmethod=GET",
        "_%6dethod=PUT",
        "_metho%64=GET",
        "_method=%50UT",
        "_method.=get",
        "_method[=PUT",
        "_method[]=GET",
        "[_method]=get",
        "._method=PUT",
        "_method.=PATCH",
        "_method=POST",
        "_method=nonsense",
        "_method=",
        "_method",
    ] {
        let form = "application/x-www-form-urlencoded";
        for content_type in [form, "application/x-www-form-urlencoded; charset=utf-8"] {
            for path in ["/note", "/logout", "/nowhere"] {
                let answer = ada.ask(Method::Post, path).body(content_type, field).send().await;
                assert_eq!(answer.status, 400, "{field} {path}");
            }
        }
        // The field does not bypass the check of the origin either.
        let ask = ada.ask(Method::Post, "/note").body(form, field);
        ask.header("Sec-Fetch-Site", "cross-site").send().await.is(403);
        let ask = ada.ask(Method::Post, "/logout").body(form, field);
        ask.header("Origin", "http://evil.example").send().await.is(403);
    }
    ada.get("/note").await.is(200);
}

#[rocket::async_test]
async fn a_form_of_ours_has_no_method_field_anywhere() {
    let site = Site::new().await;
    let form = [("email", EMAIL), ("username", USERNAME), ("_method", "x"), ("password", PASSWORD)];
    site.anon().ask(Method::Post, "/register").form(&form).send().await.is(400);
    assert!(site.users().await.is_empty());
}

#[rocket::async_test]
async fn whoever_wants_json_hears_of_it_in_json() {
    let site = Site::new().await;
    let mut visitor = site.anon();
    let ask = visitor.ask(Method::Post, "/logout").header("Sec-Fetch-Site", "cross-site");
    let answer = ask.header("Accept", "application/json").send().await;
    answer.is(403).has("Content-Type", "application/problem+json");
    assert_eq!(answer.json()["status"], 403);
}
