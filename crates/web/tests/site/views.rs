//! Snapshots of the HTML of the pages.

use crate::support::{Answer, EMAIL, OTHER_PASSWORD, PASSWORD, Setup, Site};

/// Returns a page without the parts that differ from one start to the next.
fn stable(answer: &Answer) -> String {
    let mut text = answer.text.replace(answer.header("X-Request-Id").unwrap(), "REQUEST-ID");
    for (start, end) in
        [("integrity=\"", "\""), ("/static/countersign.", "."), ("/static/favicon.", ".")]
    {
        let mut rest = std::mem::take(&mut text);
        while let Some((before, after)) = rest.split_once(start) {
            let (_, after) = after.split_once(end).unwrap();
            text = text + before + start + "FINGERPRINT" + end;
            rest = after.to_owned();
        }
        text += &rest;
    }
    format!("{}\n{text}", answer.status)
}

#[track_caller]
pub(crate) fn looks_like(name: &str, answer: &Answer) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, stable(answer));
    });
}

#[rocket::async_test]
async fn the_pages_look_like_this() {
    let site = Site::new().await;
    let mut anon = site.anon();
    looks_like("home-anonymous", &anon.get("/").await);
    looks_like("login", &anon.get("/login").await);
    looks_like("register", &anon.get("/register").await);
    looks_like("not-found", &anon.get("/nowhere").await);
    anon.get("/blogs").await;
    looks_like("login-with-message", &anon.get("/login?next=%2Fblogs").await);
    let mut ada = site.ada().await;
    looks_like("home-member", &ada.get("/").await);
    looks_like("blogs", &ada.get("/blogs").await);
    looks_like("logout", &ada.get("/logout").await);
    looks_like("not-found-member", &ada.get("/nowhere").await);
}

#[rocket::async_test]
async fn refused_forms_look_like_this() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let mut anon = site.anon();
    looks_like("login-wrong", &anon.log_in(EMAIL, OTHER_PASSWORD).await);
    looks_like("login-invalid", &anon.log_in("ada", "").await);
    let form = [("email", "ada"), ("username", ""), ("password", "short")];
    looks_like("register-invalid", &anon.post_form("/register", &form).await);
    let form = [("email", EMAIL), ("username", "Ada"), ("password", PASSWORD)];
    looks_like("register-taken", &anon.post_form("/register", &form).await);
}

#[rocket::async_test]
async fn other_errors_look_like_this() {
    let site = Setup::default().closed().start().await;
    looks_like("registration-closed", &site.anon().get("/register").await);
    looks_like("home-closed", &site.anon().get("/").await);
    let mut ada = site.ada().await;
    site.store.break_down();
    looks_like("outage", &ada.get("/blogs").await);
}

const EVIL: &str = "\"><script>alert('1')</script><b a='&amp;";

#[track_caller]
fn is_escaped(answer: &Answer) {
    answer.hides("<script>alert").hides("<b a=").shows("&quot;&gt;&lt;script&gt;");
}

#[rocket::async_test]
async fn html_in_a_username_is_shown_as_text() {
    let site = Site::new().await;
    let form = [("email", EMAIL), ("username", EVIL), ("password", PASSWORD)];
    site.anon().post_form("/register", &form).await.sees_other("/login");
    let mut ada = site.logged_in(EMAIL).await;
    for path in ["/", "/blogs"] {
        is_escaped(&ada.get(path).await);
    }
}

#[rocket::async_test]
async fn html_in_what_was_typed_is_given_back_as_text() {
    let site = Site::new().await;
    let form = [("email", EVIL), ("username", EVIL), ("password", EVIL)];
    let answer = site.anon().post_form("/register", &form).await;
    is_escaped(answer.is(422));
    is_escaped(site.anon().log_in(EVIL, PASSWORD).await.is(422));
    let template = "{{ 7 * 191 }}{% raw %}";
    let answer = site.anon().log_in(template, PASSWORD).await;
    answer.is(422).hides("1337").shows("{{ 7 * 191 }}");
}

#[rocket::async_test]
async fn html_in_an_address_is_shown_nowhere() {
    let site = Site::new().await;
    for path in ["/%3Cscript%3Ealert(1)%3C/script%3E", "/nowhere?q=%3Cscript%3Ealert(1)"] {
        site.anon().get(path).await.is(404).hides("alert(1)");
    }
    // The URL to return to may contain an apostrophe or an ampersand.
    let answer = site.anon().get("/login?next=%2Fa%3Fb%3D'%26c%3D%22%3E%3Cb%3E").await;
    answer.is(200).hides("\"><b>").hides("<b>");
}

#[rocket::async_test]
async fn a_page_has_one_title_one_heading_and_a_language() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    let mut pages = Vec::new();
    for path in ["/", "/login", "/register", "/nowhere"] {
        pages.push(site.anon().get(path).await);
    }
    for path in ["/", "/blogs", "/logout", "/nowhere"] {
        pages.push(ada.get(path).await);
    }
    for page in pages {
        assert_eq!(page.text.matches("<title>").count(), 1, "{}", page.what);
        assert_eq!(page.text.matches("<h1>").count(), 1, "{}", page.what);
        page.shows("<html lang=\"en\">").shows("· Countersign</title>").shows("href=\"#main\"");
        assert!(page.text.starts_with("<!DOCTYPE html>"), "{}", page.what);
    }
}
