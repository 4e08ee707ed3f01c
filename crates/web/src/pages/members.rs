use rocket::get;

use crate::error::PageError;
use crate::guards::{CurrentUser, Visitor};
use crate::views::{HomeView, MembersView, Page};

/// The front page, for everybody.
#[get("/")]
pub(crate) fn home(visitor: Visitor<'_>) -> Result<Page<HomeView>, PageError> {
    visitor.is_authenticated()?;
    Ok(Page(HomeView {}))
}

/// For members only.
#[get("/blogs")]
pub(crate) fn blogs(_me: CurrentUser<'_>) -> Page<MembersView> {
    Page(MembersView {})
}
