//! Tests of the list of devices on which a user is logged in, and of logging them out.

use countersign_web::AuthPages;
use countersign_web::auth::{Caller, SessionConfig};
use countersign_web::domain::Duration;
use rocket::http::Method;

use crate::support::{Actor, Answer, EMAIL, PASSWORD, Setup, Site, rocket};

const LIST: &str = "/account/sessions";
const OTHERS: &str = "/account/sessions/revoke-others";
const BOB: &str = "bob@example.org";

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                      Gecko) Chrome/142.0.0.0 Safari/537.36";
const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 \
                      (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1";

/// Returns the text about each device on the page.
fn devices(page: &Answer) -> Vec<&str> {
    let list = page.text.split("<ul class=\"sessions\">").nth(1).unwrap();
    let list = list.split("</ul>").next().unwrap();
    list.split("<li").skip(1).collect()
}

/// Returns the target of the button of each device that has one.
fn revokes(page: &Answer) -> Vec<String> {
    let forms = page.text.split("action=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let ours = forms.filter(|path| path.starts_with(LIST) && path.ends_with("/revoke"));
    ours.map(str::to_owned).collect()
}

/// Logs Ada in with this browser from this address.
async fn ada_on<'s>(site: &'s Site, browser: &str, address: &str) -> Actor<'s> {
    let mut ada = site.anon().with_browser(browser).at(address);
    ada.log_in(EMAIL, PASSWORD).await.sees_other("/blogs");
    ada
}

async fn is_out(actor: &mut Actor<'_>) {
    actor.get("/blogs").await.sees_other("/login?next=%2Fblogs");
}

#[rocket::async_test]
async fn this_device_and_the_others_are_listed_in_words() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let _phone = ada_on(&site, SAFARI, "2001:db8::17").await;
    site.clock.advance(Duration::minutes(5));
    let mut here = ada_on(&site, FIREFOX, "203.0.113.7").await;
    site.clock.advance(Duration::minutes(5));
    let _desktop = ada_on(&site, CHROME, "198.51.100.9").await;

    let page = here.get(LIST).await;
    page.is(200).hides("Mozilla/5.0").hides("Gecko");
    let devices = devices(&page);
    assert_eq!(devices.len(), 3, "{}", page.text);
    let is_this = |device: &str| device.contains("This device");
    assert_eq!(devices.iter().filter(|device| is_this(device)).count(), 1);
    let own = devices[0];
    assert!(is_this(own) && own.contains("Firefox on Linux") && own.contains("203.0.113.7"));
    assert!(own.contains("1 March 2026, 12:05 UTC") && own.contains("1 March 2026, 12:10 UTC"));
    assert!(!own.contains("<form"), "this device has no button of its own: {own}");
    for (words, address, since) in [
        ("Safari on iPhone", "2001:db8::17", "12:00 UTC"),
        ("Chrome on Windows 10", "198.51.100.9", "12:10 UTC"),
    ] {
        let found = devices.iter().find(|device| device.contains(address)).unwrap();
        assert!(found.contains(words) && found.contains(since), "{found}");
        assert!(found.contains("<form method=\"post\""), "{found}");
    }
    assert_eq!(revokes(&page).len(), 2);
}

#[rocket::async_test]
async fn a_program_is_called_what_it_calls_itself() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    for (program, name) in [("curl/8.5.0", "curl"), ("Notes-App/2.1 (build 7)", "Notes-App")] {
        let mut ada = ada_on(&site, program, "198.51.100.9").await;
        ada.get(LIST).await.is(200).shows(&format!("<h2>{name}</h2>"));
    }
}

#[rocket::async_test]
async fn who_is_logged_in_nowhere_else_is_told_so() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    let page = ada.get(LIST).await;
    page.is(200).shows("You are not logged in anywhere else.").hides(OTHERS);
    assert_eq!(devices(&page).len(), 1);
    page.shows("Unknown browser");
}

#[rocket::async_test]
async fn a_device_that_is_revoked_is_out_at_once_and_no_other() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let mut here = ada_on(&site, FIREFOX, "203.0.113.7").await;
    let mut lost = ada_on(&site, CHROME, "198.51.100.9").await;
    let mut kept = ada_on(&site, SAFARI, "2001:db8::17").await;
    let page = here.get(LIST).await;
    let device = devices(&page).into_iter().find(|d| d.contains("Chrome on Windows")).unwrap();
    let path = revokes(&page).into_iter().find(|path| device.contains(path)).unwrap();
    // A GET request has no effect.
    here.get(&path).await.is(404);
    lost.get("/blogs").await.is(200);

    here.post_form(&path, &[]).await.sees_other(LIST);
    is_out(&mut lost).await;
    kept.get("/blogs").await.is(200);
    let page = here.get(LIST).await;
    page.is(200).shows("That device has been logged out.").hides("Chrome");
    assert_eq!(devices(&page).len(), 2);
    here.post_form(&path, &[]).await.is(404);
}

#[rocket::async_test]
async fn all_others_are_logged_out_with_what_they_are_remembered_by() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let (mut here, mut there, mut asleep) = (site.anon(), site.anon(), site.anon());
    for actor in [&mut here, &mut there, &mut asleep] {
        actor.log_in_remembered().await.sees_other("/blogs");
    }
    asleep.drop_cookie("session");
    here.get(LIST).await.is(200).shows(OTHERS);
    here.post_form(OTHERS, &[]).await.sees_other(LIST);
    let page = here.get(LIST).await;
    page.is(200).shows("All other devices have been logged out.").hides(OTHERS);
    is_out(&mut there).await;
    is_out(&mut asleep).await;
    // This device is still remembered.
    here.drop_cookie("session");
    here.get("/blogs").await.is(200);
}

#[rocket::async_test]
async fn another_users_device_is_not_there_and_stays_logged_in() {
    let site = Site::new().await;
    site.register(BOB).await;
    let mut bob = site.anon();
    let form = [("email", BOB), ("password", PASSWORD), ("remember", "on")];
    bob.post_form("/login", &form).await.sees_other("/blogs");
    let mut ada = site.ada().await;
    let owner = site.user(BOB).await.id;
    let session = site.sessions(BOB).await[0].id.to_string();
    let remembered =
        site.auth.by(&Caller::administrator()).sessions(owner).remembered().await.unwrap()[0]
            .id
            .to_string();
    for id in [&session, &remembered] {
        let path = format!("{LIST}/{id}/revoke");
        ada.post_form(&path, &[]).await.is(404).shows("Page not found");
        let ask = ada.ask(Method::Post, &path).header("Accept", "application/json");
        ask.send().await.is(404).has("Content-Type", "application/problem+json");
    }
    ada.post_form(OTHERS, &[]).await.sees_other(LIST);
    bob.get("/blogs").await.is(200);
    bob.drop_cookie("session");
    bob.get("/blogs").await.is(200);
    ada.get(LIST).await.is(200).hides(&session).hides(&remembered);
}

#[rocket::async_test]
async fn what_is_no_id_is_not_there() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    let own = site.sessions(EMAIL).await[0].id.to_string();
    let long = "a".repeat(2000);
    let spellings = [own.to_uppercase(), own.replace('-', ""), format!("%7B{own}%7D")];
    let others = ["x", "0", "-1", "%00", "%FF", "..", "revoke-others", "' or 1=1 --", &long];
    let ids = others.map(|id| id.replace(' ', "%20").replace('\'', "%27"));
    for id in ids.into_iter().chain(spellings) {
        let answer = ada.post_form(&format!("{LIST}/{id}/revoke"), &[]).await;
        let is_refused = matches!(answer.status, 404 | 422);
        assert!(is_refused, "{id}: {}", answer.status);
    }
    ada.get("/blogs").await.is(200);
}

#[rocket::async_test]
async fn a_remembered_device_without_a_session_is_listed_and_can_be_revoked() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let mut asleep = site.anon().with_browser(CHROME).at("198.51.100.9");
    asleep.log_in_remembered().await.sees_other("/blogs");
    site.clock.advance(Duration::hours(13));
    assert!(site.sessions(EMAIL).await.is_empty());

    let mut here = ada_on(&site, FIREFOX, "203.0.113.7").await;
    let page = here.get(LIST).await;
    let listed = devices(&page);
    assert_eq!(listed.len(), 2, "{}", page.text);
    assert!(listed[1].contains("Chrome on Windows 10") && listed[1].contains("198.51.100.9"));
    assert!(listed[1].contains("Remembered") && !listed[0].contains("Remembered"));
    let paths = revokes(&page);
    assert_eq!(paths.len(), 1);
    here.post_form(&paths[0], &[]).await.sees_other(LIST);
    is_out(&mut asleep).await;
    assert_eq!(asleep.cookie("remember_token"), None);
    assert_eq!(devices(&here.get(LIST).await).len(), 1);
}

#[rocket::async_test]
async fn a_remembered_device_with_a_session_is_one_device_and_ends_as_one() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let mut there = site.anon().with_browser(CHROME);
    there.log_in_remembered().await.sees_other("/blogs");
    let mut here = ada_on(&site, FIREFOX, "203.0.113.7").await;
    let page = here.get(LIST).await;
    assert_eq!(devices(&page).len(), 2);
    here.post_form(&revokes(&page)[0], &[]).await.sees_other(LIST);
    is_out(&mut there).await;
}

#[rocket::async_test]
async fn many_devices_come_in_pages() {
    let mut sessions = SessionConfig::default();
    sessions.max_per_user = 1_000;
    let site = Setup::default().sessions(sessions).start().await;
    let user = site.register(EMAIL).await;
    let program = Caller::administrator();
    for _ in 0..60 {
        site.auth.by(&program).log_in_user(&user, true).await.unwrap().unwrap();
    }
    site.clock.advance(Duration::hours(13));
    for _ in 0..60 {
        site.auth.by(&program).log_in_user(&user, false).await.unwrap().unwrap();
    }
    let mut here = ada_on(&site, FIREFOX, "203.0.113.7").await;
    let first = here.get(LIST).await;
    first.is(200).shows("This device").shows("/account/sessions?page=2").shows(OTHERS);
    assert_eq!(devices(&first).len(), 50);
    let last = here.get("/account/sessions?page=3").await;
    last.is(200).hides("This device").hides("page=4").shows("First devices").shows(OTHERS);
    assert_eq!(devices(&last).len(), 21);
    let beyond = here.get("/account/sessions?page=18446744073709551615").await;
    assert_eq!(devices(beyond.is(200)).len(), 0);
    for odd in ["0", "-1", "x", ""] {
        let page = here.get(&format!("/account/sessions?page={odd}")).await;
        assert_eq!(devices(page.is(200)).len(), 50, "{odd}");
    }
}

#[rocket::async_test]
async fn what_a_browser_calls_itself_is_text_and_nothing_else() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    for browser in ["<script>alert(1)</script>", "\"onload=x", "{{current_user}}", "<b>&amp;"] {
        let mut there = site.anon().with_browser(browser);
        there.log_in(EMAIL, PASSWORD).await.sees_other("/blogs");
    }
    let mut here = ada_on(&site, FIREFOX, "203.0.113.7").await;
    let page = here.get(LIST).await;
    page.is(200).hides("<script>alert").hides("\"onload=x").hides("<b>");
    page.shows("&lt;script&gt;alert(1)").shows("&quot;onload=x").shows("{{current_user}}");
}

#[rocket::async_test]
async fn an_address_is_one_that_was_seen_and_not_one_that_was_claimed() {
    let claimed = "<script>alert(1)</script>, 192.0.2.66";
    let direct = Site::new().await;
    let proxied = Site::of(|auth| {
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        let pages = AuthPages::at("/", auth).login_redirect("/blogs");
        rocket().attach(pages.trusted_proxies(proxies))
    })
    .await;
    for (site, shown, hidden) in
        [(&direct, "10.1.2.3", "192.0.2.66"), (&proxied, "192.0.2.66", "10.1.2.3")]
    {
        site.register(EMAIL).await;
        let mut ada = site.anon().at("10.1.2.3");
        let form = [("email", EMAIL), ("password", PASSWORD)];
        let ask = ada.ask(Method::Post, "/login").form(&form).header("X-Forwarded-For", claimed);
        ask.send().await.sees_other("/blogs");
        let page = ada.get(LIST).await;
        page.is(200).shows(shown).hides(hidden).hides("script>alert");
    }
}

#[rocket::async_test]
async fn a_list_that_cannot_be_read_is_an_outage() {
    let site = Setup::default().start().await;
    let mut ada = site.ada().await;
    site.store.break_down();
    ada.get(LIST).await.is(503).hides("anywhere else");
    ada.post_form(OTHERS, &[]).await.is(503).has("Retry-After", "5");
}
