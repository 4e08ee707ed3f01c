use countersign_auth::LoginState;
use rocket::Request;
use rocket::response::{self, Responder, Response};

use crate::answer::flash::Flash;
use crate::answer::status;
use crate::request::next::{Next, with_next};
use crate::site::Site;

/// Sends the browser to another page: the answer to a form that was accepted.
pub(crate) struct SeeOther(String);

impl SeeOther {
    /// Leads to `path`.
    pub(crate) fn to(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    /// Leads to the page that a login interrupted, or else to the one that follows a login.
    pub(crate) fn after_login(site: Site<'_>, next: Option<Next>) -> Self {
        Self(next.map_or_else(|| site.paths.after_login.clone(), Next::into_string))
    }

    /// Leads to the next step of a login, or to what follows it.
    pub(crate) fn after_step(site: Site<'_>, state: &LoginState, next: Option<Next>) -> Self {
        match state {
            LoginState::Complete(_) => Self::after_login(site, next),
            _ => Self(with_next(&site.at("/login/verify"), next.as_ref())),
        }
    }

    /// Leads to where users prove once more who they are, with a message.
    pub(crate) fn to_refresh(site: Site<'_>, next: Option<&Next>) -> Self {
        Flash::RefreshRequired.leave(site);
        Self(with_next(&site.paths.refresh, next))
    }

    /// Leads to the login page.
    pub(crate) fn to_login(site: Site<'_>, next: Option<&Next>) -> Self {
        Self(with_next(&site.paths.login, next))
    }
}

impl<'r> Responder<'r, 'static> for SeeOther {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Response::build().status(status::SEE_OTHER).raw_header("Location", self.0).ok()
    }
}

/// The answer to a logout. It clears what the browser stored. No page of ours is in its cache, and clearing
/// that takes a browser with a large one a second. Our cookies are removed by name: that of a known browser
/// stays.
pub(crate) struct LoggedOut(SeeOther);

impl LoggedOut {
    /// Leads to the page that follows a logout.
    pub(crate) fn of(site: Site<'_>) -> Self {
        Self(SeeOther::to(&site.paths.after_logout))
    }
}

impl<'r> Responder<'r, 'static> for LoggedOut {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        Response::build_from(self.0.respond_to(request)?)
            .raw_header("Clear-Site-Data", "\"storage\"")
            .ok()
    }
}
