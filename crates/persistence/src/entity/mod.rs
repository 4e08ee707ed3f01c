//! The tables as they are today.

pub(crate) mod remembered;
pub(crate) mod session;
pub(crate) mod user;
