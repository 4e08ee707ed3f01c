use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use countersign_auth::Auth;
use ipnet::IpNet;
use rocket::Request;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::{Ignite, Rocket, Sentinel, async_trait};
use url::Url;

use crate::assets::Assets;
use crate::cookies::CookieNames;
use crate::flash::Flash;
use crate::headers::SecurityHeaders;
use crate::next::Next;
use crate::pages::SeeOther;
use crate::templates::Templates;
use crate::views::SiteView;

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
    /// As templates see it.
    pub(crate) site: SiteView,
    /// As browsers write it. With a port that the system chooses it is known once that is.
    pub(crate) origin: OnceLock<String>,
    pub(crate) login_views: Vec<(String, String)>,
    pub(crate) words: Words,
    pub(crate) stopping: Arc<AtomicBool>,
}

/// Where the pages are, as paths from the root of the site.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// What all pages of ours are below.
    pub(crate) base: String,
    pub(crate) home: String,
    pub(crate) login: String,
    pub(crate) register: String,
    pub(crate) refresh: String,
    pub(crate) account: String,
    pub(crate) after_login: String,
    pub(crate) after_logout: String,
}

/// The words of an application for our messages.
#[derive(Default)]
pub(crate) struct Words {
    pub(crate) login_message: Option<String>,
    pub(crate) needs_refresh_message: Option<String>,
    pub(crate) localize: Option<Box<Localize>>,
}

/// Says a message in the language of whoever sends a request, if it knows it.
pub(crate) type Localize = dyn Fn(Flash, &Request<'_>) -> Option<String> + Send + Sync;

/// Whether people may register themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// Everybody may.
    #[default]
    Open,
    /// Only an administrator makes accounts.
    Closed,
}

impl Shared {
    pub(crate) fn is_own_origin(&self, origin: &str) -> bool {
        self.origin.get().is_some_and(|own| origin.eq_ignore_ascii_case(own))
    }

    /// Where somebody logs in who wants to see the page at `uri`.
    pub(crate) fn login_view(&self, uri: &str) -> &str {
        let is_below = |prefix: &str| {
            let rest = uri.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        };
        let own = self.login_views.iter().find(|(prefix, _)| is_below(prefix));
        own.map_or(&self.paths.login, |(_, view)| view)
    }

    /// A message in the words of the application, if it has any for it.
    pub(crate) fn say(&self, flash: Flash, request: &Request<'_>) -> String {
        let words = &self.words;
        let localized = words.localize.as_ref().and_then(|localize| localize(flash, request));
        let own = match flash {
            Flash::LoginRequired => words.login_message.clone(),
            Flash::RefreshRequired => words.needs_refresh_message.clone(),
            _ => None,
        };
        localized.or(own).unwrap_or_else(|| flash.text().to_owned())
    }

    /// Whether the program has been told to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// One of our pages.
    pub(crate) fn at(&self, page: &str) -> String {
        format!("{}{page}", self.paths.base)
    }

    /// Where a login leads: to the page that it interrupted, if any.
    pub(crate) fn after_login(&self, next: Option<Next>) -> SeeOther {
        SeeOther::to(next.map_or_else(|| self.paths.after_login.clone(), Next::into_string))
    }

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
        match request.rocket().state::<Shared>() {
            Some(shared) => Outcome::Success(Site { shared, request }),
            None => Outcome::Forward(Status::InternalServerError),
        }
    }
}

impl Sentinel for Site<'_> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        rocket.state::<Shared>().is_none()
    }
}
