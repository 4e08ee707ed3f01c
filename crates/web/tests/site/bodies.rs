//! Tests of bodies that are not forms, or that no browser would write.

use rocket::http::Method;

use crate::support::{Answer, EMAIL, PASSWORD, Site};

const FORM: &str = "application/x-www-form-urlencoded";

async fn post(site: &Site, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    site.anon().ask(Method::Post, path).body(content_type, body).send().await
}

#[rocket::async_test]
async fn what_is_not_utf_8_is_a_400() {
    let site = Site::new().await;
    for bytes in ["%ff", "%C3", "%C3%28", "%ED%A0%80", "%F8%80%80%80%80", "%C0%AF"] {
        for body in [
            format!("email=ada%40example.org&username=Ada&password=tidal+lantern+orbit{bytes}"),
            format!("email=ada{bytes}%40example.org&password=tidal+lantern+orbit"),
            format!("email=ada%40example.org&x{bytes}=y&password=tidal+lantern+orbit"),
        ] {
            for path in ["/login", "/register"] {
                let answer = post(&site, path, FORM, body.clone()).await;
                answer.is(400).shows("The request could not be read.");
            }
        }
    }
    for path in ["/login", "/register"] {
        let raw = b"email=ada%40example.org&username=Ada&password=tidal lantern \xff orbit";
        post(&site, path, FORM, raw.to_vec()).await.is(400);
    }
    assert_eq!(site.auth.testing().hashes_computed(), 0);
    assert!(site.users().await.is_empty());
}

#[rocket::async_test]
async fn a_percent_sign_that_encodes_nothing_is_a_400() {
    let site = Site::new().await;
    for bytes in ["%zz", "%4", "%", "%%41"] {
        let body = format!("email=ada%40example.org&password=tidal+lantern+orbit{bytes}");
        post(&site, "/login", FORM, body).await.is(400);
    }
}

#[rocket::async_test]
async fn a_field_given_twice_is_a_400() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    for body in [
        format!("email={EMAIL}&email=bob@example.org&password={PASSWORD}"),
        format!("email={EMAIL}&email={EMAIL}&password={PASSWORD}"),
        format!("email={EMAIL}&password={PASSWORD}&password=x"),
        format!("email={EMAIL}&password={PASSWORD}&%70assword={PASSWORD}"),
        format!("email={EMAIL}&password={PASSWORD}&next=/&next=/blogs"),
    ] {
        let answer = post(&site, "/login", FORM, body.replace(' ', "+")).await;
        answer.is(400);
        assert_eq!(answer.all("Set-Cookie").count(), 0);
    }
    let body = "email=bob@example.org&username=a&username=b&password=tidal+lantern+orbit";
    post(&site, "/register", FORM, body).await.is(400);
    assert_eq!(site.users().await.len(), 1);
}

#[rocket::async_test]
async fn a_form_may_be_8_kib_and_no_larger() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let start = format!("email={EMAIL}&password={PASSWORD}&padding=").replace(' ', "+");
    let form = |size: usize| format!("{start}{}", "x".repeat(size - start.len()));
    post(&site, "/login", FORM, form(8 * 1024)).await.sees_other("/blogs");
    for size in [8 * 1024 + 1, 9 * 1024, 100 * 1024] {
        for path in ["/login", "/register"] {
            post(&site, path, FORM, form(size)).await.is(413).shows("Too much data");
        }
    }
}

#[rocket::async_test]
async fn what_is_not_a_form_is_a_415() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let multipart = format!(
        "--b\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\n{EMAIL}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n{PASSWORD}\r\n--b--\r\n"
    );
    let json = serde_json::json!({ "email": EMAIL, "password": PASSWORD }).to_string();
    let form = format!("email={EMAIL}&password={PASSWORD}").replace(' ', "+");
    for (content_type, body) in [
        ("multipart/form-data; boundary=b", multipart.as_str()),
        ("application/json", &json),
        ("text/plain", &form),
        ("application/octet-stream", &form),
        ("application/x-www-form-urlencoded-not", &form),
        ("nonsense", &form),
    ] {
        for path in ["/login", "/register"] {
            let answer = post(&site, path, content_type, body).await;
            assert_eq!(answer.is(415).all("Set-Cookie").count(), 0, "{content_type}");
        }
    }
    // A body without a content type is not a form either.
    let mut visitor = site.anon();
    let mut ask = visitor.ask(Method::Post, "/login");
    ask = ask.header("X-Nothing", "");
    ask.send().await.is(415);
    assert_eq!(site.users().await.len(), 1);
}

#[rocket::async_test]
async fn whoever_sends_json_hears_in_json_that_this_is_a_form() {
    let site = Site::new().await;
    let answer = post(&site, "/login", "application/json", "{}").await;
    answer.is(415).has("Content-Type", "application/problem+json");
    assert_eq!(answer.json()["status"], 415);
}

#[rocket::async_test]
async fn an_address_that_is_not_one_is_an_error_and_not_a_failure() {
    let site = Site::new().await;
    for path in [
        "/login?next=%ff",
        "/login?next=%00",
        "/login?next",
        "/login?next=",
        "/login?",
        "/login?next=%2",
        "/login?&&&=&next==",
    ] {
        site.anon().get(path).await.is(200).hides("name=\"next\"");
    }
    for path in ["/%ff", "/%00", "/..%2f..%2fetc%2fpasswd", "/static/..%2f..%2fCargo.toml", "/%"] {
        let answer = site.anon().get(path).await;
        assert!(matches!(answer.status, 400 | 404 | 422), "{path}: {}", answer.status);
    }
}
