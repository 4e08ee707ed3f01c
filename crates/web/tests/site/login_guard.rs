//! Tests of the guard `Login` in an application's own handlers, of `current_user` in its own templates, and
//! of its listeners.

use countersign_web::auth::Caller;
use std::sync::{Arc, Mutex};

use countersign_web::AuthEventKind::{
    PasswordChanged, RememberedStolen, SessionProtected, SessionsRevoked, UserDeleted,
    UserDisabled, UserEnabled, UserLoggedIn, UserLoggedOut, UserLoginConfirmed, UserLoginFailed,
    UserNeedsRefresh, UserRegistered, UserRemembered, UserUnauthorized,
};
use countersign_web::auth::{ConfirmError, Credential, LogInError, LoginState};
use countersign_web::domain::{Duration, EmailAddress};
use countersign_web::{
    Auth, AuthEvent, AuthEventKind, AuthEvents, AuthPages, CurrentUser, FreshLogin, Login,
    Template, Visitor,
};
use rocket::form::{Form, FromForm};
use rocket::http::{Method, Status};
use rocket::response::Redirect;
use rocket::{State, get, post, routes};
use rocket_dyn_templates::context;
use tempfile::TempDir;

use crate::support::{Actor, EMAIL, OTHER_PASSWORD, PASSWORD, Site, rocket};

#[derive(FromForm)]
struct SignIn<'f> {
    email: &'f str,
    password: &'f str,
    remember: bool,
}

#[post("/sign-in", data = "<form>")]
async fn sign_in(login: Login<'_>, form: Form<SignIn<'_>>) -> Result<Redirect, Status> {
    match login.log_in(form.email, form.password, form.remember).await {
        Ok(LoginState::Complete(begun)) => {
            Ok(Redirect::to(format!("/hello?{}", begun.user.username)))
        }
        Ok(_) => Ok(Redirect::to("/login/verify")),
        Err(LogInError::WrongCredentials) => Err(Status::Unauthorized),
        Err(LogInError::Invalid(_)) => Err(Status::UnprocessableEntity),
        Err(_) => Err(Status::ServiceUnavailable),
    }
}

/// Logs in a user whom another service has authenticated.
#[post("/vouched/<email>?<remember>")]
async fn vouched(login: Login<'_>, auth: &State<Auth>, email: &str, remember: bool) -> Status {
    let email = EmailAddress::parse(email).unwrap();
    let user = auth.users().by_email(&email).await.unwrap().unwrap();
    match login.log_in_user(&user, remember).await {
        Ok(Some(LoginState::Complete(_))) => Status::ImATeapot,
        Ok(Some(_)) => Status::SeeOther,
        Ok(None) => Status::Forbidden,
        Err(_) => Status::ServiceUnavailable,
    }
}

#[post("/confirm", data = "<password>")]
async fn confirm(login: Login<'_>, me: CurrentUser<'_>, password: &str) -> Status {
    match login.confirm(me, Credential::Password(password)).await {
        Ok(()) => Status::NoContent,
        Err(ConfirmError::WrongPassword) => Status::Forbidden,
        Err(_) => Status::ServiceUnavailable,
    }
}

#[post("/sign-out")]
async fn sign_out(login: Login<'_>, visitor: Visitor<'_>) -> Status {
    match login.log_out(visitor).await {
        Ok(()) => Status::NoContent,
        Err(_) => Status::ServiceUnavailable,
    }
}

#[get("/vault")]
fn vault(_me: FreshLogin<'_>) {}

#[get("/hello")]
fn hello() -> Template {
    Template::render("hello", context! {})
}

#[get("/guarded-hello")]
fn guarded_hello(_visitor: Visitor<'_>, _me: CurrentUser<'_>) -> Template {
    Template::render("hello", context! {})
}

#[get("/own-hello")]
fn own_hello() -> Template {
    Template::render("hello", context! { current_user: context! { username: "the handler's" } })
}

const HELLO: &str = "{% if current_user %}Hello, {{ current_user.username }} \
                     ({{ current_user.email }}){% else %}Hello, nobody{% endif %}, \
                     known: {{ visitor_known }}";

/// Starts an application with its own login pages, and registers Ada.
async fn own_site() -> (Site, TempDir) {
    let folder = TempDir::new().unwrap();
    let hello = HELLO
        .replace("({{ current_user.email }})", "({{ current_user.email | default(value='') }})");
    std::fs::write(folder.path().join("hello.html.tera"), hello).unwrap();
    let figment = rocket().figment().clone().merge(("template_dir", folder.path()));
    let handlers = routes![sign_in, vouched, confirm, sign_out, vault];
    let site = Site::of(|auth| {
        rocket::custom(figment)
            .manage(auth.clone())
            .attach(AuthPages::at("/", auth).login_redirect("/hello"))
            .mount("/", handlers)
            .mount("/", routes![hello, guarded_hello, own_hello])
    })
    .await;
    site.register(EMAIL).await;
    (site, folder)
}

async fn sign_in_as(actor: &mut Actor<'_>, password: &str, remember: &str) -> u16 {
    let form = [("email", EMAIL), ("password", password), ("remember", remember)];
    actor.post_form("/sign-in", &form).await.status
}

#[rocket::async_test]
async fn log_in_logs_in_from_a_handler_of_the_applications_own() {
    let (site, _folder) = own_site().await;
    let mut ada = site.anon();
    assert_eq!(sign_in_as(&mut ada, OTHER_PASSWORD, "on").await, 401);
    assert_eq!(sign_in_as(&mut ada, "", "on").await, 422);
    assert_eq!((ada.cookie("session"), ada.cookie("remember_token")), (None, None));
    assert_eq!(sign_in_as(&mut ada, PASSWORD, "off").await, 303);
    assert_eq!(ada.cookie("remember_token"), None);
    ada.get("/vault").await.is(200);
    let mut ada = site.anon();
    assert_eq!(sign_in_as(&mut ada, PASSWORD, "on").await, 303);
    ada.drop_cookie("session");
    ada.get("/guarded-hello").await.is(200).shows("Hello, Ada");
}

#[rocket::async_test]
async fn log_in_user_logs_in_who_was_proven_otherwise_whatever_is_answered() {
    let (site, _folder) = own_site().await;
    let mut ada = site.anon();
    ada.ask(Method::Post, "/vouched/ada@example.org?remember=true").send().await.is(418);
    ada.get("/vault").await.is(200);
    ada.drop_cookie("session");
    ada.get("/guarded-hello").await.is(200);
    ada.get("/vault").await.sees_other("/reauthenticate?next=%2Fvault");

    let user = site.user(EMAIL).await;
    site.auth.by(&Caller::administrator()).admin().set_active(user.id, false).await.unwrap();
    let mut ada = site.anon();
    ada.ask(Method::Post, "/vouched/ada@example.org?remember=true").send().await.is(403);
    assert_eq!(ada.cookie("session"), None);
}

#[rocket::async_test]
async fn confirm_makes_a_login_fresh_with_a_new_token() {
    let (site, _folder) = own_site().await;
    let mut ada = site.anon();
    sign_in_as(&mut ada, PASSWORD, "off").await;
    site.clock.advance(Duration::minutes(10));
    let old = ada.clone();
    let post = |password: &str| ("text/plain", password.to_owned());
    for (password, status) in [(OTHER_PASSWORD, 403), (PASSWORD, 204)] {
        ada.get("/vault").await.is(303);
        let (kind, body) = post(password);
        ada.ask(Method::Post, "/confirm").body(kind, body).send().await.is(status);
    }
    ada.get("/vault").await.is(200);
    old.clone().get("/guarded-hello").await.is(303);
}

#[rocket::async_test]
async fn log_out_ends_the_session_and_what_it_is_remembered_by() {
    let (site, _folder) = own_site().await;
    let mut ada = site.anon();
    sign_in_as(&mut ada, PASSWORD, "on").await;
    let (mut thief, mut other_thief) = (ada.clone(), ada.clone());
    other_thief.drop_cookie("session");
    ada.post_form("/sign-out", &[]).await.is(204);
    assert_eq!((ada.cookie("session"), ada.cookie("remember_token")), (None, None));
    for thief in [&mut thief, &mut other_thief] {
        thief.get("/guarded-hello").await.is(303);
    }
    site.anon().post_form("/sign-out", &[]).await.is(204);
}

#[rocket::async_test]
async fn log_out_leaves_the_cookies_and_says_so_while_the_session_may_still_stand() {
    let (site, _folder) = own_site().await;
    let mut ada = site.anon();
    sign_in_as(&mut ada, PASSWORD, "off").await;
    site.store.break_down();
    let answer = ada.clone().post_form("/sign-out", &[]).await;
    site.store.recover();
    ada.get("/guarded-hello").await.is(200);
    assert_eq!(answer.is(503).all("Set-Cookie").count(), 0);
}

#[rocket::async_test]
async fn log_out_leaves_the_cookie_of_a_remembered_login_that_may_still_stand() {
    let (site, _folder) = own_site().await;
    let mut ada = site.anon();
    sign_in_as(&mut ada, PASSWORD, "on").await;
    site.store.break_down();
    let answer = ada.post_form("/sign-out", &[]).await;
    assert_eq!(answer.is(503).all("Set-Cookie").collect::<Vec<_>>(), Vec::<&str>::new());
}

#[rocket::async_test]
async fn current_user_is_in_every_template_at_the_cost_of_one_look() {
    let (site, _folder) = own_site().await;
    let mut ada = site.anon();
    assert_eq!(ada.get("/hello").await.is(200).text, "Hello, nobody, known: true");
    assert_eq!(site.store.lookups(), 0);
    sign_in_as(&mut ada, PASSWORD, "off").await;
    for path in ["/hello", "/guarded-hello"] {
        site.clock.advance(Duration::SECOND);
        let before = site.store.lookups();
        let page = ada.get(path).await;
        assert_eq!(page.is(200).text, "Hello, Ada (ada@example.org), known: true");
        assert_eq!(site.store.lookups(), before + 1, "{path}");
    }
    ada.get("/own-hello").await.is(200).shows("Hello, the handler&#x27;s (), known: true");
    site.store.break_down();
    site.clock.advance(Duration::SECOND);
    assert_eq!(ada.get("/hello").await.is(200).text, "Hello, nobody, known: false");
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<AuthEvent>>>);

impl AuthEvents for Heard {
    fn on(&self, event: &AuthEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Heard {
    async fn take(&self, site: &Site) -> Vec<AuthEvent> {
        site.auth.settle().await;
        std::mem::take(&mut self.0.lock().unwrap())
    }

    async fn kinds(&self, site: &Site) -> Vec<AuthEventKind> {
        self.take(site).await.iter().map(|event| event.kind).collect()
    }
}

#[rocket::async_test]
async fn listeners_hear_what_happens_and_to_whom() {
    let (site, _folder) = own_site().await;
    let heard = Heard::default();
    site.auth.listen(heard.clone()).unwrap();
    let bob = site.register("bob@example.org").await;
    let user = site.user(EMAIL).await.id;
    let mut ada = site.anon().at("203.0.113.7");
    ada.get("/vault").await.is(303);
    sign_in_as(&mut ada, OTHER_PASSWORD, "off").await;
    sign_in_as(&mut ada, PASSWORD, "off").await;
    site.clock.advance(Duration::minutes(10));
    ada.get("/vault").await.is(303);
    ada.ask(Method::Post, "/confirm").body("text/plain", PASSWORD).send().await.is(204);
    ada.post_form("/sign-out", &[]).await.is(204);
    let events = heard.take(&site).await;
    let told: Vec<_> = events.iter().map(|event| (event.kind, event.user)).collect();
    let expected = [
        (UserRegistered, Some(bob.id)),
        (UserUnauthorized, None),
        (UserLoginFailed, Some(user)),
        (UserLoggedIn, Some(user)),
        (UserNeedsRefresh, Some(user)),
        (UserLoginConfirmed, Some(user)),
        (UserLoggedOut, Some(user)),
    ];
    assert_eq!(told, expected);
    let session = events[3].session;
    assert!(session.is_some());
    assert!(events[4..].iter().all(|event| event.session == session));
    let address = Some("203.0.113.7".parse().unwrap());
    assert!(events[1..].iter().all(|event| event.client.address == address));
}

#[rocket::async_test]
async fn listeners_hear_of_what_users_may_need_to_be_told() {
    let (site, _folder) = own_site().await;
    let heard = Heard::default();
    site.auth.listen(heard.clone()).unwrap();
    let mut ada = site.anon().with_browser("Firefox");
    sign_in_as(&mut ada, PASSWORD, "on").await;
    ada.clone().with_browser("curl").get("/hello").await.is(200);
    assert_eq!(heard.kinds(&site).await, [UserLoggedIn, SessionProtected]);
    let mut thief = ada.clone();
    thief.drop_cookie("session");
    for _ in 0..2 {
        ada.drop_cookie("session");
        ada.get("/hello").await.is(200);
    }
    thief.get("/hello").await.is(200);
    assert_eq!(heard.kinds(&site).await, [UserRemembered, UserRemembered, RememberedStolen]);
    sign_in_as(&mut ada, PASSWORD, "off").await;
    let form = [("current_password", PASSWORD), ("password", OTHER_PASSWORD)];
    ada.post_form("/account/password", &form).await.is(303);
    sign_in_as(&mut site.anon(), OTHER_PASSWORD, "off").await;
    ada.post_form("/account/sessions/revoke-others", &[]).await.is(303);
    let user = site.user(EMAIL).await.id;
    site.auth.by(&Caller::administrator()).admin().set_active(user, false).await.unwrap();
    site.auth.by(&Caller::administrator()).admin().set_active(user, true).await.unwrap();
    sign_in_as(&mut ada, OTHER_PASSWORD, "off").await;
    ada.post_form("/account/delete", &[("password", OTHER_PASSWORD)]).await.is(303);
    let expected = [
        UserLoggedIn,
        PasswordChanged,
        UserLoggedIn,
        SessionsRevoked,
        UserDisabled,
        UserEnabled,
        UserLoggedIn,
        UserDeleted,
    ];
    assert_eq!(heard.kinds(&site).await, expected);
}

#[rocket::async_test]
async fn listeners_hear_of_any_device_that_is_revoked() {
    let (site, _folder) = own_site().await;
    let (mut ada, mut asleep) = (site.anon(), site.anon());
    sign_in_as(&mut asleep, PASSWORD, "on").await;
    site.clock.advance(Duration::hours(1));
    sign_in_as(&mut ada, PASSWORD, "off").await;
    let heard = Heard::default();
    site.auth.listen(heard.clone()).unwrap();
    let id = site
        .auth
        .by(&Caller::administrator())
        .sessions(site.user(EMAIL).await.id)
        .remembered()
        .await
        .unwrap()[0]
        .id;
    ada.post_form(&format!("/account/sessions/{id}/revoke"), &[]).await.is(303);
    assert_eq!(heard.kinds(&site).await, [SessionsRevoked]);
}
