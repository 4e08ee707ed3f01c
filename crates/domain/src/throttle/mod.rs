//! The rules that slow guesses down: counters of tries, and when they let the next one in.
//!
//! A try is counted before its outcome is known, so that a thousand tries at once are not let in together.
//! A try that succeeds is taken back.

mod counter;
mod policy;
mod rule;
pub(crate) mod store;

#[cfg(feature = "contract")]
pub(crate) mod contract;
#[cfg(feature = "memory")]
mod memory;

pub use counter::{Counter, CounterKey, OnSuccess, Scope, closed};
pub use policy::ThrottlePolicy;
pub use rule::{Backoff, Count, Rate, Rule, Tally};
