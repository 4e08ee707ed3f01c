//! Tests of the site as visitors see it. Each test speaks HTTP to a site with its own database.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests and their helpers fail by panicking"
)]

mod account;
mod activity;
mod api_user;
mod asvs;
mod bodies;
mod cookies;
mod cross_site;
mod devices;
mod flask;
mod forms;
mod guards_table;
mod headers;
#[cfg(feature = "testing")]
mod kit;
mod library;
mod login_guard;
mod login_secrecy;
mod negotiation;
mod next;
mod outage;
mod overload;
mod pages;
mod passwords;
mod remember;
mod rename;
mod sessions;
mod store;
mod support;
mod throttle;
mod verify;
mod views;
