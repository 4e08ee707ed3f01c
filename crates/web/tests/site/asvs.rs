//! Tests for rows of docs/asvs.md that no other test covers.

use countersign_web::AuthPages;
use countersign_web::domain::Duration;
use rocket::http::Method;
use rocket::{get, routes};

use crate::support::{Answer, EMAIL, PASSWORD, Setup, Site, USERNAME, rocket};

/// The pages for members, including an error page.
const MEMBERS: [&str; 9] = [
    "/",
    "/blogs",
    "/account",
    "/account/password",
    "/account/sessions",
    "/account/delete",
    "/reauthenticate",
    "/logout",
    "/nowhere",
];

/// The pages for everybody.
const OPEN: [&str; 4] = ["/", "/login", "/register", "/nowhere"];

async fn all_pages(site: &Site) -> Vec<Answer> {
    let mut ada = site.ada().await;
    let mut pages = Vec::new();
    for path in OPEN {
        pages.push(site.anon().get(path).await);
    }
    for path in MEMBERS {
        pages.push(ada.get(path).await);
    }
    pages
}

#[rocket::async_test]
async fn a_member_finds_the_way_out_on_every_page() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for path in MEMBERS {
        ada.get(path).await.shows("<form method=\"post\" action=\"/logout\"").shows("Log out");
    }
}

#[rocket::async_test]
async fn every_password_is_typed_unseen_and_may_be_pasted() {
    let site = Site::new().await;
    let mut fields = 0;
    for page in all_pages(&site).await {
        for tag in page.text.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap()) {
            if !tag.contains("password") {
                continue;
            }
            fields += 1;
            assert!(tag.contains("type=\"password\""), "{}: {tag}", page.what);
            let token = tag.split("autocomplete=\"").nth(1).unwrap().split('"').next().unwrap();
            assert!(matches!(token, "current-password" | "new-password"), "{}: {tag}", page.what);
            for hindrance in ["maxlength", "pattern", "onpaste", "readonly"] {
                assert!(!tag.contains(hindrance), "{}: {tag}", page.what);
            }
        }
    }
    assert_eq!(fields, 6, "log in, register, old and new, delete, confirm");
}

#[rocket::async_test]
async fn a_password_of_128_characters_counts_to_the_last_one() {
    let site = Site::new().await;
    let long: String = "tidal lantern orbit mauve ".chars().cycle().take(126).collect();
    let long = format!("{long}:8");
    let form = [("email", EMAIL), ("username", USERNAME), ("password", long.as_str())];
    site.anon().post_form("/register", &form).await.sees_other("/login");
    site.anon().log_in(EMAIL, &long).await.sees_other("/blogs");
    let other = long.replace(":8", ":9");
    let cut = |length| long.chars().take(length).collect::<String>();
    for other in [cut(127), cut(72), cut(64), other, long.to_uppercase()] {
        site.anon().log_in(EMAIL, &other).await.is(401);
    }
}

#[rocket::async_test]
async fn a_password_never_expires() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    site.clock.advance(Duration::days(3 * 365));
    let mut ada = site.logged_in(EMAIL).await;
    ada.get("/blogs").await.is(200).shows("Hi Ada");
}

#[rocket::async_test]
async fn a_password_in_the_address_logs_nobody_in_and_no_answer_puts_one_there() {
    let site = Site::new().await;
    for page in all_pages(&site).await {
        for form in page.text.split("<form").skip(1).map(|rest| rest.split('>').next().unwrap()) {
            assert!(form.contains("method=\"post\""), "{}: {form}", page.what);
        }
    }
    let password: String = form_urlencoded::byte_serialize(PASSWORD.as_bytes()).collect();
    let path = format!("/login?email={EMAIL}&password={password}");
    site.anon().get(&path).await.is(200).hides(PASSWORD).hides(EMAIL);
    site.anon().post_form(&path, &[]).await.is(422);
    let mut ada = site.anon();
    let login = ada.log_in(EMAIL, PASSWORD).await;
    let location = login.is(303).header("Location").unwrap();
    assert!(!location.contains(&ada.token()) && !location.contains('?'), "{location}");
    // A token in the URL is not accepted either.
    let path = format!("/blogs?session={}", ada.token());
    site.anon().get(&path).await.is(303);
}

#[rocket::async_test]
async fn no_page_shows_a_hash_or_a_token() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    let hash = site.user(EMAIL).await.password_hash.unwrap();
    for path in MEMBERS {
        let page = ada.get(path).await;
        page.hides(&ada.token()).hides("$argon2").hides(hash.as_phc()).hides(PASSWORD);
    }
}

#[rocket::async_test]
async fn a_page_under_the_name_of_a_file_is_not_there_and_nowhere_kept() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for path in [
        "/blogs/nothing.css",
        "/blogs.css",
        "/account/x.js",
        "/account.png",
        "/account;x.css",
        "/account%2fx.css",
        "/account%00.css",
        "/account/password/x.jpg",
        "/static/../account",
        "/static/account",
    ] {
        let answer = ada.get(path).await;
        answer.hides(EMAIL).has("Cache-Control", "no-store");
        assert!(matches!(answer.status, 400 | 404 | 422), "{path}: {}", answer.status);
    }
}

#[rocket::async_test]
async fn no_other_origin_may_read_or_ask_for_leave() {
    let site = Setup::default().https().start().await;
    for origin in ["https://evil.example", "null", "https://site.example"] {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "content-type"),
        ];
        for (method, path) in [
            (Method::Get, "/"),
            (Method::Get, "/blogs"),
            (Method::Options, "/login"),
            (Method::Options, "/account/password"),
            (Method::Post, "/login"),
        ] {
            let mut visitor = site.anon();
            let answer = visitor.ask(method, path).headers(&headers).send().await;
            let leave = answer.headers.iter().find(|(name, _)| name.starts_with("Access-Control"));
            assert_eq!(leave, None, "{} from {origin}", answer.what);
            assert!(method != Method::Options || answer.status == 404, "{}", answer.what);
        }
    }
}

#[rocket::async_test]
async fn nothing_is_served_that_was_not_meant_to_be() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for path in [
        "/metrics",
        "/admin",
        "/debug",
        "/status",
        "/docs",
        "/openapi.json",
        "/swagger-ui",
        "/server-status",
        "/countersign.db",
        "/config/Rocket.toml",
        "/Cargo.toml",
        "/.env",
        "/.git/config",
        "/templates/base.html.tera",
        "/static/countersign.css.map",
    ] {
        ada.get(path).await.is(404).shows("Page not found");
    }
}

#[rocket::async_test]
async fn sql_in_a_field_is_text() {
    let site = Site::new().await;
    let evil = "Robert'); DROP TABLE users;--";
    let password = "' OR '1'='1' UNION SELECT 1;--";
    let form = [("email", EMAIL), ("username", evil), ("password", password)];
    let mut ada = site.anon().with_browser("'); DELETE FROM sessions;--");
    ada.post_form("/register", &form).await.sees_other("/login");
    ada.log_in(EMAIL, password).await.sees_other("/blogs");
    ada.get("/blogs").await.is(200).shows("Hi Robert&#x27;); DROP TABLE users;--");
    for address in ["o'brien@example.org", "ada'--@example.org"] {
        assert!(matches!(site.anon().log_in(address, PASSWORD).await.status, 401 | 422));
    }
    site.anon().log_in(EMAIL, "' OR '1'='1").await.is(401);
    let mut thief = site.anon();
    thief.set_cookie("session", "'%20OR%201=1--");
    thief.get("/blogs").await.is(303);
    assert_eq!((site.users().await.len(), site.sessions(EMAIL).await.len()), (1, 1));
}

#[rocket::async_test]
async fn the_script_writes_no_html_and_keeps_nothing() {
    let site = Site::new().await;
    let page = site.anon().get("/login").await;
    let script = page.text.split('"').find(|text| text.ends_with(".js")).unwrap();
    let script = site.anon().get(script).await;
    script.is(200).shows("textContent");
    for way in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "DOMParser",
        "eval(",
        "Function(",
        "localStorage",
        "sessionStorage",
        "indexedDB",
        "document.cookie",
        "fetch(",
        "postMessage",
    ] {
        script.hides(way);
    }
}

#[rocket::async_test]
async fn a_handler_that_panics_is_a_500_that_says_nothing_and_the_next_request_is_served() {
    #[get("/panics")]
    fn panics() -> String {
        "secret".parse::<u8>().unwrap().to_string()
    }

    let site = Site::of(|auth| {
        rocket().attach(AuthPages::at("/", auth).login_redirect("/")).mount("/", routes![panics])
    })
    .await;
    for _ in 0..3 {
        let answer = site.anon().get("/panics").await;
        answer.is(500).hides("ParseIntError").has("X-Frame-Options", "DENY");
        assert_eq!(answer.all("Set-Cookie").count(), 0);
        site.anon().get("/login").await.is(200);
    }
}
