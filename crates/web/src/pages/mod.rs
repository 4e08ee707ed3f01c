//! The pages. A handler reads what was sent, makes one call on the service, and shows one view.

mod account;
mod assets;
mod health;
mod log_in;
mod log_out;
mod members;
mod new_password;
mod reauthenticate;
mod register;
mod verify;

use rocket::{Route, routes};

use account::{activity, delete, devices, email, password, profile, username};

/// Returns the pages of the library, to be mounted under any prefix.
pub(crate) fn auth_routes() -> Vec<Route> {
    routes![
        activity::list,
        assets::asset,
        delete::form,
        delete::submit,
        devices::list,
        devices::revoke,
        devices::revoke_others,
        email::form,
        email::submit,
        log_in::form,
        log_in::submit,
        log_out::confirm,
        log_out::submit,
        password::form,
        password::submit,
        profile::profile,
        reauthenticate::form,
        reauthenticate::submit,
        register::form,
        register::submit,
        username::form,
        username::submit,
        verify::form,
        verify::submit,
    ]
}

/// Returns the pages that make the program a site of its own.
pub fn site_routes() -> Vec<Route> {
    routes![members::home, members::blogs, health::live, health::ready]
}
