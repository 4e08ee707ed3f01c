//! Tests of the settings that an application knows from Flask-Login.

use countersign_web::domain::Duration;
use countersign_web::{
    Auth, AuthPages, CurrentUser, Flash, FreshLogin, Protection, Visitor, fresh_login_required,
    login_required, public,
};
use rocket::error::ErrorKind;
use rocket::http::Method;
use rocket::local::asynchronous::Client;
use rocket::{Build, Request, Rocket, Route, catch, catchers, get, post, routes};

use crate::support::{Actor, EMAIL, PASSWORD, Site, rocket};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const CURL: &str = "curl/8.5.0";

#[get("/")]
fn home() -> &'static str {
    "for everybody"
}

#[get("/notes")]
fn notes(_me: CurrentUser<'_>) -> &'static str {
    "notes"
}

#[get("/vault")]
fn vault(_me: FreshLogin<'_>) -> &'static str {
    "gold"
}

#[post("/vault")]
fn fill(_me: FreshLogin<'_>) -> &'static str {
    "filled"
}

fn all() -> Vec<Route> {
    routes![home, notes, vault, fill]
}

/// Starts an application with these settings, and registers Ada.
async fn site_with(settings: impl FnOnce(AuthPages) -> AuthPages) -> Site {
    let site = Site::of(|auth| {
        let app = rocket().attach(settings(AuthPages::at("/auth", auth)));
        app.mount("/", all()).mount("/admin", all()).mount("/administrators", all())
    })
    .await;
    site.register(EMAIL).await;
    site
}

async fn log_in(actor: &mut Actor<'_>) {
    let form = [("email", EMAIL), ("password", PASSWORD)];
    actor.post_form("/auth/login", &form).await.sees_other("/");
}

async fn stale_ada(site: &Site) -> Actor<'_> {
    let mut ada = site.anon();
    log_in(&mut ada).await;
    site.clock.advance(Duration::minutes(10));
    ada
}

#[rocket::async_test]
async fn login_view_is_where_visitors_are_sent_who_must_log_in() {
    let site = site_with(|pages| pages.login_view("/sign-in")).await;
    let mut anon = site.anon();
    anon.get("/notes").await.sees_other("/sign-in?next=%2Fnotes");
    anon.get("/admin/vault").await.sees_other("/sign-in?next=%2Fadmin%2Fvault");
    anon.get("/auth/account").await.sees_other("/sign-in?next=%2Fauth%2Faccount");
    let answer = anon.ask(Method::Get, "/notes").header("HX-Request", "true").send().await;
    answer.is(401).has("HX-Redirect", "/sign-in?next=%2Fnotes");
    anon.ask(Method::Get, "/notes").header("Accept", "application/json").send().await.is(401);
    // A logout leads there as well. Our own login page stays available.
    anon.post_form("/auth/logout", &[]).await.sees_other("/sign-in");
    anon.get("/auth/login").await.is(200).shows("<h1>Log in</h1>");
}

#[rocket::async_test]
async fn login_view_for_is_for_what_is_below_its_prefix_and_nothing_else() {
    let site = site_with(|pages| pages.login_view_for("/admin", "/admin/sign-in")).await;
    let mut anon = site.anon();
    for (path, view) in [
        ("/admin/notes", "/admin/sign-in?next=%2Fadmin%2Fnotes"),
        ("/admin/vault?a=1", "/admin/sign-in?next=%2Fadmin%2Fvault%3Fa%3D1"),
        ("/administrators/notes", "/auth/login?next=%2Fadministrators%2Fnotes"),
        ("/notes?x=/admin/", "/auth/login?next=%2Fnotes%3Fx%3D%2Fadmin%2F"),
        ("/notes", "/auth/login?next=%2Fnotes"),
    ] {
        anon.get(path).await.sees_other(view);
    }
}

#[rocket::async_test]
async fn login_message_is_what_visitors_read_who_must_log_in() {
    let site = site_with(|pages| pages.login_message("Members <only>.")).await;
    let mut anon = site.anon();
    anon.get("/notes").await.is(303);
    let page = anon.get("/auth/login?next=%2Fnotes").await;
    page.is(200).shows("Members &lt;only&gt;.").hides("Please log in to access");
    anon.get("/auth/login").await.is(200).hides("Members &lt;");
    // The other messages do not change.
    let mut ada = stale_ada(&site).await;
    ada.get("/vault").await.is(303);
    ada.get("/auth/reauthenticate").await.shows("Please reauthenticate to access this page.");
}

#[rocket::async_test]
async fn refresh_view_and_its_message_are_for_who_must_prove_who_they_are() {
    let site = site_with(|pages| {
        pages.refresh_view("/confirm").needs_refresh_message("Your password once more.")
    })
    .await;
    let mut ada = stale_ada(&site).await;
    ada.get("/vault").await.sees_other("/confirm?next=%2Fvault");
    let page = ada.get("/auth/reauthenticate").await;
    page.is(200).shows("Your password once more.").hides("Please reauthenticate");
    ada.get("/auth/account/email").await.sees_other("/confirm?next=%2Fauth%2Faccount%2Femail");
    site.anon().get("/vault").await.sees_other("/auth/login?next=%2Fvault");
}

#[rocket::async_test]
async fn a_form_that_needs_a_fresh_login_leads_back_to_the_page_that_it_is_on() {
    let own = "http://127.0.0.1:8000";
    let site = site_with(|pages| pages.public_url(own.parse().unwrap())).await;
    let (mut ada, to) = (stale_ada(&site).await, "/auth/reauthenticate");
    for (page, next) in [
        ("http://127.0.0.1:8000/vault/door?a=b#c", "?next=%2Fvault%2Fdoor%3Fa%3Db"),
        ("http://127.0.0.1:8000//evil.example", ""),
        ("http://evil.example/vault", ""),
        ("/vault", ""),
        ("", ""),
    ] {
        let ask = ada.ask(Method::Post, "/vault").form(&[]).header("Referer", page);
        ask.send().await.sees_other(&format!("{to}{next}"));
    }
    let mut anon = site.anon();
    let ask = anon.ask(Method::Post, "/vault").form(&[]);
    let ask = ask.header("Referer", "http://127.0.0.1:8000/vault");
    ask.send().await.sees_other("/auth/login?next=%2Fvault");
}

#[rocket::async_test]
async fn session_protection_is_about_the_browser_that_a_session_was_given_to() {
    let fresh = (200, 200);
    for (protection, moved, back) in [
        (Protection::Off, fresh, fresh),
        (Protection::Basic, (200, 303), fresh),
        (Protection::Strong, (303, 303), (303, 303)),
    ] {
        let site = site_with(|pages| pages.session_protection(protection)).await;
        let mut ada = site.anon().with_browser(FIREFOX).at("203.0.113.7");
        log_in(&mut ada).await;
        // A user on the move changes addresses.
        let mut ada = ada.at("198.51.100.9");
        assert_eq!(pages_of(&mut ada).await, fresh, "{protection:?}, at another address");
        let mut thief = ada.clone().with_browser(CURL);
        assert_eq!(pages_of(&mut thief).await, moved, "{protection:?}, another browser");
        assert_eq!(pages_of(&mut ada).await, back, "{protection:?}, its own browser again");
    }
    let site = site_with(|pages| pages).await;
    let mut ada = site.anon().with_browser(FIREFOX);
    log_in(&mut ada).await;
    assert_eq!(pages_of(&mut ada.with_browser(CURL)).await, (200, 303), "basic by default");
}

/// Returns the statuses of the page for members and of the page for a fresh login.
async fn pages_of(actor: &mut Actor<'_>) -> (u16, u16) {
    (actor.get("/notes").await.status, actor.get("/vault").await.status)
}

#[rocket::async_test]
async fn localize_says_a_message_in_the_language_of_who_asks() {
    let say = |flash: Flash, request: &Request<'_>| {
        let is_french = request.headers().get_one("Accept-Language") == Some("fr");
        match flash {
            Flash::LoginRequired if is_french => {
                Some("Connectez-vous, s'il vous plaît.".to_owned())
            }
            _ => None,
        }
    };
    let site = site_with(|pages| pages.login_message("Members only.").localize(say)).await;
    for (language, text) in
        [("fr", "Connectez-vous, s&#x27;il vous plaît."), ("en", "Members only.")]
    {
        let mut anon = site.anon();
        anon.get("/notes").await.is(303);
        let ask = anon.ask(Method::Get, "/auth/login").header("Accept-Language", language);
        ask.send().await.is(200).shows(text);
    }
    let mut anon = site.anon();
    anon.get("/auth/logout").await.is(303);
    anon.post_form("/auth/logout", &[]).await.is(303);
    let ask = anon.ask(Method::Get, "/auth/login").header("Accept-Language", "fr");
    ask.send().await.is(200).shows("You have been logged out.");
}

#[rocket::async_test]
async fn without_catchers_one_catcher_is_both_handlers_of_flask_login() {
    #[catch(401)]
    async fn refused(request: &Request<'_>) -> &'static str {
        match request.guard::<Visitor<'_>>().await.succeeded() {
            Some(Visitor::User(_)) => "needs_refresh_handler",
            Some(Visitor::Anonymous) => "unauthorized_handler",
            _ => "nobody knows",
        }
    }

    #[catch(503)]
    fn outage() -> &'static str {
        "the application's own 503"
    }

    let site = Site::of(|auth| {
        rocket()
            .attach(AuthPages::at("/auth", auth).without_catchers())
            .mount("/", all())
            .register("/", catchers![refused, outage])
    })
    .await;
    site.register(EMAIL).await;
    let answer = site.anon().get("/vault").await;
    assert_eq!(answer.is(401).text, "unauthorized_handler");
    assert_eq!(answer.header("Location"), None);
    let mut ada = stale_ada(&site).await;
    assert_eq!(ada.get("/vault").await.is(401).text, "needs_refresh_handler");
    site.store.break_down();
    site.clock.advance(Duration::SECOND);
    assert_eq!(ada.get("/notes").await.is(503).text, "the application's own 503");
}

fn with_mounts(auth: Auth, mount: impl FnOnce(Rocket<Build>) -> Rocket<Build>) -> Rocket<Build> {
    mount(rocket().attach(AuthPages::at("/auth", auth).require_declared_mounts()))
}

#[rocket::async_test]
async fn require_declared_mounts_launches_nothing_that_was_not_decided() {
    let site = Site::new().await;
    let auth = || site.auth.clone();
    let undeclared = [
        with_mounts(auth(), |app| app.mount("/", routes![home])),
        // A guard in the signature does not count as a declaration: the next route might have none.
        with_mounts(auth(), |app| app.mount("/", routes![notes])),
        with_mounts(auth(), |app| app.mount("/", public(routes![home])).mount("/x", routes![home])),
    ];
    for app in undeclared {
        let error = Client::untracked(app).await.err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::FailedFairings(_)), "{}", error.kind());
    }
    let app = with_mounts(auth(), |app| {
        app.mount("/", public(routes![home]))
            .mount("/members", login_required(routes![home]))
            .mount("/fresh", fresh_login_required(routes![home]))
    });
    let client = Client::untracked(app).await.unwrap();
    for (path, status) in [("/", 200), ("/members", 303), ("/fresh", 303), ("/auth/login", 200)] {
        assert_eq!(client.get(path).dispatch().await.status().code, status, "{path}");
    }
    Client::untracked(with_mounts(auth(), |app| app)).await.unwrap();
}
