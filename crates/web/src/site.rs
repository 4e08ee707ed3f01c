use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use countersign_auth::{Auth, Caller};
use countersign_domain::StoreError;
use ipnet::IpNet;
use rocket::request::{FromRequest, Outcome};
use rocket::{Ignite, Request, Rocket, Sentinel, async_trait};
use url::Url;

use crate::answer::flash::Words;
use crate::answer::headers::SecurityHeaders;
use crate::answer::status;
use crate::guards::current_user::CurrentUser;
use crate::render::assets::Assets;
use crate::render::site_view::SiteView;
use crate::render::templates::Templates;
use crate::request::caller::caller;
use crate::request::cookies::{self, CookieNames};
use crate::request::request_id;

/// What all requests share: the service, and how its pages are laid out.
pub(crate) struct Shared {
    pub(crate) auth: Auth,
    pub(crate) paths: Paths,
    pub(crate) registration: Registration,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) cookies: CookieNames,
    pub(crate) headers: SecurityHeaders,
    pub(crate) assets: Assets,
    pub(crate) templates: Templates,
    /// The site as templates see it.
    pub(crate) view: SiteView,
    /// The site's origin as browsers write it. It is unset until the system has chosen the port, if
    /// the system does.
    pub(crate) origin: OnceLock<String>,
    /// The login pages of an application's own, each with the prefix that it is for.
    pub(crate) login_views: Vec<(String, String)>,
    pub(crate) words: Words,
    pub(crate) stopping: Arc<AtomicBool>,
}

/// Where the pages are, as paths from the root of the site.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// The prefix of all pages that this crate mounts.
    pub(crate) base: String,
    pub(crate) home: String,
    pub(crate) login: String,
    pub(crate) register: String,
    pub(crate) refresh: String,
    pub(crate) account: String,
    pub(crate) after_login: String,
    pub(crate) after_logout: String,
}

/// Whether people may register themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// Everybody may register.
    #[default]
    Open,
    /// Only an administrator creates accounts.
    Closed,
}

impl Shared {
    /// Returns whether an application lacks this state: it forgot the fairing and must not launch.
    pub(crate) fn is_missing(rocket: &Rocket<Ignite>) -> bool {
        rocket.state::<Self>().is_none()
    }

    /// Returns whether `origin` is that of this site.
    pub(crate) fn is_own_origin(&self, origin: &str) -> bool {
        self.origin.get().is_some_and(|own| origin.eq_ignore_ascii_case(own))
    }

    /// Returns the login page for a visitor who wants to see the page at `uri`.
    pub(crate) fn login_view(&self, uri: &str) -> &str {
        let is_below = |prefix: &str| {
            let rest = uri.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        };
        let own = self.login_views.iter().find(|(prefix, _)| is_below(prefix));
        own.map_or(&self.paths.login, |(_, view)| view)
    }

    /// Returns whether the program has been told to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Returns the path of one of our pages.
    pub(crate) fn at(&self, page: &str) -> String {
        format!("{}{page}", self.paths.base)
    }

    /// Returns whether browsers reach the site over TLS.
    pub(crate) fn is_secure(public_url: &Url) -> bool {
        public_url.scheme() == "https"
    }
}

/// A request, with what all requests share. Every handler of ours begins with one.
#[derive(Clone, Copy)]
pub(crate) struct Site<'r> {
    pub(crate) shared: &'r Shared,
    pub(crate) request: &'r Request<'r>,
}

impl<'r> Site<'r> {
    /// Returns the site of a request; `None` if the application forgot the fairing.
    pub(crate) fn of(request: &'r Request<'_>) -> Option<Self> {
        request.rocket().state::<Shared>().map(|shared| Self { shared, request })
    }

    /// Returns who sends the request, before anybody knows which user that is.
    pub(crate) fn caller(&self) -> Caller {
        caller(self.request, self.cookies.known_browser, &self.trusted_proxies)
    }

    /// Returns the user who sends the request, as a caller.
    pub(crate) fn caller_as(&self, user: CurrentUser<'_>) -> Caller {
        self.caller().acting_as(user.id)
    }

    /// Returns the value of the one cookie called exactly `name` that came with the request.
    pub(crate) fn cookie(&self, name: &str) -> Option<&'r str> {
        cookies::read(self.request, name)
    }

    /// Logs that the store failed. The visitor is not told the cause.
    pub(crate) fn log_outage(&self, error: &StoreError) {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        let request_id = request_id::of(self.request);
        tracing::error!(%error, cause, request_id, "the store failed");
    }
}

impl std::ops::Deref for Site<'_> {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        self.shared
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for Site<'r> {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        match Self::of(request) {
            Some(site) => Outcome::Success(site),
            None => Outcome::Forward(status::NOT_ATTACHED),
        }
    }
}

impl Sentinel for Site<'_> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        Shared::is_missing(rocket)
    }
}
