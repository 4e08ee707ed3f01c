//! The pages on which users look after their account.

pub(super) mod activity;
pub(super) mod delete;
pub(super) mod devices;
pub(super) mod email;
pub(super) mod password;
pub(super) mod profile;
pub(super) mod username;
