//! Helpers of the tests: a site, its visitors, and the answers that they get.

use std::io::Read;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use countersign_web::auth::{
    AuthConfig, BreachFile, Caller, HashingConfig, NewUser, SessionConfig,
};
use countersign_web::domain::{Clock, Duration, EmailAddress, OffsetDateTime, Session, User};
use countersign_web::{Auth, AuthPages, Database, Registration, site_routes};
use flate2::read::GzDecoder;
use rocket::config::{Config, Ident, LogLevel};
use rocket::http::{Header, Method};
use rocket::local::asynchronous::Client;
use rocket::{Build, Rocket};
use tempfile::TempDir;

use crate::store::FragileStore;

pub(crate) const EMAIL: &str = "ada@example.org";
pub(crate) const USERNAME: &str = "Ada";
pub(crate) const PASSWORD: &str = "tidal lantern orbit mauve";
pub(crate) const OTHER_PASSWORD: &str = "copper window seven gulls";

const START: OffsetDateTime = time::macros::datetime!(2026-03-01 12:00 UTC);

/// A clock that stands still until a test advances it.
#[derive(Clone)]
pub(crate) struct StoppedClock(Arc<Mutex<OffsetDateTime>>);

impl StoppedClock {
    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for StoppedClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap()
    }
}

/// The settings of a test that differ from the defaults of the program.
pub(crate) struct Setup {
    public_url: &'static str,
    registration: Registration,
    config: AuthConfig,
}

impl Default for Setup {
    fn default() -> Self {
        let mut config = AuthConfig::default();
        config.hashing = HashingConfig::cheap();
        config.hashing.workers = 1;
        config.hashing.max_wait = std::time::Duration::from_secs(60);
        Self { public_url: "http://127.0.0.1:8000", registration: Registration::Open, config }
    }
}

impl Setup {
    pub(crate) fn https(mut self) -> Self {
        self.public_url = "https://site.example";
        self
    }

    pub(crate) fn closed(mut self) -> Self {
        self.registration = Registration::Closed;
        self
    }

    pub(crate) fn hashing(mut self, hashing: HashingConfig) -> Self {
        self.config.hashing = hashing;
        self
    }

    /// Switches the throttle off.
    pub(crate) fn unthrottled(mut self) -> Self {
        self.config.throttle = None;
        self
    }

    pub(crate) fn sessions(mut self, sessions: SessionConfig) -> Self {
        self.config.sessions = sessions;
        self
    }

    pub(crate) fn breach_file(mut self, file: BreachFile) -> Self {
        self.config.breach_file = Some(file);
        self
    }

    /// Starts the site in the same way as the program.
    pub(crate) async fn start(self) -> Site {
        let Self { public_url, registration, config } = self;
        Site::with(config, |auth| {
            let pages = AuthPages::at("/", auth)
                .public_url(public_url.parse().unwrap())
                .registration(registration)
                .login_redirect("/blogs")
                .logout_redirect("/login")
                .members_page("/blogs");
            rocket().attach(pages).mount("/", site_routes())
        })
        .await
    }
}

/// Builds Rocket with the program's configuration, without a folder of templates.
pub(crate) fn rocket() -> Rocket<Build> {
    let config = Config {
        ident: Ident::none(),
        ip_header: None,
        log_level: LogLevel::Off,
        cli_colors: false,
        ..Config::debug_default()
    };
    rocket::custom(rocket::figment::Figment::from(config).merge(("template_dir", "")))
}

/// A running site with its own database file.
pub(crate) struct Site {
    client: Client,
    pub(crate) auth: Auth,
    pub(crate) store: FragileStore,
    pub(crate) clock: StoppedClock,
    _folder: TempDir,
}

impl Site {
    pub(crate) async fn new() -> Self {
        Setup::default().start().await
    }

    /// Starts an application that the test builds.
    pub(crate) async fn of(build: impl FnOnce(Auth) -> Rocket<Build>) -> Self {
        Self::with(Setup::default().config, build).await
    }

    async fn with(config: AuthConfig, build: impl FnOnce(Auth) -> Rocket<Build>) -> Self {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("site.db").display());
        let store = FragileStore::new(Database::connect(&url).await.unwrap()).await;
        let clock = StoppedClock(Arc::new(Mutex::new(START)));
        let auth = Auth::with(store.clone(), clock.clone(), config).unwrap();
        let client = Client::untracked(build(auth.clone())).await.unwrap();
        Self { client, auth, store, clock, _folder: folder }
    }

    /// Returns a visitor without cookies.
    pub(crate) fn anon(&self) -> Actor<'_> {
        Actor { site: self, cookies: Vec::new(), browser: None, address: None }
    }

    /// Registers Ada and logs her in.
    pub(crate) async fn ada(&self) -> Actor<'_> {
        self.register(EMAIL).await;
        self.logged_in(EMAIL).await
    }

    /// Logs in a user who has already registered.
    pub(crate) async fn logged_in(&self, email: &str) -> Actor<'_> {
        let mut actor = self.anon();
        actor.log_in(email, PASSWORD).await.sees_other("/blogs");
        actor
    }

    pub(crate) async fn register(&self, email: &str) -> User {
        let new = NewUser::new(email, USERNAME, PASSWORD);
        self.auth.by(&Caller::administrator()).register(new).await.unwrap().user
    }

    pub(crate) async fn users(&self) -> Vec<User> {
        self.auth.users().list(None, 1_000).await.unwrap()
    }

    pub(crate) async fn user(&self, email: &str) -> User {
        let email = EmailAddress::parse(email).unwrap();
        self.auth.users().by_email(&email).await.unwrap().unwrap()
    }

    /// Returns the live sessions of a user.
    pub(crate) async fn sessions(&self, email: &str) -> Vec<Session> {
        let caller = &Caller::administrator();
        self.auth.by(caller).sessions(self.user(email).await.id).list().await.unwrap()
    }
}

/// A visitor with their own browser, which keeps the cookies that the site sets.
#[derive(Clone)]
pub(crate) struct Actor<'s> {
    site: &'s Site,
    cookies: Vec<(String, String)>,
    browser: Option<String>,
    address: Option<IpAddr>,
}

impl<'s> Actor<'s> {
    /// Sets the browser's `User-Agent`.
    pub(crate) fn with_browser(self, user_agent: &str) -> Self {
        Self { browser: Some(user_agent.to_owned()), ..self }
    }

    /// Sets the client address.
    pub(crate) fn at(self, address: &str) -> Self {
        Self { address: Some(address.parse().unwrap()), ..self }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask(Method::Get, path).send().await
    }

    pub(crate) async fn post_form(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.ask(Method::Post, path).form(fields).send().await
    }

    pub(crate) async fn log_in(&mut self, email: &str, password: &str) -> Answer {
        self.post_form("/login", &[("email", email), ("password", password)]).await
    }

    /// Logs Ada in, with the box "remember me" ticked.
    pub(crate) async fn log_in_remembered(&mut self) -> Answer {
        let form = [("email", EMAIL), ("password", PASSWORD), ("remember", "on")];
        self.post_form("/login", &form).await
    }

    pub(crate) fn ask(&mut self, method: Method, path: &str) -> Ask<'_, 's> {
        Ask { actor: self, method, path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// Returns the value of a cookie, if the site has set it.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Returns the session token of a site on http.
    pub(crate) fn token(&self) -> String {
        self.cookie("session").unwrap().to_owned()
    }

    pub(crate) fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.retain(|(found, _)| found != name);
        self.cookies.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn drop_cookie(&mut self, name: &str) {
        self.cookies.retain(|(found, _)| found != name);
    }

    /// Keeps the cookies that an answer sets, like a browser.
    fn keep(&mut self, answer: &Answer) {
        for header in answer.all("Set-Cookie") {
            let (pair, attributes) = header.split_once(';').unwrap_or((header, ""));
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(found, _)| found != name);
            if !attributes.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }
}

/// A request that is being built.
pub(crate) struct Ask<'a, 's> {
    actor: &'a mut Actor<'s>,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Ask<'_, '_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn headers(self, headers: &[(&str, &str)]) -> Self {
        headers.iter().fold(self, |ask, (name, value)| ask.header(name, value))
    }

    pub(crate) fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    pub(crate) fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("Content-Type", content_type)
    }

    pub(crate) async fn send(self) -> Answer {
        let Self { actor, method, path, headers, body } = self;
        let mut request = actor.site.client.req(method, path.clone()).body(body);
        if !actor.cookies.is_empty() {
            let pairs: Vec<_> = actor.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
            request.add_header(Header::new("Cookie", pairs.join("; ")));
        }
        if let Some(address) = actor.address {
            request = request.remote((address, 50_000).into());
        }
        let browser = actor.browser.iter().map(|name| ("User-Agent".to_owned(), name.clone()));
        for (name, value) in browser.chain(headers) {
            request.add_header(Header::new(name, value));
        }
        let response = request.dispatch().await;
        let headers = response.headers().iter();
        let headers = headers.map(|h| (h.name().to_string(), h.value().to_owned())).collect();
        let status = response.status().code;
        let is_pressed = response.headers().get_one("Content-Encoding") == Some("gzip");
        let mut body = response.into_bytes().await.unwrap_or_default();
        let length = body.len();
        if is_pressed {
            let pressed = std::mem::take(&mut body);
            GzDecoder::new(&pressed[..]).read_to_end(&mut body).unwrap();
        }
        // The templates escape every slash, and a browser decodes it.
        let text = String::from_utf8(body).unwrap().replace("&#x2F;", "/");
        let answer = Answer { what: format!("{method} {path}"), status, headers, length, text };
        actor.keep(&answer);
        answer
    }
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) what: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// The length of the body as sent, in bytes.
    pub(crate) length: usize,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// Returns the only header of this name.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        assert!(self.all(name).count() <= 1, "{}: {name} is there twice", self.what);
        self.all(name).next()
    }

    /// Returns the `Set-Cookie` header of this cookie.
    pub(crate) fn set_cookie(&self, name: &str) -> Option<&str> {
        let start = format!("{name}=");
        self.all("Set-Cookie").find(|header| header.starts_with(&start))
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}: {:?}\n{}", self.what, self.headers, self.text);
        self
    }

    #[track_caller]
    pub(crate) fn sees_other(&self, location: &str) -> &Self {
        self.is(303).has("Location", location)
    }

    #[track_caller]
    pub(crate) fn has(&self, name: &str, value: &str) -> &Self {
        assert_eq!(self.header(name), Some(value), "{}: {name}", self.what);
        self
    }

    #[track_caller]
    pub(crate) fn shows(&self, text: &str) -> &Self {
        assert!(self.text.contains(text), "{} lacks {text:?}:\n{}", self.what, self.text);
        self
    }

    #[track_caller]
    pub(crate) fn hides(&self, text: &str) -> &Self {
        assert!(!self.text.contains(text), "{} shows {text:?}:\n{}", self.what, self.text);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// Returns the tag of the input of this name.
    #[track_caller]
    pub(crate) fn input(&self, name: &str) -> &str {
        let marked = format!("name=\"{name}\"");
        let tag = self.text.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap());
        let mut found = tag.filter(|tag| tag.contains(&marked));
        let tag = found.next().ok_or_else(|| format!("{} has no field {name}", self.what));
        tag.unwrap()
    }
}
