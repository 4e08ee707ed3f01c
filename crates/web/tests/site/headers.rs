//! Tests of the headers that every answer must have.

use countersign_web::{AuthPages, Hsts, site_routes};
use rocket::http::Method;

use crate::support::{Answer, EMAIL, PASSWORD, Setup, Site, rocket};

/// Returns one answer of every kind.
async fn answers(site: &Site) -> Vec<Answer> {
    let mut ada = site.ada().await;
    let mut anon = site.anon();
    let css = asset(&anon.get("/").await, ".css\"");
    let mut answers = vec![
        anon.get("/").await,
        anon.get("/login").await,
        anon.get("/register").await,
        anon.get("/blogs").await,
        anon.get("/nowhere").await,
        anon.get("/health/live").await,
        anon.get("/health/ready").await,
        anon.get("/static/nothing.css").await,
        anon.get(&css).await,
        anon.log_in(EMAIL, "wrong lantern orbit mauve").await,
        anon.log_in("", "").await,
        anon.post_form("/register", &[]).await,
        ada.get("/blogs").await,
        ada.get("/logout").await,
        ada.log_in(EMAIL, PASSWORD).await,
    ];
    for (method, headers) in [
        (Method::Get, [("Accept", "application/json")]),
        (Method::Get, [("HX-Request", "true")]),
        (Method::Head, [("Accept", "*/*")]),
    ] {
        answers.push(anon.ask(method, "/blogs").headers(&headers).send().await);
    }
    let cross_site = [("Sec-Fetch-Site", "cross-site")];
    answers.push(anon.ask(Method::Post, "/logout").headers(&cross_site).send().await);
    answers.push(anon.ask(Method::Post, "/login").body("text/plain", "x").send().await);
    answers.push(ada.post_form("/logout", &[]).await);
    site.store.break_down();
    ada.set_cookie("session", &"A".repeat(43));
    ada.set_cookie("__Host-session", &"A".repeat(43));
    answers.push(ada.get("/blogs").await);
    answers.push(ada.get("/health/ready").await);
    site.store.recover();
    answers
}

/// Returns the path of a static file that a page loads.
#[track_caller]
fn asset(page: &Answer, end: &str) -> String {
    let path = page
        .text
        .split('"')
        .find(|text| text.starts_with("/static/") && { format!("{text}\"").ends_with(end) });
    path.unwrap().to_owned()
}

#[rocket::async_test]
async fn every_answer_carries_the_security_headers() {
    let over_http = Site::new().await;
    let over_https = Setup::default().https().start().await;
    for (site, is_secure) in [(&over_http, false), (&over_https, true)] {
        for answer in answers(site).await {
            let policy = answer.header("Content-Security-Policy").unwrap();
            for directive in [
                "default-src 'none'",
                "frame-ancestors 'none'",
                "base-uri 'none'",
                "form-action 'self'",
                "object-src 'none'",
            ] {
                assert!(policy.split("; ").any(|d| d == directive), "{}: {policy}", answer.what);
            }
            assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
            answer
                .has("X-Content-Type-Options", "nosniff")
                .has("X-Frame-Options", "DENY")
                .has("Referrer-Policy", "strict-origin-when-cross-origin")
                .has("Cross-Origin-Opener-Policy", "same-origin")
                .has("Cross-Origin-Resource-Policy", "same-origin");
            for name in ["Permissions-Policy", "X-Request-Id"] {
                let value = answer.header(name);
                assert!(value.is_some_and(|value| !value.is_empty()), "{}: {name}", answer.what);
            }
            assert_eq!(answer.header("Server"), None, "{}", answer.what);
            let hsts = answer.header("Strict-Transport-Security");
            assert_eq!(hsts.is_some(), is_secure, "{}", answer.what);
            if let Some(hsts) = hsts {
                let age = hsts.split([';', '=']).nth(1).unwrap().parse::<u64>().unwrap();
                assert!(age >= 31_536_000, "at least a year (ASVS 3.4.1): {hsts}");
            }
        }
    }
}

/// Starts a site whose pages are set up otherwise.
async fn site_of(set: impl FnOnce(AuthPages) -> AuthPages) -> Site {
    let at_root = |auth| set(AuthPages::at("/", auth).login_redirect("/blogs"));
    Site::of(|auth| rocket().attach(at_root(auth)).mount("/", site_routes())).await
}

#[rocket::async_test]
async fn browsers_are_told_of_tls_what_the_operator_says() {
    let told = async |max_age, include_subdomains, preload, is_secure| {
        let mut hsts = Hsts::default();
        hsts.max_age = std::time::Duration::from_secs(max_age);
        (hsts.include_subdomains, hsts.preload) = (include_subdomains, preload);
        let url = if is_secure { "https://site.example" } else { "http://site.example" };
        let pages = |pages: AuthPages| pages.public_url(url.parse().unwrap()).hsts(hsts);
        let site = site_of(pages).await;
        let login = site.anon().get("/login").await;
        login.header("Strict-Transport-Security").map(str::to_owned)
    };
    let default = Setup::default().https().start().await;
    let default = default.anon().get("/login").await;
    default.has("Strict-Transport-Security", "max-age=63072000");
    let whole = "max-age=31536000; includeSubDomains; preload";
    assert_eq!(told(31_536_000, true, true, true).await.as_deref(), Some(whole));
    assert_eq!(told(60, true, false, true).await.as_deref(), Some("max-age=60; includeSubDomains"));
    assert_eq!(told(0, false, false, true).await.as_deref(), Some("max-age=0"));
    assert_eq!(told(31_536_000, true, true, false).await, None);
}

#[rocket::async_test]
async fn search_engines_may_list_the_home_page_alone_and_only_where_they_shall() {
    let noindex = "<meta name=\"robots\" content=\"noindex\">";
    for index in [false, true] {
        let site = site_of(|pages| pages.index(index)).await;
        let home = site.anon().get("/").await;
        assert_eq!(!home.text.contains(noindex), index, "{}", home.text);
        for path in ["/login", "/register", "/nowhere"] {
            assert!(site.anon().get(path).await.text.contains(noindex), "{path}");
        }
        let mut ada = site.ada().await;
        for path in ["/blogs", "/account", "/account/sessions", "/logout"] {
            assert!(ada.get(path).await.text.contains(noindex), "{path}");
        }
    }
}

#[rocket::async_test]
async fn nothing_but_a_static_file_is_kept() {
    let site = Site::new().await;
    for answer in answers(&site).await {
        let is_file = answer.what.contains("/static/") && answer.status == 200;
        let expected = if is_file { "public, max-age=31536000, immutable" } else { "no-store" };
        answer.has("Cache-Control", expected);
    }
}

#[rocket::async_test]
async fn a_page_loads_only_what_its_policy_allows_and_what_is_there() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for path in ["/", "/blogs", "/logout", "/nowhere"] {
        let page = ada.get(path).await;
        for inline in ["<style", "style=", "onclick=", "onsubmit=", "onload=", "javascript:"] {
            page.hides(inline);
        }
        for script in page.text.split("<script").skip(1) {
            let (tag, rest) = script.split_once('>').unwrap();
            assert!(rest.starts_with("</script>"), "a script in the page: {rest}");
            let integrity = tag.split("integrity=\"").nth(1).unwrap().split('"').next().unwrap();
            let policy = page.header("Content-Security-Policy").unwrap();
            assert!(policy.contains(&format!("script-src '{integrity}'")), "{policy}");
        }
        for (end, content_type) in [
            (".css\"", "text/css; charset=utf-8"),
            (".js\"", "text/javascript"),
            (".svg\"", "image/svg+xml"),
        ] {
            let file = ada.get(&asset(&page, end)).await;
            file.is(200).has("Content-Type", content_type);
            assert!(!file.text.is_empty());
        }
    }
}

#[rocket::async_test]
async fn a_static_file_travels_compressed_to_who_takes_that_and_a_page_never_does() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    let css = asset(&ada.get("/").await, ".css\"");
    let plain = ada.get(&css).await;
    plain.has("Vary", "Accept-Encoding");
    assert_eq!(plain.header("Content-Encoding"), None);
    let takes_gzip = [("Accept-Encoding", "gzip, deflate, br, zstd")];
    let pressed = ada.ask(Method::Get, &css).headers(&takes_gzip).send().await;
    pressed.is(200).has("Vary", "Accept-Encoding").has("Content-Encoding", "gzip");
    assert_eq!(pressed.text, plain.text);
    assert!(pressed.length * 2 < plain.length, "{} bytes", pressed.length);
    let page = ada.ask(Method::Get, "/blogs").headers(&takes_gzip).send().await;
    assert_eq!(page.is(200).header("Content-Encoding"), None);
}

#[rocket::async_test]
async fn a_static_file_is_found_by_its_fingerprint_alone() {
    let site = Site::new().await;
    let mut anon = site.anon();
    let css = asset(&anon.get("/").await, ".css\"");
    anon.get(&css).await.is(200);
    for path in [
        "/static/countersign.css",
        "/static/countersign.000000000000.css",
        "/static/countersign.js",
        &css.replace(".css", ".js"),
        &css.to_uppercase().replace("/STATIC", "/static"),
        &format!("{css}.map"),
    ] {
        anon.get(path).await.is(404).has("Cache-Control", "no-store");
    }
}

#[rocket::async_test]
async fn every_answer_has_a_request_id_of_its_own_and_an_error_page_shows_it() {
    let site = Site::new().await;
    let mut seen = std::collections::HashSet::new();
    for answer in answers(&site).await {
        assert!(seen.insert(answer.header("X-Request-Id").unwrap().to_owned()));
    }
    let mut visitor = site.anon();
    let ask = visitor.ask(Method::Get, "/nowhere").header("X-Request-Id", "chosen-by-the-visitor");
    let answer = ask.send().await;
    let id = answer.header("X-Request-Id").unwrap();
    assert_ne!(id, "chosen-by-the-visitor");
    answer.shows(&format!("<code>{id}</code>"));
}

#[rocket::async_test]
async fn an_application_may_set_the_policy_of_its_own_pages_and_nothing_else() {
    use countersign_web::AuthPages;
    use rocket::http::Header;
    use rocket::{Responder, get, routes};

    #[derive(Responder)]
    struct Own(&'static str, Header<'static>, Header<'static>, Header<'static>);

    #[get("/own")]
    fn own() -> Own {
        Own(
            "own",
            Header::new("Content-Security-Policy", "default-src 'self'"),
            Header::new("Cache-Control", "private"),
            Header::new("X-Frame-Options", "SAMEORIGIN"),
        )
    }

    let site =
        Site::of(|auth| rocket().attach(AuthPages::at("/", auth)).mount("/", routes![own])).await;
    site.anon()
        .get("/own")
        .await
        .is(200)
        .has("Content-Security-Policy", "default-src 'self'")
        .has("Cache-Control", "private")
        .has("X-Frame-Options", "DENY");
}
