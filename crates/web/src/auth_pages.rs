use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_auth::Auth;
use ipnet::IpNet;
use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::figment::providers::Serialized;
use rocket::{Build, Catcher, Data, Orbit, Request, Response, Rocket, async_trait};
use tempfile::TempDir;
use url::Url;

use crate::assets::Assets;
use crate::cookies::{self, CookieNames};
use crate::error::Catch;
use crate::headers::SecurityHeaders;
use crate::state::{Paths, Registration, Shared};
use crate::views::SiteView;
use crate::{cross_site, pages, request_id, templates};

/// Everything that an application needs for its users to register, log in and log out: the state
/// behind the guards, the pages, the catchers, the templates and the headers, in one fairing.
///
/// It also attaches the template engine, with which the application's own templates are rendered
/// as always: an application that attaches this attaches no `Template::fairing()`.
///
/// ```
/// # #[macro_use] extern crate rocket;
/// use countersign_web::{Auth, AuthPages, CurrentUser, Database};
///
/// #[get("/notes")]
/// fn notes(me: CurrentUser<'_>) -> String {
///     format!("Only {} sees this.", me.username)
/// }
///
/// # async fn rocket() -> Result<rocket::Rocket<rocket::Build>, countersign_web::DatabaseError> {
/// let auth = Auth::new(Database::connect("sqlite::memory:").await?);
/// # Ok(
/// rocket::build().attach(AuthPages::at("/auth", auth)).mount("/", routes![notes])
/// # )
/// # }
/// # rocket::async_test(async {
/// #     let rocket = rocket().await.unwrap();
/// #     let client = rocket::local::asynchronous::Client::tracked(rocket).await.unwrap();
/// #     let response = client.get("/notes").dispatch().await;
/// #     assert_eq!(response.headers().get_one("Location"), Some("/auth/login?next=%2Fnotes"));
/// # });
/// ```
pub struct AuthPages {
    base: String,
    auth: Auth,
    public_url: Option<Url>,
    trusted_proxies: Vec<IpNet>,
    registration: Registration,
    site_name: String,
    login_redirect: String,
    logout_redirect: Option<String>,
    members: Option<String>,
    overrides: Option<PathBuf>,
    catchers: bool,
    /// Given to the template engine where the application has no templates of its own.
    no_templates: std::sync::OnceLock<TempDir>,
    stopping: Arc<AtomicBool>,
}

impl AuthPages {
    /// Mounts the pages under `base`: `/auth` makes the login page `/auth/login`, `/` makes it
    /// `/login`.
    pub fn at(base: &str, auth: Auth) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            auth,
            public_url: None,
            trusted_proxies: Vec::new(),
            registration: Registration::Open,
            site_name: "Countersign".to_owned(),
            login_redirect: "/".to_owned(),
            logout_redirect: None,
            members: None,
            overrides: None,
            catchers: true,
            no_templates: std::sync::OnceLock::new(),
            stopping: Arc::default(),
        }
    }

    /// The address under which browsers reach the site. With `https` cookies are `Secure` and carry
    /// the prefix `__Host-`, and browsers are told to come back over TLS only. By default it is
    /// `http` on the address and port that Rocket is configured with.
    #[must_use]
    pub fn public_url(mut self, url: Url) -> Self {
        self.public_url = Some(url);
        self
    }

    /// The proxies whose `X-Forwarded-For` is believed. By default there are none, and the client
    /// is the peer of the connection.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: impl IntoIterator<Item = IpNet>) -> Self {
        self.trusted_proxies = proxies.into_iter().collect();
        self
    }

    /// Whether people may register themselves; open by default.
    #[must_use]
    pub fn registration(mut self, registration: Registration) -> Self {
        self.registration = registration;
        self
    }

    /// What the pages call the site; `Countersign` by default.
    #[must_use]
    pub fn site_name(mut self, name: impl Into<String>) -> Self {
        self.site_name = name.into();
        self
    }

    /// The path to which a login leads that did not interrupt another visit; `/` by default.
    #[must_use]
    pub fn login_redirect(mut self, path: impl Into<String>) -> Self {
        self.login_redirect = path.into();
        self
    }

    /// The path to which a logout leads; the login page by default.
    #[must_use]
    pub fn logout_redirect(mut self, path: impl Into<String>) -> Self {
        self.logout_redirect = Some(path.into());
        self
    }

    /// The path of the page that the navigation calls "Members"; none by default.
    #[must_use]
    pub fn members_page(mut self, path: impl Into<String>) -> Self {
        self.members = Some(path.into());
        self
    }

    /// A folder whose files stand for single pages of ours: `auth/login.html.tera` for the login
    /// page. They may extend `base.html`.
    #[must_use]
    pub fn overrides(mut self, folder: impl Into<PathBuf>) -> Self {
        self.overrides = Some(folder.into());
        self
    }

    /// Registers no catchers: the application answers 401, 403, 404, 503 and all others itself.
    #[must_use]
    pub fn without_catchers(mut self) -> Self {
        self.catchers = false;
        self
    }

    fn shared(&self, public_url: &Url) -> Shared {
        let is_secure = Shared::is_secure(public_url);
        let assets = Assets::load();
        let at = |path: &str| format!("{}{path}", self.base);
        let asset = |name: &str| at(&format!("/static/{name}"));
        let (login, register, logout) = (at("/login"), at("/register"), at("/logout"));
        let is_open = self.registration == Registration::Open;
        Shared {
            auth: self.auth.clone(),
            registration: self.registration,
            trusted_proxies: self.trusted_proxies.clone(),
            cookies: CookieNames::new(is_secure),
            headers: SecurityHeaders::new(&assets.js.integrity, is_secure),
            origin: public_url.origin().ascii_serialization(),
            site: SiteView {
                name: self.site_name.clone(),
                home: "/".to_owned(),
                login: login.clone(),
                register: is_open.then(|| register.clone()),
                logout,
                members: self.members.clone(),
                account: None,
                css: asset(&assets.css.name),
                js: asset(&assets.js.name),
                js_integrity: assets.js.integrity.clone(),
                icon: asset(&assets.icon.name),
            },
            paths: Paths {
                after_login: self.login_redirect.clone(),
                after_logout: self.logout_redirect.clone().unwrap_or_else(|| login.clone()),
                login,
                register,
            },
            assets,
            stopping: Arc::clone(&self.stopping),
        }
    }

    /// The template engine does not start without a folder of templates, and ours are in the
    /// program: where the application has none it gets an empty one.
    fn with_template_dir(&self, rocket: Rocket<Build>) -> std::io::Result<Rocket<Build>> {
        use rocket::figment::value::magic::RelativePathBuf;
        let configured = rocket.figment().extract_inner::<RelativePathBuf>("template_dir");
        let folder = configured.map_or_else(|_| PathBuf::from("templates"), |path| path.relative());
        if folder.is_dir() {
            return Ok(rocket);
        }
        let empty = TempDir::new()?;
        let set = Serialized::global("template_dir", empty.path());
        let figment = rocket.figment().clone().merge(set);
        // The first one is kept; an application ignites once.
        let _ = self.no_templates.set(empty);
        Ok(rocket.configure(figment))
    }
}

/// Those of our catchers for which the application has none of its own.
fn missing_catchers(rocket: &Rocket<Build>) -> Vec<Catcher> {
    let is_taken = |code| rocket.catchers().any(|own| own.code == code && own.base.path() == "/");
    let ours = [None, Some(401)].into_iter().filter(|code| !is_taken(*code));
    ours.map(|code| Catcher::new(code, Catch)).collect()
}

fn local_url(rocket: &Rocket<Build>) -> Option<Url> {
    let config = rocket.figment().extract::<rocket::Config>().ok()?;
    let host = match config.address {
        address if address.is_unspecified() => "127.0.0.1".to_owned(),
        std::net::IpAddr::V6(address) => format!("[{address}]"),
        address => address.to_string(),
    };
    Url::parse(&format!("http://{host}:{}", config.port)).ok()
}

#[async_trait]
impl Fairing for AuthPages {
    fn info(&self) -> Info {
        Info {
            name: "Countersign",
            kind: Kind::Ignite | Kind::Liftoff | Kind::Request | Kind::Response,
        }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        let Some(public_url) = self.public_url.clone().or_else(|| local_url(&rocket)) else {
            tracing::error!("Rocket's address and port make no URL: set AuthPages::public_url");
            return Err(rocket);
        };
        let base = if self.base.is_empty() { "/" } else { &self.base };
        let mut rocket = rocket
            .manage(self.shared(&public_url))
            .mount(base, pages::auth_routes())
            .mount("/", cross_site::sentry_routes());
        if self.catchers {
            let catchers = missing_catchers(&rocket);
            rocket = rocket.register("/", catchers);
        }
        let figment = rocket.figment().clone();
        match self.with_template_dir(rocket) {
            Ok(rocket) => Ok(rocket.attach(templates::fairing(self.overrides.clone()))),
            Err(error) => {
                tracing::error!(%error, "no folder for templates could be made");
                Err(rocket::custom(figment))
            }
        }
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        let (shutdown, stopping) = (rocket.shutdown(), Arc::clone(&self.stopping));
        tokio::spawn(async move {
            shutdown.await;
            stopping.store(true, Ordering::Relaxed);
        });
    }

    async fn on_request(&self, request: &mut Request<'_>, data: &mut Data<'_>) {
        cross_site::restore_method(request, data).await;
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        if let Some(shared) = request.rocket().state::<Shared>() {
            shared.headers.write(response);
        }
        response.set_raw_header("X-Request-Id", request_id::of(request));
        cookies::write(request, response);
    }
}
