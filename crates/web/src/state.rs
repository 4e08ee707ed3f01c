use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_auth::Auth;
use ipnet::IpNet;
use rocket::Request;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::{Ignite, Rocket, Sentinel, async_trait};
use url::Url;

use crate::assets::Assets;
use crate::cookies::CookieNames;
use crate::headers::SecurityHeaders;
use crate::next::Next;
use crate::pages::SeeOther;
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
    pub(crate) site: SiteView,
    pub(crate) origin: String,
    pub(crate) stopping: Arc<AtomicBool>,
}

/// Where the pages are, as paths from the root of the site.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    pub(crate) login: String,
    pub(crate) register: String,
    pub(crate) after_login: String,
    pub(crate) after_logout: String,
}

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
        origin.eq_ignore_ascii_case(&self.origin)
    }

    /// Whether the program has been told to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
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
