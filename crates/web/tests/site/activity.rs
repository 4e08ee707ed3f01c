//! Tests that members see the activity of their own account only.

use countersign_web::auth::Caller;
use countersign_web::domain::{AuditFilter, Duration};

use crate::support::{Actor, Answer, EMAIL, OTHER_PASSWORD, PASSWORD, Site};
use crate::views::looks_like;

const PAGE: &str = "/account/activity";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

/// Returns the entries of the list, newest first.
fn listed(answer: &Answer) -> Vec<&str> {
    let headings = answer.text.split("<h2>").skip(1);
    headings.map(|rest| rest.split("</h2>").next().unwrap()).collect()
}

/// Returns the target of the link with this text.
fn link<'a>(answer: &'a Answer, text: &str) -> Option<&'a str> {
    let before = answer.text.split_once(&format!(">{text}</a>"))?.0;
    before.rsplit_once("href=\"")?.1.split('"').next()
}

async fn activity(actor: &mut Actor<'_>) -> Answer {
    let answer = actor.get(PAGE).await;
    answer.is(200).has("Cache-Control", "no-store");
    answer
}

#[rocket::async_test]
async fn a_visitor_is_shown_the_way_to_log_in() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    site.anon().get(PAGE).await.sees_other("/login?next=%2Faccount%2Factivity");
    let path = format!("{PAGE}?before=2");
    site.anon().get(&path).await.sees_other("/login?next=%2Faccount%2Factivity%3Fbefore%3D2");
    let mut anon = site.anon();
    let ask = anon.ask(rocket::http::Method::Get, PAGE).header("Accept", "application/json");
    ask.send().await.is(401).hides("Registered");
}

#[rocket::async_test]
async fn what_happens_is_listed_with_where_from_and_by_whom() {
    let site = Site::new().await;
    let user = site.register(EMAIL).await;
    site.anon().at("198.51.100.9").with_browser("curl/8.5.0").log_in(EMAIL, "wrong").await.is(401);
    site.auth.by(&Caller::administrator()).admin().set_active(user.id, false).await.unwrap();
    site.anon().at("198.51.100.9").log_in(EMAIL, PASSWORD).await.is(401);
    site.auth.by(&Caller::administrator()).admin().set_active(user.id, true).await.unwrap();
    let mut ada = site.anon().at("203.0.113.7").with_browser(FIREFOX);
    ada.log_in(EMAIL, PASSWORD).await.sees_other("/blogs");
    let answer = activity(&mut ada).await;
    let expected = [
        "Logged in",
        "Account enabled",
        "Attempt to log in while the account was disabled",
        "Account disabled",
        "Wrong password",
        "Registered",
    ];
    assert_eq!(listed(&answer), expected);
    assert_eq!(answer.text.matches("By an administrator").count(), 3);
    assert_eq!(answer.text.matches("Was it you?").count(), 2);
    answer.shows("Firefox on Linux").shows("203.0.113.7").shows("curl").shows("198.51.100.9");
    looks_like("activity", &answer);
}

#[rocket::async_test]
async fn nobody_sees_what_happened_to_somebody_else() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    site.register("bob@example.org").await;
    for _ in 0..3 {
        site.anon().at("198.51.100.9").log_in(EMAIL, OTHER_PASSWORD).await.is(401);
        site.anon().at("198.51.100.9").log_in("nobody@example.org", OTHER_PASSWORD).await.is(401);
    }
    let mut bob = site.logged_in("bob@example.org").await;
    let newest = site.auth.audit().records(AuditFilter::default(), 1).await.unwrap();
    let newest = newest[0].link.number;
    assert_eq!(listed(&activity(&mut bob).await), ["Logged in", "Registered"]);
    for before in 0..=newest + 1 {
        let answer = bob.get(&format!("{PAGE}?before={before}")).await;
        let listed = listed(answer.is(200).hides("198.51.100.9"));
        assert!(listed.iter().all(|what| matches!(*what, "Logged in" | "Registered")));
    }
    let user = site.user(EMAIL).await.id;
    for query in [&*format!("user={user}"), &format!("before=99&user={user}"), "kind=x&limit=9"] {
        let answer = bob.get(&format!("{PAGE}?{query}")).await;
        assert_eq!(listed(answer.is(200)), ["Logged in", "Registered"]);
    }
    let mut ada = site.logged_in(EMAIL).await;
    let expected =
        ["Logged in", "Wrong password", "Wrong password", "Wrong password", "Registered"];
    assert_eq!(listed(&activity(&mut ada).await), expected);
}

#[rocket::async_test]
async fn fifty_events_are_on_a_page_and_none_is_on_two_or_none() {
    let site = Site::new().await;
    let user = site.register(EMAIL).await;
    let toggle = async |times| {
        for n in 0..times {
            site.auth
                .by(&Caller::administrator())
                .admin()
                .set_active(user.id, n % 2 == 1)
                .await
                .unwrap();
        }
    };
    toggle(48).await;
    let mut ada = site.logged_in(EMAIL).await;
    let answer = activity(&mut ada).await;
    assert_eq!((listed(&answer).len(), link(&answer, "Older")), (50, None), "all on one page");
    toggle(60).await;
    let mut ada = site.logged_in(EMAIL).await;
    let (mut answer, mut seen) = (activity(&mut ada).await, Vec::new());
    assert_eq!(link(&answer, "Newest"), None);
    loop {
        seen.push(listed(&answer).len());
        let Some(older) = link(&answer, "Older").map(str::to_owned) else { break };
        assert!(older.starts_with(&format!("{PAGE}?before=")), "{older}");
        answer = ada.get(&older).await;
        assert_eq!(link(answer.is(200), "Newest"), Some(PAGE));
    }
    assert_eq!(seen, [50, 50, 11]);
    assert_eq!(listed(&answer).last(), Some(&"Registered"));
}

#[rocket::async_test]
async fn a_page_from_nowhere_is_a_page() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for (before, count) in [
        ("0", 0),
        ("1", 0),
        ("2", 1),
        ("9223372036854775807", 2),
        ("9223372036854775808", 2),
        ("18446744073709551615", 2),
        ("18446744073709551616", 2),
        ("-1", 2),
        ("", 2),
        ("1%20OR%201%3D1", 2),
        ("%22%3E%3Cscript%3Ealert(1)", 2),
    ] {
        let answer = ada.get(&format!("{PAGE}?before={before}")).await;
        answer.is(200).hides("<script>alert");
        assert_eq!(listed(&answer).len(), count, "{before}");
        assert_eq!(answer.text.contains("Nothing more."), count == 0, "{before}");
    }
}

#[rocket::async_test]
async fn what_a_browser_calls_itself_is_text() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    for evil in ["<script>alert(1)</script>", "\"><img/src=x/onerror=alert(1)>", "{{7*191}}", "/"] {
        let mut guest = site.anon().with_browser(evil);
        guest.log_in(EMAIL, PASSWORD).await.sees_other("/blogs");
        let answer = activity(&mut guest).await;
        answer.hides("<script>alert").hides("<dd>\"><img").hides("1337");
    }
}

#[rocket::async_test]
async fn of_an_address_that_has_grown_old_only_the_neighbourhood_is_shown() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    site.anon().at("203.0.113.7").log_in(EMAIL, PASSWORD).await.sees_other("/blogs");
    site.anon().at("2001:db8::7:7").log_in(EMAIL, PASSWORD).await.sees_other("/blogs");
    site.clock.advance(Duration::days(91));
    site.auth.jobs().housekeeping().await.unwrap();
    let mut ada = site.anon().at("198.51.100.9");
    ada.log_in(EMAIL, PASSWORD).await.sees_other("/blogs");
    let answer = activity(&mut ada).await;
    answer.shows("around 203.0.113.0").hides("203.0.113.7");
    answer.shows("around 2001:db8::").hides("7:7");
    answer.shows("<dd>198.51.100.9</dd>").hides("around 198");
}

#[rocket::async_test]
async fn an_outage_is_not_an_empty_list() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    site.store.break_down();
    ada.get(PAGE).await.is(503).hides("Nothing more.");
}
