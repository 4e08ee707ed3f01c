//! The tables as they are today.

pub(crate) mod audit;
pub(crate) mod known_browser;
pub(crate) mod remembered;
pub(crate) mod session;
pub(crate) mod throttle;
pub(crate) mod user;
