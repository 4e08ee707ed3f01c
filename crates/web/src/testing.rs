//! A kit for the tests of an application: users without registration, a client that is logged in
//! without a password, a clock that is advanced, and a list of what has happened.
//!
//! ```
//! # #[macro_use] extern crate rocket;
//! # use countersign_web::{AuthPages, FreshLogin};
//! use countersign_web::testing::{Kit, TestClient};
//! # #[get("/vault")]
//! # fn vault(_me: FreshLogin<'_>) -> &'static str { "gold" }
//! # fn my_app(auth: countersign_web::Auth) -> rocket::Rocket<rocket::Build> {
//! #     rocket::build().attach(AuthPages::at("/auth", auth)).mount("/", routes![vault])
//! # }
//!
//! # rocket::async_test(async {
//! let kit = Kit::new();
//! let ada = kit.user("ada").await;
//! let client = TestClient::new(my_app(kit.auth())).await;
//! client.log_in(&ada).await;
//! assert_eq!(client.get("/vault").dispatch().await.status().code, 200);
//! kit.clock.advance(time::Duration::minutes(11));
//! assert_eq!(client.get("/vault").dispatch().await.status().code, 303);
//! # });
//! ```
#![expect(clippy::expect_used, reason = "a test fails by panicking")]
#![expect(clippy::missing_panics_doc, reason = "all of it panics when a test fails")]

use std::future::IntoFuture;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_auth::{
    Auth, AuthConfig, AuthEvent, AuthEventKind, AuthEvents, Caller, HashingConfig, LoginState,
    NewSession, NewUser,
};
use countersign_domain::memory::MemoryStore;
use countersign_domain::{Clock, Duration, OffsetDateTime, Store, SystemClock, User};
use rocket::local::asynchronous::Client;
use rocket::{Build, Rocket, State, get, routes};

use crate::answer::tokens;
use crate::guards::mounts::public;
use crate::site::{Shared, Site};

/// The password of every user that [`Kit::user`] makes.
pub const PASSWORD: &str = "tidal lantern orbit mauve";

/// A service for tests: hashes that cost next to nothing, a clock of its own, and captured events.
pub struct Kit {
    auth: Auth,
    /// The clock of the service.
    pub clock: TestClock,
    /// The events so far.
    pub events: CapturedEvents,
}

impl Kit {
    /// Makes a service with a store in memory.
    pub fn new() -> Self {
        Self::over(MemoryStore::default())
    }

    /// Makes a service with a store of the application.
    pub fn over(store: impl Store + 'static) -> Self {
        let clock = TestClock::default();
        let mut config = AuthConfig::default();
        config.hashing = HashingConfig::cheap();
        config.hashing.workers = 1;
        let auth = Auth::with(store, clock.clone(), config);
        let auth = auth.expect("the hash parameters for tests are refused by a release build");
        let events = CapturedEvents { auth: auth.clone(), heard: Arc::default() };
        auth.listen(events.clone()).expect("the system has a thread to listen on");
        Self { auth, clock, events }
    }

    /// Returns the service, for the application to use.
    pub fn auth(&self) -> Auth {
        self.auth.clone()
    }

    /// Registers a user called `name`, `name@example.org`, with the password [`PASSWORD`].
    pub async fn user(&self, name: &str) -> User {
        let (email, caller) = (format!("{name}@example.org"), Caller::administrator());
        let new = NewUser::new(&email, name, PASSWORD);
        self.auth.by(&caller).register(new).await.expect("the user is registered").user
    }
}

impl Default for Kit {
    fn default() -> Self {
        Self::new()
    }
}

/// A clock that stands still until it is advanced. A clone is the same clock.
#[derive(Clone, Debug)]
pub struct TestClock(Arc<Mutex<OffsetDateTime>>);

impl Default for TestClock {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(SystemClock.now())))
    }
}

impl TestClock {
    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The events so far. A clone is the same list.
#[derive(Clone)]
pub struct CapturedEvents {
    auth: Auth,
    heard: Arc<Mutex<Vec<AuthEvent>>>,
}

impl CapturedEvents {
    /// Returns all events so far, in order.
    pub async fn all(&self) -> Vec<AuthEvent> {
        self.auth.settle().await;
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the kinds of all events so far, in order.
    pub async fn kinds(&self) -> Vec<AuthEventKind> {
        self.all().await.iter().map(|event| event.kind).collect()
    }
}

impl AuthEvents for CapturedEvents {
    fn on(&self, event: &AuthEvent) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
    }
}

/// Rocket's client for tests, which keeps its cookies, and can be logged in without a password:
/// Flask-Login's `FlaskLoginClient`. It dereferences to [`Client`].
pub struct TestClient(Client);

/// A session that waits for the client.
#[derive(Default)]
struct Handover(Mutex<Option<NewSession>>);

/// Only an application that a [`TestClient`] has wrapped has this route.
#[get("/.countersign/hand-over")]
async fn hand_over(waiting: &State<Handover>, site: Site<'_>) -> Option<()> {
    let begun = waiting.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    tokens::take_back(site);
    tokens::hand_over(site, &begun);
    Some(())
}

impl TestClient {
    /// Launches an application to which [`AuthPages`](crate::AuthPages) is attached, and makes a client
    /// of it.
    pub async fn new(rocket: Rocket<Build>) -> Self {
        let rocket = rocket.manage(Handover::default()).mount("/", public(routes![hand_over]));
        Self(Client::tracked(rocket).await.expect("the application launches"))
    }

    /// Logs a user in with `client.log_in(&ada).await`, or in another state with
    /// `client.log_in(&ada).stale().await`.
    pub fn log_in<'a>(&'a self, user: &'a User) -> LoggingIn<'a> {
        LoggingIn { client: self, user, as_if: AsIf::JustLoggedIn }
    }

    async fn hand(&self, begun: NewSession) {
        let waiting = self.0.rocket().state::<Handover>().expect("the kit's state is managed");
        *waiting.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
        let response = self.0.get("/.countersign/hand-over").dispatch().await;
        assert!(response.status().class().is_success(), "the session is handed over");
    }
}

impl Deref for TestClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
    }
}

/// A login that happens when awaited.
#[must_use = "nobody is logged in until this is awaited"]
pub struct LoggingIn<'a> {
    client: &'a TestClient,
    user: &'a User,
    as_if: AsIf,
}

#[derive(Clone, Copy)]
enum AsIf {
    JustLoggedIn,
    LongAgo,
    Remembered,
}

impl LoggingIn<'_> {
    /// Pretends that the login was long ago: the session is live, but not fresh.
    pub fn stale(self) -> Self {
        Self { as_if: AsIf::LongAgo, ..self }
    }

    /// Pretends that the session has ended and the user is only remembered.
    pub fn remembered(self) -> Self {
        Self { as_if: AsIf::Remembered, ..self }
    }

    async fn run(self) {
        let shared = self.client.rocket().state::<Shared>().expect("AuthPages is attached");
        let caller = Caller::visitor(countersign_domain::Client::default());
        let acting = shared.auth.by(&caller);
        let remember = matches!(self.as_if, AsIf::Remembered);
        let state = acting.log_in_user(self.user, remember).await.expect("the store answers");
        let begun = state.and_then(LoginState::into_session);
        let mut begun = begun.expect("the user may log in, and needs no second factor");
        match self.as_if {
            AsIf::JustLoggedIn => {}
            AsIf::LongAgo => begun = acting.stale_session(self.user).await,
            AsIf::Remembered => {
                // A token without a session, as if the browser had been closed meanwhile.
                begun.token = acting.stale_session(self.user).await.token;
                let sessions = acting.sessions(self.user.id).asked_in(begun.session.id);
                sessions.revoke_all().await.expect("they end");
            }
        }
        self.client.hand(begun).await;
    }
}

impl<'a> IntoFuture for LoggingIn<'a> {
    type Output = ();
    type IntoFuture = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
