use countersign_auth::HashingConfig;

use super::section::section;
use super::span::Span;

section! {
    /// `argon2`: what a password hash costs, and how many are computed at once.
    Argon2 for HashingConfig {
        /// The memory of one hash, in KiB.
        memory_kib: u32 = memory_kib,
        /// The passes over that memory.
        iterations: u32 = iterations,
        /// The lanes of one hash.
        parallelism: u32 = parallelism,
        /// The number of hashes that are computed at once, each with its own memory.
        workers: usize = workers,
        /// The longest wait for a worker; after it a login is answered 503.
        max_wait: Span = max_wait,
    }
    and {
        /// The number of hashes that wait for a worker; more are answered 503. 64 for each worker
        /// unless it is set.
        queue: Option<usize> = None,
    }
}

impl Argon2 {
    /// Returns the length of the queue.
    pub(crate) fn queue(&self) -> usize {
        self.queue.unwrap_or(self.workers.saturating_mul(64))
    }
}
