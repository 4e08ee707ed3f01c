//! A name for each request, shown to people and written to the log, so that the two can be matched.
//! It is unique among the requests of this process and others; it is no secret.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rocket::Request;

/// Differs from process to process: the standard library seeds it from the system.
static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
static COUNT: AtomicU64 = AtomicU64::new(0);

struct RequestId(String);

/// The name of `request`, given when it is first asked for.
pub(crate) fn of<'r>(request: &'r Request<'_>) -> &'r str {
    let next = || {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        RequestId(format!("{:012x}-{count:x}", *PROCESS >> 16))
    };
    &request.local_cache(next).0
}
