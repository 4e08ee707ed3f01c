//! User authentication for Rocket: attach [`AuthPages`] to an application, and a route whose
//! signature has a [`CurrentUser`] is for members only.
//!
//! # Where to add what
//!
//! - A page: a file in `pages` with its form, its view and its handler, which reads what was sent,
//!   makes one call on [`Auth`] and shows one view; its template in `templates/`, named in
//!   `render::templates`.
//! - An error page: `answer::page_error`. A status code: `answer::status`, and nowhere else.
//! - A sentence that people read about their input: `render::wording`.
//! - A key of the configuration: `program::settings`, and `docs/reference/configuration.md`.

mod answer;
mod auth_pages;
mod database;
mod guards;
mod pages;
mod render;
mod request;
mod site;

#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "cli")]
pub mod program;
#[cfg(feature = "testing")]
pub mod testing;

pub use answer::flash::Flash;
pub use answer::headers::Hsts;
pub use auth_pages::AuthPages;
pub use countersign_auth::{self as auth, Auth, AuthEvent, AuthEventKind, AuthEvents, Protection};
pub use countersign_domain as domain;
pub use countersign_persistence::SqlStore;
pub use database::{Database, DatabaseError};
pub use guards::admission::FreshLogin;
pub use guards::api_user::ApiUser;
pub use guards::current_user::CurrentUser;
pub use guards::guard_error::GuardError;
pub use guards::login::Login;
pub use guards::mounts::{fresh_login_required, login_required, public};
pub use guards::visitor::Visitor;
pub use pages::site_routes;
pub use render::template::Template;
pub use site::Registration;

/// The examples of the book, compiled and run with those of this documentation.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../../README.md")]
    mod readme {}
    // Shows the kit for tests, as the last chapter does.
    #[cfg(feature = "testing")]
    #[doc = include_str!("../../../docs/coming-from-flask-login.md")]
    mod coming_from_flask_login {}
    #[doc = include_str!("../../../docs/library.md")]
    mod library {}
    #[doc = include_str!("../../../docs/own-user-table.md")]
    mod own_user_table {}
    #[doc = include_str!("../../../docs/protect-a-route.md")]
    mod protect_a_route {}
    #[cfg(feature = "testing")]
    #[doc = include_str!("../../../docs/testing-your-app.md")]
    mod testing_your_app {}
    #[doc = include_str!("../../../docs/without-rocket.md")]
    mod without_rocket {}
}
