//! Tests of the kit for tests of applications.

use countersign_web::AuthEventKind::{UserLoggedIn, UserNeedsRefresh, UserRegistered};
use countersign_web::domain::{Clock, Duration};
use countersign_web::testing::{Kit, PASSWORD, TestClient};
use countersign_web::{Auth, AuthPages, CurrentUser, FreshLogin, public};
use rocket::http::ContentType;
use rocket::{Build, Rocket, get, routes};

use crate::support::rocket;

#[get("/notes")]
fn notes(me: CurrentUser<'_>) -> String {
    me.username.to_string()
}

#[get("/vault")]
fn vault(_me: FreshLogin<'_>) -> &'static str {
    "gold"
}

fn application(auth: Auth) -> Rocket<Build> {
    rocket().attach(AuthPages::at("/auth", auth)).mount("/", routes![notes, vault])
}

/// Returns the statuses of the page for members and of the page for a fresh login.
async fn pages_of(client: &TestClient) -> (u16, u16) {
    let notes = client.get("/notes").dispatch().await.status().code;
    (notes, client.get("/vault").dispatch().await.status().code)
}

#[rocket::async_test]
async fn a_client_is_logged_in_without_a_password_in_whatever_state() {
    let kit = Kit::new();
    let ada = kit.user("ada").await;
    let client = TestClient::new(application(kit.auth())).await;
    assert_eq!(pages_of(&client).await, (303, 303));
    client.log_in(&ada).await;
    assert_eq!(pages_of(&client).await, (200, 200));
    client.log_in(&ada).stale().await;
    assert_eq!(pages_of(&client).await, (200, 303));
    let token = |client: &TestClient| client.cookies().get("session").unwrap().value().to_owned();
    client.log_in(&ada).remembered().await;
    let before = token(&client);
    assert_eq!(pages_of(&client).await, (200, 303));
    assert_ne!(token(&client), before, "the session began when it was needed");
    client.log_in(&ada).await;
    assert_eq!(pages_of(&client).await, (200, 200));
}

#[rocket::async_test]
async fn a_client_logs_in_as_whoever_came_last() {
    let kit = Kit::default();
    let (ada, bob) = (kit.user("ada").await, kit.user("bob").await);
    let client = TestClient::new(application(kit.auth())).await;
    let other = TestClient::new(application(kit.auth())).await;
    for user in [&ada, &bob] {
        client.log_in(user).await;
        let text = client.get("/notes").dispatch().await.into_string().await;
        assert_eq!(text.as_deref(), Some(user.username.as_str()));
    }
    assert_eq!(pages_of(&other).await, (303, 303));
}

#[rocket::async_test]
async fn time_passes_when_the_clock_is_advanced_and_not_before() {
    let kit = Kit::new();
    let ada = kit.user("ada").await;
    let client = TestClient::new(application(kit.auth())).await;
    let now = kit.clock.now();
    client.log_in(&ada).await;
    kit.clock.advance(Duration::minutes(10));
    assert_eq!(pages_of(&client).await, (200, 303));
    kit.clock.advance(Duration::minutes(30));
    assert_eq!(pages_of(&client).await, (303, 303));
    assert_eq!(kit.clock.now(), now + Duration::minutes(40));
}

#[rocket::async_test]
async fn what_has_happened_is_listed() {
    let kit = Kit::new();
    let ada = kit.user("ada").await;
    let client = TestClient::new(application(kit.auth())).await;
    client.log_in(&ada).await;
    client.get("/vault").dispatch().await;
    assert_eq!(kit.events.kinds().await, [UserRegistered, UserLoggedIn]);
    kit.clock.advance(Duration::minutes(10));
    client.get("/vault").dispatch().await;
    let events = kit.events.all().await;
    assert_eq!(events.len(), 3);
    assert_eq!((events[2].kind, events[2].user), (UserNeedsRefresh, Some(ada.id)));
    assert_eq!(events[2].at, kit.clock.now());
}

#[rocket::async_test]
async fn users_of_the_kit_have_a_password_that_the_pages_take() {
    let kit = Kit::new();
    let ada = kit.user("ada").await;
    assert_eq!(ada.email.as_str(), "ada@example.org");
    let client = TestClient::new(application(kit.auth())).await;
    let body = format!("email=ada%40example.org&password={}", PASSWORD.replace(' ', "+"));
    let ask = client.post("/auth/login").header(ContentType::Form).body(body);
    assert_eq!(ask.dispatch().await.status().code, 303);
    assert_eq!(pages_of(&client).await, (200, 200));
    assert_eq!(client.post("/auth/logout").dispatch().await.status().code, 303);
    assert_eq!(pages_of(&client).await, (303, 303));
}

#[rocket::async_test]
async fn an_application_that_requires_declared_mounts_can_be_tested_too() {
    let kit = Kit::new();
    let ada = kit.user("ada").await;
    let pages = AuthPages::at("/auth", kit.auth()).require_declared_mounts();
    let application = rocket().attach(pages).mount("/", public(routes![notes, vault]));
    let client = TestClient::new(application).await;
    client.log_in(&ada).await;
    assert_eq!(pages_of(&client).await, (200, 200));
}
