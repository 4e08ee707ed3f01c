//! An id for each request, shown to people and written to the log, so that the two can be matched.
//! It is unique across processes, and not secret.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rocket::Request;

/// Differs between processes: the standard library takes its seed from the system.
static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
static COUNT: AtomicU64 = AtomicU64::new(0);

struct RequestId(String);

/// Returns the id of `request`, which the first call assigns.
pub(crate) fn of<'r>(request: &'r Request<'_>) -> &'r str {
    let next = || {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        RequestId(format!("{:012x}-{count:x}", *PROCESS >> 16))
    };
    &request.local_cache(next).0
}
