//! Tests every guard and every kind of mount, for each kind of visitor, each format and each method.

use countersign_web::auth::Caller;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign_web::domain::Duration;
use countersign_web::{
    Auth, AuthPages, CurrentUser, FreshLogin, Visitor, fresh_login_required, login_required, public,
};
use rocket::http::{Method, Status};
use rocket::{Build, Rocket, State, get, post, routes};

use crate::support::{Actor, Answer, EMAIL, PASSWORD, Site, rocket};

/// Counts how often a handler of the table ran, and how often the fallback handler.
#[derive(Clone, Default)]
struct Ran {
    handler: Arc<AtomicU64>,
    catch_all: Arc<AtomicU64>,
}

impl Ran {
    fn note(&self, what: &'static str) -> &'static str {
        self.handler.fetch_add(1, Ordering::SeqCst);
        what
    }

    fn take(&self) -> (u64, u64) {
        (self.handler.swap(0, Ordering::SeqCst), self.catch_all.swap(0, Ordering::SeqCst))
    }
}

fn who(visitor: Visitor<'_>) -> &'static str {
    match visitor {
        Visitor::User(_) => "a user",
        Visitor::Anonymous => "nobody",
        Visitor::Unavailable => "who knows",
    }
}

#[get("/visitor")]
fn get_visitor(ran: &State<Ran>, visitor: Visitor<'_>) -> &'static str {
    ran.note(who(visitor))
}

#[post("/visitor")]
fn post_visitor(ran: &State<Ran>, visitor: Visitor<'_>) -> &'static str {
    ran.note(who(visitor))
}

#[get("/member")]
fn get_member(ran: &State<Ran>, _me: CurrentUser<'_>) -> &'static str {
    ran.note("a user")
}

#[post("/member")]
fn post_member(ran: &State<Ran>, _me: CurrentUser<'_>) -> &'static str {
    ran.note("a user")
}

#[get("/fresh")]
fn get_fresh(ran: &State<Ran>, _me: FreshLogin<'_>) -> &'static str {
    ran.note("a user")
}

#[post("/fresh")]
fn post_fresh(ran: &State<Ran>, _me: FreshLogin<'_>) -> &'static str {
    ran.note("a user")
}

#[get("/page")]
fn get_page(ran: &State<Ran>) -> &'static str {
    ran.note("somebody")
}

#[post("/page")]
fn post_page(ran: &State<Ran>) -> &'static str {
    ran.note("somebody")
}

#[get("/<_..>", rank = 50)]
fn get_anything(ran: &State<Ran>) -> &'static str {
    ran.catch_all.fetch_add(1, Ordering::SeqCst);
    "anything"
}

#[post("/<_..>", rank = 50)]
fn post_anything(ran: &State<Ran>) -> &'static str {
    ran.catch_all.fetch_add(1, Ordering::SeqCst);
    "anything"
}

fn application(auth: Auth, ran: Ran) -> Rocket<Build> {
    let guarded =
        routes![get_visitor, post_visitor, get_member, post_member, get_fresh, post_fresh];
    rocket()
        .attach(AuthPages::at("/", auth).login_redirect("/blogs"))
        .manage(ran)
        .mount("/", guarded)
        .mount("/members", login_required(routes![get_page, post_page]))
        .mount("/vault", fresh_login_required(routes![get_page, post_page]))
        .mount("/open", public(routes![get_page, post_page]))
        .mount("/", routes![get_anything, post_anything])
}

/// The expected decision of a guard about a visitor.
#[derive(Clone, Copy, Debug)]
enum Verdict {
    /// The handler runs and answers this.
    Runs(&'static str),
    /// Nobody is logged in.
    Login,
    /// The login is not fresh.
    Refresh,
    /// The store cannot be reached.
    Outage,
}

use Verdict::{Login, Outage, Refresh, Runs};

const WHO: [&str; 6] = ["anonymous", "fresh", "stale", "remembered", "disabled", "store down"];

/// The verdicts of each route, in the order of `WHO`.
const TABLE: [(&str, [Verdict; 6]); 6] = [
    (
        "/visitor",
        [
            Runs("nobody"),
            Runs("a user"),
            Runs("a user"),
            Runs("a user"),
            Runs("nobody"),
            Runs("who knows"),
        ],
    ),
    ("/member", [Login, Runs("a user"), Runs("a user"), Runs("a user"), Login, Outage]),
    ("/fresh", [Login, Runs("a user"), Refresh, Refresh, Login, Outage]),
    ("/members/page", [Login, Runs("somebody"), Runs("somebody"), Runs("somebody"), Login, Outage]),
    ("/vault/page", [Login, Runs("somebody"), Refresh, Refresh, Login, Outage]),
    ("/open/page", [Runs("somebody"); 6]),
];

const FORMS: [(&str, &[(&str, &str)]); 3] = [
    ("html", &[("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")]),
    ("json", &[("Accept", "application/json")]),
    ("htmx", &[("Accept", "text/html, */*"), ("HX-Request", "true")]),
];

/// The parts of an answer that the test checks.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    status: u16,
    location: Option<String>,
    hx_redirect: Option<String>,
    www_authenticate: Option<String>,
    retry_after: Option<String>,
    is_problem: bool,
    flash: Option<&'static str>,
    ran: (u64, u64),
}

impl Seen {
    fn of(answer: &Answer, ran: (u64, u64)) -> Self {
        let header = |name| answer.header(name).map(str::to_owned);
        let codes = ["login-required", "refresh-required"];
        let flash = answer.set_cookie("flash").map(|cookie| {
            let code = codes.into_iter().find(|code| cookie.starts_with(&format!("flash={code};")));
            code.unwrap_or("another")
        });
        Self {
            status: answer.status,
            location: header("Location"),
            hx_redirect: header("HX-Redirect"),
            www_authenticate: header("WWW-Authenticate"),
            retry_after: header("Retry-After"),
            is_problem: header("Content-Type").as_deref() == Some("application/problem+json"),
            flash,
            ran,
        }
    }

    fn expected(verdict: Verdict, path: &str, form: &str, method: Method) -> Self {
        let path = path.replace('/', "%2F");
        let gate = |page: &str| match method {
            Method::Get => format!("{page}?next={path}"),
            _ => page.to_owned(),
        };
        let (gate, flash) = match verdict {
            Runs(_) => return Self { status: 200, ran: (1, 0), ..Self::default() },
            Outage => {
                let (retry_after, is_problem) = (Some("5".to_owned()), form == "json");
                return Self { status: 503, retry_after, is_problem, ..Self::default() };
            }
            Login => (gate("/login"), "login-required"),
            Refresh => (gate("/reauthenticate"), "refresh-required"),
        };
        match form {
            "html" => {
                Self { status: 303, location: Some(gate), flash: Some(flash), ..Self::default() }
            }
            "htmx" => Self { status: 401, hx_redirect: Some(gate), ..Self::default() },
            _ => Self {
                status: 401,
                www_authenticate: Some("Bearer".to_owned()),
                is_problem: true,
                ..Self::default()
            },
        }
    }
}

/// Returns a visitor of this kind of `WHO`.
async fn somebody<'s>(site: &'s Site, who: &str) -> Actor<'s> {
    let user = site.user(EMAIL).await;
    site.auth.by(&Caller::administrator()).admin().set_active(user.id, true).await.unwrap();
    let mut actor = site.anon();
    match who {
        "anonymous" => return actor,
        "remembered" => {
            actor.log_in_remembered().await.sees_other("/blogs");
            actor.drop_cookie("session");
        }
        _ => {
            actor.log_in(EMAIL, PASSWORD).await.sees_other("/blogs");
        }
    }
    match who {
        "stale" => site.clock.advance(Duration::minutes(10)),
        "disabled" => {
            assert!(
                site.auth
                    .by(&Caller::administrator())
                    .admin()
                    .set_active(user.id, false)
                    .await
                    .unwrap()
            );
        }
        "store down" => site.store.break_down(),
        _ => {}
    }
    actor
}

#[rocket::async_test]
async fn every_guard_and_mount_answers_everybody_in_their_form() {
    let ran = Ran::default();
    let site = Site::of(|auth| application(auth, ran.clone())).await;
    site.register(EMAIL).await;
    let mut faults = String::new();
    for (path, verdicts) in TABLE {
        for (who, verdict) in WHO.into_iter().zip(verdicts) {
            for (form, headers) in FORMS {
                for method in [Method::Get, Method::Post] {
                    let mut actor = somebody(&site, who).await;
                    ran.take();
                    let answer = actor.ask(method, path).headers(headers).send().await;
                    site.store.recover();
                    let seen = Seen::of(&answer, ran.take());
                    let expected = Seen::expected(verdict, path, form, method);
                    let says = !matches!(verdict, Runs(text) if answer.text != text);
                    if seen != expected || !says {
                        let cell = format!("{method} {path} as {who} ({form})");
                        let text = &answer.text;
                        writeln!(faults, "{cell}:\n  {seen:?}\n  {expected:?}\n  {text}").unwrap();
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "seen, and expected:\n{faults}");
}

#[rocket::async_test]
async fn the_query_of_the_page_is_come_back_to_as_well() {
    let site = Site::of(|auth| application(auth, Ran::default())).await;
    site.register(EMAIL).await;
    let next = "next=%2Fvault%2Fpage%3Fa%3D1%26b%3D%252F";
    let path = "/vault/page?a=1&b=%2F";
    site.anon().get(path).await.sees_other(&format!("/login?{next}"));
    let mut stale = somebody(&site, "stale").await;
    stale.get(path).await.sees_other(&format!("/reauthenticate?{next}"));
}

#[rocket::async_test]
async fn who_is_logged_in_but_not_allowed_is_told_so_and_not_sent_to_log_in() {
    #[get("/admin")]
    fn admin(_me: CurrentUser<'_>) -> Status {
        Status::Forbidden
    }

    let site = Site::of(|auth| application(auth, Ran::default()).mount("/", routes![admin])).await;
    site.register(EMAIL).await;
    for who in ["fresh", "stale", "remembered"] {
        for (form, headers) in FORMS {
            let mut actor = somebody(&site, who).await;
            let answer = actor.ask(Method::Get, "/admin").headers(headers).send().await;
            answer.is(403);
            for header in ["Location", "HX-Redirect", "WWW-Authenticate"] {
                assert_eq!(answer.header(header), None, "{who} {form}: {header}");
            }
            let is_problem = answer.header("Content-Type") == Some("application/problem+json");
            assert_eq!(is_problem, form == "json");
        }
    }
}

#[rocket::async_test]
async fn a_mount_does_not_make_its_handlers_own_guard_any_weaker() {
    let ran = Ran::default();
    let site = Site::of(|auth| {
        let inner = routes![get_fresh, post_fresh];
        let outer = login_required(routes![get_page]);
        application(auth, ran.clone())
            .mount("/inner", login_required(inner))
            .mount("/outer", fresh_login_required(outer))
    })
    .await;
    site.register(EMAIL).await;
    site.anon().get("/inner/fresh").await.sees_other("/login?next=%2Finner%2Ffresh");
    let mut stale = somebody(&site, "stale").await;
    stale.get("/inner/fresh").await.sees_other("/reauthenticate?next=%2Finner%2Ffresh");
    stale.get("/outer/page").await.sees_other("/reauthenticate?next=%2Fouter%2Fpage");
    assert_eq!(ran.take(), (0, 0));
    let mut fresh = somebody(&site, "fresh").await;
    fresh.get("/inner/fresh").await.is(200);
    fresh.get("/outer/page").await.is(200);
}

#[rocket::async_test]
async fn a_request_is_looked_up_once_however_many_guards_ask() {
    #[get("/many")]
    fn many(_a: Visitor<'_>, _b: CurrentUser<'_>, _c: FreshLogin<'_>, _d: Visitor<'_>) {}

    let site = Site::of(|auth| {
        application(auth, Ran::default()).mount("/deep", login_required(routes![many]))
    })
    .await;
    site.register(EMAIL).await;
    let mut ada = somebody(&site, "fresh").await;
    let before = site.store.lookups();
    ada.get("/deep/many").await.is(200);
    assert_eq!(site.store.lookups(), before + 1);
}
