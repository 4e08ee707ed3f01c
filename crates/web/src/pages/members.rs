use rocket::get;

use crate::answer::page_error::PageError;
use crate::guards::current_user::CurrentUser;
use crate::guards::visitor::Visitor;
use crate::render::page::page;
use crate::render::template::Template;

/// Shows the front page, for everybody.
#[get("/")]
pub(crate) fn home(visitor: Visitor<'_>) -> Result<Template, PageError> {
    visitor.is_authenticated()?;
    Ok(page("home.html", "Welcome", &()))
}

/// Shows the members' page.
#[get("/blogs")]
pub(crate) fn blogs(_me: CurrentUser<'_>) -> Template {
    page("blogs.html", "Members", &())
}
