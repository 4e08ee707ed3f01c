//! Passwords: which may be set, how they are hashed and checked, and how hard they are to guess.

pub(crate) mod advice;
pub(crate) mod breach;
pub(crate) mod choose;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub(crate) mod hasher;
mod kernel;
mod queue;
mod recipe;
pub(crate) mod stand_in;
pub(crate) mod workers;
