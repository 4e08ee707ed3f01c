//! Who may come in. All guards share one lookup for each request.

pub(crate) mod admission;
pub(crate) mod api_user;
pub(crate) mod current_user;
pub(crate) mod guard_error;
pub(crate) mod login;
pub(crate) mod lookup;
pub(crate) mod mounts;
mod sentinels;
pub(crate) mod visitor;
