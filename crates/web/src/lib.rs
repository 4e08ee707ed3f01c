//! User authentication for Rocket: attach [`AuthPages`] to an application, and a route is for
//! members only when its signature says so, with [`CurrentUser`].
//!
//! # Where to add what
//!
//! - A page: a handler in `pages` that reads, makes one call on [`Auth`] and shows one view; a view
//!   in `views`, with its sample; a template in `templates/`.
//! - An error page or a status code: `error`, and nowhere else.
//! - A sentence that people read about their input: `wording`.
//! - A key of the configuration: `program::settings`, and `docs/reference/configuration.md`.

mod assets;
mod auth_pages;
mod caller;
mod client;
mod cookies;
mod cross_site;
mod database;
mod error;
mod flash;
mod form;
mod guards;
mod headers;
mod identity;
mod login;
mod mounts;
mod next;
mod pages;
mod request_id;
mod state;
mod template;
mod templates;
mod user_agent;
mod views;
mod wants;
mod wording;

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

pub use auth_pages::AuthPages;
pub use countersign_auth::{self as auth, Auth, AuthEvent, AuthEventKind, AuthEvents, Protection};
pub use countersign_domain as domain;
pub use database::{Database, DatabaseError, Tables};
pub use flash::Flash;
pub use guards::{ApiUser, CurrentUser, FreshLogin, GuardError, Visitor};
pub use login::Login;
pub use mounts::{fresh_login_required, login_required, public};
pub use pages::site_routes;
pub use state::Registration;
pub use template::Template;

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
