//! Tests that a login redirects only to pages of this site.

use crate::support::{EMAIL, OTHER_PASSWORD, PASSWORD, Setup, Site};

/// Targets that would lead a browser off the site, or that browsers may read differently.
const ELSEWHERE: [&str; 34] = [
    "",
    " ",
    "blogs",
    "./blogs",
    "?next=/blogs",
    "#top",
    "//evil.example",
    "///evil.example",
    "////evil.example/",
    "//evil.example/blogs",
    "//127.0.0.1:8000@evil.example/",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "/\0/evil.example",
    " //evil.example",
    " /blogs",
    "/blogs\r\nSet-Cookie: session=x",
    "/blogs\nLocation: //evil.example",
    "http://evil.example",
    "https:evil.example",
    "http:/evil.example",
    "HTTPS://evil.example",
    "http://127.0.0.1:8000/blogs",
    "javascript:alert(1)",
    "data:text/html,x",
    "/\u{2028}/evil.example",
    "/\u{ff0f}evil.example",
    "\u{fffd}/blogs",
];

const HERE: [&str; 9] = [
    "/",
    "/blogs",
    "/blogs?page=2&q=a%20b#top",
    "/a/../b",
    "/x//y",
    "/@evil.example",
    "/.evil.example",
    "/%09/evil.example",
    "/?u=https://evil.example",
];

fn login_with(next: &str) -> String {
    let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    format!("/login?next={next}")
}

#[rocket::async_test]
async fn a_member_who_opens_the_login_page_is_sent_on_within_this_site_only() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for next in ELSEWHERE {
        ada.get(&login_with(next)).await.sees_other("/blogs");
    }
    for next in HERE {
        ada.get(&login_with(next)).await.sees_other(next);
    }
}

#[rocket::async_test]
async fn a_login_leads_to_a_page_of_this_site_only() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    for (next, location) in
        ELSEWHERE.map(|next| (next, "/blogs")).into_iter().chain(HERE.map(|next| (next, next)))
    {
        let form = [("email", EMAIL), ("password", PASSWORD), ("next", next)];
        site.anon().post_form("/login", &form).await.sees_other(location);
    }
}

#[rocket::async_test]
async fn a_form_that_is_shown_again_keeps_a_page_of_this_site_only() {
    let site = Setup::default().unthrottled().start().await;
    for next in ELSEWHERE {
        site.anon().get(&login_with(next)).await.is(200).hides("name=\"next\"");
        let form = [("email", EMAIL), ("password", OTHER_PASSWORD), ("next", next)];
        site.anon().post_form("/login", &form).await.is(401).hides("name=\"next\"");
    }
    let kept = "<input type=\"hidden\" name=\"next\" value=\"/blogs\">";
    let form = [("email", EMAIL), ("password", OTHER_PASSWORD), ("next", "/blogs")];
    site.anon().post_form("/login", &form).await.is(401).shows(kept);
    let form = [("email", "ada"), ("password", ""), ("next", "/blogs")];
    site.anon().post_form("/login", &form).await.is(422).shows(kept);
}

#[rocket::async_test]
async fn a_path_to_come_back_to_is_at_most_2048_bytes() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    let path = format!("/{}", "a".repeat(2047));
    ada.get(&format!("/login?next={path}")).await.sees_other(&path);
    ada.get(&format!("/login?next={path}a")).await.sees_other("/blogs");
    // A page with a longer URL still asks for a login.
    site.anon().get(&format!("/blogs?{path}{path}")).await.sees_other("/login");
}

#[rocket::async_test]
async fn of_two_pages_to_come_back_to_neither_leads_elsewhere() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for query in ["next=/&next=//evil.example", "next=//evil.example&next=//evil.example"] {
        let answer = ada.get(&format!("/login?{query}")).await;
        let location = answer.is(303).header("Location").unwrap();
        assert!(["/", "/blogs"].contains(&location), "{query}: {location}");
    }
}

#[rocket::async_test]
async fn only_what_was_asked_for_with_get_is_come_back_to() {
    use rocket::http::Method;
    use rocket::{delete, get, patch, post, put, routes};

    use countersign_web::{AuthPages, CurrentUser};

    #[get("/own?<_q>")]
    fn read(_me: CurrentUser<'_>, _q: Option<&str>) {}
    #[post("/own")]
    fn create(_me: CurrentUser<'_>) {}
    #[put("/own")]
    fn replace(_me: CurrentUser<'_>) {}
    #[patch("/own")]
    fn change(_me: CurrentUser<'_>) {}
    #[delete("/own")]
    fn remove(_me: CurrentUser<'_>) {}

    let site = Site::of(|auth| {
        let routes = routes![read, create, replace, change, remove];
        crate::support::rocket().attach(AuthPages::at("/", auth)).mount("/", routes)
    })
    .await;
    for method in [Method::Post, Method::Put, Method::Patch, Method::Delete] {
        site.anon().ask(method, "/own").send().await.sees_other("/login");
        let htmx = site.anon().ask(method, "/own").header("HX-Request", "true").send().await;
        htmx.is(401).has("HX-Redirect", "/login");
    }
    site.anon().get("/own?_q=1").await.sees_other("/login?next=%2Fown%3F_q%3D1");
}
