//! A service over the memory store, with a clock that stands still until a test advances it.

use std::sync::{Arc, LazyLock, Mutex};

use countersign_auth::domain::memory::MemoryStore;
use countersign_auth::domain::{
    Client, Clock, Duration, OffsetDateTime, SecretToken, Store, UserId,
};
use countersign_auth::{
    Acting, Admin, Auth, AuthConfig, Authenticated, Caller, HashingConfig, LogIn, LogInError,
    LoginState, NewPendingLogin, NewSession, NewUser, RegisterError,
};

pub(crate) const PASSWORD: &str = "tidal lantern orbit mauve";

/// A clock that stands still until a test advances it, and may be wrong.
#[derive(Clone)]
pub(crate) struct Stopped {
    right: Arc<Mutex<OffsetDateTime>>,
    wrong: Arc<Mutex<Duration>>,
}

impl Stopped {
    fn at(start: OffsetDateTime) -> Self {
        Self { right: Arc::new(Mutex::new(start)), wrong: Arc::default() }
    }
}

impl Clock for Stopped {
    fn now(&self) -> OffsetDateTime {
        *self.right.lock().unwrap() + *self.wrong.lock().unwrap()
    }

    fn steady(&self) -> Duration {
        *self.right.lock().unwrap() - OffsetDateTime::UNIX_EPOCH
    }
}

pub(crate) struct Service {
    pub(crate) auth: Auth,
    pub(crate) clock: Stopped,
}

impl Service {
    pub(crate) fn new() -> Self {
        Self::with(cheap())
    }

    pub(crate) fn with(config: AuthConfig) -> Self {
        Self::over(MemoryStore::default(), config)
    }

    pub(crate) fn over(store: impl Store + 'static, config: AuthConfig) -> Self {
        let start = time::macros::datetime!(2026-03-01 12:00 UTC);
        let clock = Stopped::at(start);
        let auth = Auth::with(store, clock.clone(), config).unwrap();
        Self { auth, clock }
    }

    /// Starts another program on the same clock.
    pub(crate) fn again(&self, store: impl Store + 'static, config: AuthConfig) -> Self {
        let auth = Auth::with(store, self.clock.clone(), config).unwrap();
        Self { auth, clock: self.clock.clone() }
    }

    /// Starts a service, and registers `ada`.
    pub(crate) async fn with_ada() -> Self {
        let service = Self::new();
        service.register("ada@example.org").await.unwrap();
        service
    }

    /// Acts as a visitor.
    pub(crate) fn acting(&self) -> Acting<'_> {
        self.auth.by(&BROWSER)
    }

    /// Acts as an administrator.
    pub(crate) fn admin(&self) -> Admin<'_> {
        self.auth.by(&ADMINISTRATOR).admin()
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.clock.right.lock().unwrap() += by;
    }

    /// Sets the clock wrong by so much.
    pub(crate) fn set_wrong(&self, by: Duration) {
        *self.clock.wrong.lock().unwrap() = by;
    }

    /// Cleans up after a minute.
    pub(crate) async fn keep_house(&self) {
        self.advance(Duration::MINUTE);
        self.auth.jobs().housekeeping().await.unwrap();
    }

    pub(crate) async fn register(&self, email: &str) -> Result<UserId, RegisterError> {
        let new = NewUser::new(email, "Ada", PASSWORD);
        self.acting().register(new).await.map(|registered| registered.user.id)
    }

    pub(crate) async fn try_log_in(
        &self,
        email: &str,
        password: &str,
    ) -> Result<NewSession, LogInError> {
        self.log_in_with(email, password, false).await
    }

    pub(crate) async fn log_in_with(
        &self,
        email: &str,
        password: &str,
        remember: bool,
    ) -> Result<NewSession, LogInError> {
        let attempt = LogIn::new(email, password).remember(remember);
        self.acting().log_in(attempt).await.map(complete)
    }

    pub(crate) async fn log_in(&self) -> NewSession {
        self.try_log_in("ada@example.org", PASSWORD).await.unwrap()
    }

    pub(crate) async fn authenticate(&self, token: &SecretToken) -> Option<Authenticated> {
        self.acting().authenticate(token).await.unwrap()
    }
}

/// Returns the default configuration with hashes that cost next to nothing.
pub(crate) fn cheap() -> AuthConfig {
    let mut config = AuthConfig::default();
    config.hashing = HashingConfig::cheap();
    config
}

/// Returns the session of a login that must be complete.
#[track_caller]
pub(crate) fn complete(state: LoginState) -> NewSession {
    match state {
        LoginState::Complete(begun) => begun,
        other => panic!("not complete: {other:?}"),
    }
}

/// Returns a login that must wait for a second factor.
#[track_caller]
pub(crate) fn waiting(state: LoginState) -> NewPendingLogin {
    match state {
        LoginState::FactorRequired(pending) => pending,
        other => panic!("not waiting: {other:?}"),
    }
}

static BROWSER: LazyLock<Caller> =
    LazyLock::new(|| Caller::visitor(Client::new(Some([203, 0, 113, 7].into()), Some("Test/1.0"))));
static ADMINISTRATOR: LazyLock<Caller> = LazyLock::new(Caller::administrator);

pub(crate) fn browser() -> Caller {
    BROWSER.clone()
}

pub(crate) fn admin() -> Caller {
    ADMINISTRATOR.clone()
}
