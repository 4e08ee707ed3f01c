//! How users come in: registration, and every door to a session.

pub(crate) mod admit;
pub(crate) mod factor;
pub(crate) mod log_in;
pub(crate) mod register;
