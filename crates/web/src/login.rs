use countersign_auth::NewSession;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::response::{self, Responder, Response};
use rocket::{Ignite, Request, Rocket, Sentinel, async_trait};

use crate::cookies;
use crate::flash::Flash;
use crate::pages::SeeOther;
use crate::state::{Shared, Site};

/// The response half of a session: hands its token to the browser, and has the browser forget it.
#[derive(Clone, Copy)]
pub(crate) struct Login<'r>(Site<'r>);

impl Login<'_> {
    /// Hands the token of a session that has just begun to the browser.
    pub(crate) fn begin(self, begun: &NewSession) {
        let names = &self.0.cookies;
        tracing::info!(user = %begun.user.id, session = %begun.session.id, "logged in");
        cookies::set(self.0.request, names, names.session, &begun.token.expose(), None);
    }

    /// Has the browser forget the token, and what it kept of members' pages.
    pub(crate) fn end(self) -> LoggedOut {
        let (request, names) = (self.0.request, &self.0.cookies);
        cookies::remove(request, names, names.session);
        Flash::LoggedOut.leave(request, self.0.shared);
        LoggedOut(SeeOther::to(&self.0.paths.after_logout))
    }
}

/// The answer to a logout. It clears what the browser cached and stored, but no cookies: those are
/// removed by name, and that of a known browser stays.
pub(crate) struct LoggedOut(SeeOther);

impl<'r> Responder<'r, 'static> for LoggedOut {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        Response::build_from(self.0.respond_to(request)?)
            .raw_header("Clear-Site-Data", "\"cache\", \"storage\"")
            .ok()
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for Login<'r> {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        match request.rocket().state::<Shared>() {
            Some(shared) => Outcome::Success(Self(Site { shared, request })),
            None => Outcome::Forward(Status::InternalServerError),
        }
    }
}

impl Sentinel for Login<'_> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        rocket.state::<Shared>().is_none()
    }
}
