use rocket::{get, post};

use crate::error::PageError;
use crate::guards::Visitor;
use crate::login::{LoggedOut, Login};
use crate::pages::SeeOther;
use crate::state::Site;
use crate::views::{LogOutView, Page};

/// Asks whether to log out. A link or an image that leads here logs nobody out.
#[get("/logout")]
pub(crate) fn confirm(
    site: Site<'_>,
    visitor: Visitor<'_>,
) -> Result<Result<Page<LogOutView>, SeeOther>, PageError> {
    Ok(match visitor.known()? {
        Some(_) => Ok(Page(LogOutView {})),
        None => Err(SeeOther::to(&site.paths.after_logout)),
    })
}

/// Logs out, here and on the server.
#[post("/logout")]
pub(crate) async fn submit(
    site: Site<'_>,
    visitor: Visitor<'_>,
    login: Login<'_>,
) -> Result<LoggedOut, PageError> {
    if let Some(me) = visitor.known()? {
        let ended = site.auth.log_out(me.session()).await;
        ended.map_err(|error| PageError::outage(&error, site.request))?;
    }
    Ok(login.end())
}
