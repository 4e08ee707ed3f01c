//! Tests of the service over the memory store, as a program without a framework uses it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod account;
mod audit;
mod cache;
mod clocks;
mod enumeration;
mod factor;
mod follow;
mod hashing;
mod log_in;
mod metrics;
mod sessions;
mod support;
mod throttle;
