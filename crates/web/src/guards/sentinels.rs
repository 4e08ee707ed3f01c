//! An application that forgot the fairing does not launch.

use rocket::{Ignite, Rocket, Sentinel};

use crate::guards::admission::FreshLogin;
use crate::guards::api_user::ApiUser;
use crate::guards::current_user::CurrentUser;
use crate::guards::login::Login;
use crate::guards::visitor::Visitor;
use crate::site::Shared;

macro_rules! needs_auth_pages {
    ($($guard:ty),*) => {$(
        impl Sentinel for $guard {
            fn abort(rocket: &Rocket<Ignite>) -> bool {
                Shared::is_missing(rocket)
            }
        }
    )*};
}

needs_auth_pages!(ApiUser, CurrentUser<'_>, FreshLogin<'_>, Login<'_>, Visitor<'_>);
