use rocket::{get, post};

use crate::answer::flash::Flash;
use crate::answer::page_error::PageError;
use crate::answer::redirect::{LoggedOut, SeeOther};
use crate::guards::login::Login;
use crate::guards::visitor::Visitor;
use crate::render::page::page;
use crate::render::template::Template;
use crate::site::Site;

/// Asks whether to log out. A link or an image that leads here logs nobody out.
#[get("/logout")]
pub(crate) fn confirm(
    site: Site<'_>,
    visitor: Visitor<'_>,
) -> Result<Result<Template, SeeOther>, PageError> {
    Ok(match visitor.is_authenticated()? {
        true => Ok(page("auth/logout.html", "Log out", &())),
        false => Err(SeeOther::to(&site.paths.after_logout)),
    })
}

/// Logs out, in the browser and on the server.
#[post("/logout")]
pub(crate) async fn submit(
    site: Site<'_>,
    visitor: Visitor<'_>,
    login: Login<'_>,
) -> Result<LoggedOut, PageError> {
    let ended = login.log_out(visitor).await;
    ended.map_err(|error| PageError::outage(site, &error))?;
    Flash::LoggedOut.leave(site);
    Ok(LoggedOut::of(site))
}
