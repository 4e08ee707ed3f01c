use rocket::response::{self, Responder, Response};
use rocket::{Request, get, post};

use crate::error::PageError;
use crate::flash::Flash;
use crate::guards::Visitor;
use crate::login::Login;
use crate::pages::SeeOther;
use crate::state::Site;
use crate::views::{LogOutView, Page};

/// Asks whether to log out. A link or an image that leads here logs nobody out.
#[get("/logout")]
pub(crate) fn confirm(
    site: Site<'_>,
    visitor: Visitor<'_>,
) -> Result<Result<Page<LogOutView>, SeeOther>, PageError> {
    Ok(match visitor.is_authenticated()? {
        true => Ok(Page(LogOutView {})),
        false => Err(SeeOther::to(&site.paths.after_logout)),
    })
}

/// Logs out, here and on the server.
#[post("/logout")]
pub(crate) async fn submit(
    site: Site<'_>,
    visitor: Visitor<'_>,
    login: Login<'_>,
) -> Result<LoggedOut, PageError> {
    let ended = login.log_out(visitor).await;
    ended.map_err(|error| PageError::outage(&error, site.request))?;
    Flash::LoggedOut.leave(site.request, site.shared);
    Ok(LoggedOut(SeeOther::to(&site.paths.after_logout)))
}

/// The answer to a logout. It clears what the browser cached and stored, but no cookies: those are
/// removed by name, and that of a known browser stays.
pub(crate) struct LoggedOut(pub(crate) SeeOther);

impl<'r> Responder<'r, 'static> for LoggedOut {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        Response::build_from(self.0.respond_to(request)?)
            .raw_header("Clear-Site-Data", "\"cache\", \"storage\"")
            .ok()
    }
}
