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
mod client;
mod cookies;
mod cross_site;
mod database;
mod error;
mod flash;
mod form;
mod guards;
mod headers;
mod login;
mod next;
mod pages;
mod request_id;
mod state;
mod templates;
mod views;
mod wants;
mod wording;

#[cfg(feature = "cli")]
pub mod program;

pub use auth_pages::AuthPages;
pub use countersign_auth::{self as auth, Auth};
pub use countersign_domain as domain;
pub use database::{Database, DatabaseError};
pub use guards::{CurrentUser, GuardError, Visitor};
pub use pages::site_routes;
pub use state::Registration;

/// The examples of the book, compiled and run with those of this documentation.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../../README.md")]
    mod readme {}
    #[doc = include_str!("../../../docs/library.md")]
    mod library {}
    #[doc = include_str!("../../../docs/without-rocket.md")]
    mod without_rocket {}
}
