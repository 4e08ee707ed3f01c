//! The pages. A handler reads what was sent, makes one call on the service, and shows one view.

mod account;
mod activity;
mod assets;
mod devices;
mod health;
mod log_in;
mod log_out;
mod members;
mod reauthenticate;
mod register;

use rocket::http::Status;
use rocket::response::{self, Responder, Response};
use rocket::{Request, Route, routes};

/// The pages of the library, under whatever prefix.
pub(crate) fn auth_routes() -> Vec<Route> {
    routes![
        account::profile,
        account::password_form,
        account::change_password,
        account::delete_form,
        account::delete,
        activity::list,
        assets::asset,
        devices::list,
        devices::revoke,
        devices::revoke_others,
        log_in::form,
        log_in::submit,
        log_out::confirm,
        log_out::submit,
        reauthenticate::form,
        reauthenticate::submit,
        register::form,
        register::submit,
    ]
}

/// The pages that make the program a site of its own.
pub fn site_routes() -> Vec<Route> {
    routes![members::home, members::blogs, health::live, health::ready]
}

/// The answer to a form that was accepted: look there now.
pub(crate) struct SeeOther(String);

impl SeeOther {
    pub(crate) fn to(path: impl Into<String>) -> Self {
        Self(path.into())
    }
}

impl<'r> Responder<'r, 'static> for SeeOther {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Response::build().status(Status::SeeOther).raw_header("Location", self.0).ok()
    }
}
