use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use countersign_auth::{Auth, Protection};
use ipnet::IpNet;
use rocket::Request;
use tempfile::TempDir;
use url::Url;

use crate::answer::flash::{Flash, Words};
use crate::answer::headers::Hsts;
use crate::site::Registration;

mod fairing;

/// A fairing with everything that an application needs so that its users can register, log in and
/// log out: the state behind the guards, the pages, the catchers, the templates and the headers.
///
/// It also attaches the template engine, which renders the application's own templates as usual. An
/// application that attaches this fairing must not attach `Template::fairing()`.
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
    hsts: Hsts,
    trusted_proxies: Vec<IpNet>,
    registration: Registration,
    site_name: String,
    index: bool,
    login_redirect: String,
    logout_redirect: Option<String>,
    members: Option<String>,
    login_view: Option<String>,
    login_views: Vec<(String, String)>,
    refresh_view: Option<String>,
    words: Mutex<Words>,
    overrides: Option<PathBuf>,
    catchers: bool,
    declared_mounts: bool,
    /// An empty folder for the template engine, if the application has no templates of its own.
    no_templates: OnceLock<TempDir>,
    stopping: Arc<AtomicBool>,
}

impl AuthPages {
    /// Mounts the pages under `base`: with `/auth` the login page is `/auth/login`, with `/` it is
    /// `/login`.
    pub fn at(base: &str, auth: Auth) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            auth,
            public_url: None,
            hsts: Hsts::default(),
            trusted_proxies: Vec::new(),
            registration: Registration::Open,
            site_name: "Countersign".to_owned(),
            index: false,
            login_redirect: "/".to_owned(),
            logout_redirect: None,
            members: None,
            login_view: None,
            login_views: Vec::new(),
            refresh_view: None,
            words: Mutex::default(),
            overrides: None,
            catchers: true,
            declared_mounts: false,
            no_templates: OnceLock::new(),
            stopping: Arc::default(),
        }
    }

    /// Sets the address under which browsers reach the site. With `https`, cookies are `Secure` and
    /// have the prefix `__Host-`, and browsers are told to come back over TLS only. The default is
    /// `http` with the address and port of Rocket's configuration.
    #[must_use]
    pub fn public_url(mut self, url: Url) -> Self {
        self.public_url = Some(url);
        self
    }

    /// Sets what browsers are told of TLS by a site that is reached over https; by default to use nothing else
    /// for two years, for this host alone.
    #[must_use]
    pub fn hsts(mut self, hsts: Hsts) -> Self {
        self.hsts = hsts;
        self
    }

    /// Sets the proxies whose `X-Forwarded-For` is trusted. By default there are none, and the client
    /// is the peer of the connection.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: impl IntoIterator<Item = IpNet>) -> Self {
        self.trusted_proxies = proxies.into_iter().collect();
        self
    }

    /// Sets whether people may register themselves; open by default.
    #[must_use]
    pub fn registration(mut self, registration: Registration) -> Self {
        self.registration = registration;
        self
    }

    /// Sets the name of the site on its pages; `Countersign` by default.
    #[must_use]
    pub fn site_name(mut self, name: impl Into<String>) -> Self {
        self.site_name = name.into();
        self
    }

    /// Lets search engines list the home page of [`site_routes`](crate::site_routes). No other page of ours is
    /// ever listed.
    #[must_use]
    pub fn index(mut self, index: bool) -> Self {
        self.index = index;
        self
    }

    /// Sets where a login leads that did not interrupt another visit; `/` by default.
    #[must_use]
    pub fn login_redirect(mut self, path: impl Into<String>) -> Self {
        self.login_redirect = path.into();
        self
    }

    /// Sets where a logout leads; to the login page by default.
    #[must_use]
    pub fn logout_redirect(mut self, path: impl Into<String>) -> Self {
        self.logout_redirect = Some(path.into());
        self
    }

    /// Sets the page to which "Members" in the navigation leads; none by default.
    #[must_use]
    pub fn members_page(mut self, path: impl Into<String>) -> Self {
        self.members = Some(path.into());
        self
    }

    /// Sends visitors who must log in to the application's own login page. Ours stays where it is.
    #[must_use]
    pub fn login_view(mut self, path: impl Into<String>) -> Self {
        self.login_view = Some(path.into());
        self
    }

    /// Sends visitors of pages below `prefix`, such as `/admin`, to another login page.
    #[must_use]
    pub fn login_view_for(mut self, prefix: impl Into<String>, path: impl Into<String>) -> Self {
        self.login_views.push((prefix.into(), path.into()));
        self
    }

    /// Replaces the message "Please log in to access this page."
    #[must_use]
    pub fn login_message(self, text: impl Into<String>) -> Self {
        self.with_words(|words| words.login_message = Some(text.into()))
    }

    /// Sets the application's own page on which users prove once more who they are.
    #[must_use]
    pub fn refresh_view(mut self, path: impl Into<String>) -> Self {
        self.refresh_view = Some(path.into());
        self
    }

    /// Replaces the message "Please reauthenticate to access this page."
    #[must_use]
    pub fn needs_refresh_message(self, text: impl Into<String>) -> Self {
        self.with_words(|words| words.needs_refresh_message = Some(text.into()))
    }

    /// Sets a function that says messages in the language of whoever sends a request; when it returns
    /// `None`, the message is ours.
    #[must_use]
    pub fn localize(
        self,
        say: impl Fn(Flash, &Request<'_>) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.with_words(|words| words.localize = Some(Box::new(say)))
    }

    /// Sets what happens to a session whose token comes from another browser; basic by default.
    #[must_use]
    pub fn session_protection(self, protection: Protection) -> Self {
        self.auth.set_protection(protection);
        self
    }

    /// Refuses to launch, and names the route, if the application has mounted one without
    /// [`login_required`](crate::login_required),
    /// [`fresh_login_required`](crate::fresh_login_required) or [`public`](crate::public), so that
    /// nobody forgets to decide.
    #[must_use]
    pub fn require_declared_mounts(mut self) -> Self {
        self.declared_mounts = true;
        self
    }

    fn with_words(self, change: impl FnOnce(&mut Words)) -> Self {
        change(&mut self.words.lock().unwrap_or_else(PoisonError::into_inner));
        self
    }

    /// Sets a folder whose files replace single templates of ours, such as `auth/login.html.tera` for
    /// the login page. They may extend `base.html`.
    #[must_use]
    pub fn overrides(mut self, folder: impl Into<PathBuf>) -> Self {
        self.overrides = Some(folder.into());
        self
    }

    /// Registers no catchers: the application answers 401, 403, 404, 503 and all other errors
    /// itself.
    #[must_use]
    pub fn without_catchers(mut self) -> Self {
        self.catchers = false;
        self
    }
}
