use countersign_domain::{User, UserId};

use crate::core::{Acting, Core};
use crate::login::admit::NewSession;
use crate::password::workers::BusyWorkers;

/// What tests ask of the service.
#[derive(Clone, Copy)]
pub struct Testing<'a>(pub(crate) &'a Core);

impl Testing<'_> {
    /// Counts the password hashes that were computed since the start.
    pub fn hashes_computed(&self) -> u64 {
        self.0.hasher.computed()
    }

    /// Returns what each password hash cost that was computed since the start, in order.
    pub fn costs_computed(&self) -> Vec<String> {
        self.0.hasher.costs_computed()
    }

    /// Keeps all hashing workers busy until the returned value is dropped. Jobs wait in the queue meanwhile.
    pub async fn busy_workers(&self) -> BusyWorkers {
        self.0.hasher.occupy(self.0.config.hashing.workers).await
    }

    /// Sets up a second factor of a user: its code is always `code`.
    pub fn require_factor(&self, user: UserId, code: &str) {
        self.0.factors.set_up(user, code);
    }
}

impl Acting<'_> {
    /// Begins a session in which the user has proved nothing, for tests.
    ///
    /// # Panics
    ///
    /// When the store fails, or the user may not log in.
    #[expect(clippy::expect_used, reason = "a test fails by panicking")]
    pub async fn stale_session(&self, user: &User) -> NewSession {
        let begun = self.begin_session(user, None, false).await;
        begun.expect("the store answers").expect("the user may log in")
    }
}
