//! How a request is answered: statuses, headers, cookies, redirects, messages and errors.
//!
//! No other room chooses a status code.

pub(crate) mod catcher;
pub(crate) mod cookies;
pub(crate) mod flash;
pub(crate) mod flash_cookie;
pub(crate) mod headers;
pub(crate) mod page_error;
pub(crate) mod problem;
pub(crate) mod reason;
pub(crate) mod redirect;
pub(crate) mod refusal;
pub(crate) mod status;
pub(crate) mod tokens;
