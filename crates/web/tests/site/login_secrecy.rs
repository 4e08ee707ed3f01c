//! Tests that a failed login does not reveal whether the user exists.

use countersign_web::auth::Caller;
use countersign_web::domain::contract::any_record;
use countersign_web::domain::{EmailAddress, OffsetDateTime, Store, User, UserId, Username};

use crate::support::{Answer, OTHER_PASSWORD, PASSWORD, Setup, Site};

const NOBODY: &str = "nobody@example.org";
const ENABLED: &str = "member@example.org";
const DISABLED: &str = "closed@example.org";
const PASSWORDLESS: &str = "nopass@example.org";

async fn site() -> Site {
    with_each_kind(Setup::default().unthrottled()).await
}

/// Starts a site with one user of each kind that cannot log in with `PASSWORD` or `OTHER_PASSWORD`.
pub(crate) async fn with_each_kind(setup: Setup) -> Site {
    let site = setup.start().await;
    site.register(ENABLED).await;
    let disabled = site.register(DISABLED).await;
    site.auth.by(&Caller::administrator()).admin().set_active(disabled.id, false).await.unwrap();
    let passwordless = User::new(
        UserId::parse("01955555-5555-7555-8555-555555555555").unwrap(),
        EmailAddress::parse(PASSWORDLESS).unwrap(),
        Username::parse("No Password").unwrap(),
        OffsetDateTime::UNIX_EPOCH,
    );
    site.store.users().insert_user(&passwordless, &any_record()).await.unwrap();
    site
}

/// Returns an answer without the parts that may differ: the request id and the typed address.
pub(crate) fn comparable(answer: &Answer, email: &str) -> (u16, Vec<(String, String)>, String) {
    let id = answer.header("X-Request-Id").unwrap().to_owned();
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| !matches!(name.as_str(), "X-Request-Id" | "Date"));
    let text = answer.text.replace(&id, "ID").replace(email, "someone@example.org");
    (answer.status, headers, text)
}

pub(crate) const FAILURES: [(&str, &str); 5] = [
    (NOBODY, PASSWORD),
    (ENABLED, OTHER_PASSWORD),
    (DISABLED, PASSWORD),
    (DISABLED, OTHER_PASSWORD),
    (PASSWORDLESS, PASSWORD),
];

#[rocket::async_test]
async fn all_failed_logins_are_answered_alike_and_cost_one_hash() {
    let site = site().await;
    // The addresses must have the same length, since the answers repeat them.
    assert!(FAILURES.iter().all(|(email, _)| email.len() == NOBODY.len()));
    for headers in [&[][..], &[("Accept", "application/json")], &[("HX-Request", "true")]] {
        let mut first = None;
        for (email, password) in FAILURES {
            let before = site.auth.testing().hashes_computed();
            let mut visitor = site.anon();
            let ask = visitor.ask(rocket::http::Method::Post, "/login");
            let form = [("email", email), ("password", password), ("next", "/blogs")];
            let answer = ask.headers(headers).form(&form).send().await;
            assert_eq!(site.auth.testing().hashes_computed() - before, 1, "{email}");
            answer.is(401).hides(password);
            assert_eq!(answer.all("Set-Cookie").count(), 0, "{email}");
            let answer = comparable(&answer, email);
            assert_eq!(*first.get_or_insert(answer.clone()), answer, "{email}");
        }
    }
}

#[rocket::async_test]
async fn a_login_that_succeeds_costs_one_hash_too() {
    let site = site().await;
    let before = site.auth.testing().hashes_computed();
    site.anon().log_in(ENABLED, PASSWORD).await.sees_other("/blogs");
    assert_eq!(site.auth.testing().hashes_computed() - before, 1);
}

#[rocket::async_test]
async fn a_registration_costs_one_hash_whether_or_not_the_address_is_taken() {
    let site = site().await;
    for (email, status) in [(NOBODY, 303), (ENABLED, 409), (DISABLED, 409), (PASSWORDLESS, 409)] {
        let before = site.auth.testing().hashes_computed();
        let form = [("email", email), ("username", "X"), ("password", OTHER_PASSWORD)];
        site.anon().post_form("/register", &form).await.is(status);
        assert_eq!(site.auth.testing().hashes_computed() - before, 1, "{email}");
    }
}

#[rocket::async_test]
async fn what_a_disabled_user_had_open_is_closed() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    let user = site.users().await.remove(0);
    site.auth.by(&Caller::administrator()).admin().set_active(user.id, false).await.unwrap();
    ada.get("/blogs").await.sees_other("/login?next=%2Fblogs");
    // The old session does not come back when the user is enabled again.
    site.auth.by(&Caller::administrator()).admin().set_active(user.id, true).await.unwrap();
    ada.get("/blogs").await.sees_other("/login?next=%2Fblogs");
    assert!(site.store.sessions().sessions_of(user.id).await.unwrap().is_empty());
}
