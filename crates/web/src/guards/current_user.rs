use std::ops::Deref;

use countersign_auth::Authenticated;
use countersign_domain::{Session, User};

/// The logged-in user. A route that takes this guard is for members only.
///
/// | who asks | outcome |
/// |---|---|
/// | a logged-in user | success |
/// | an anonymous visitor | error, 401: a browser is sent to the login page and comes back; a client that asks for JSON gets a problem, htmx an `HX-Redirect` |
/// | anybody, while the store cannot say | error, 503 |
///
/// It never forwards, so no catch-all route can answer in its place. It dereferences to [`User`].
/// An application that did not attach [`AuthPages`](crate::AuthPages) does not launch.
#[derive(Clone, Copy, Debug)]
pub struct CurrentUser<'r>(&'r Authenticated);

impl<'r> CurrentUser<'r> {
    pub(crate) fn new(authenticated: &'r Authenticated) -> Self {
        Self(authenticated)
    }

    /// Returns the session that the user is in.
    pub fn session(&self) -> &'r Session {
        &self.0.session
    }

    /// Returns whether the user proved who they are a short while ago: Flask-Login's `login_fresh`.
    pub fn is_fresh(&self) -> bool {
        self.0.is_fresh
    }

    pub(crate) fn has_password(&self) -> bool {
        self.0.user.password_hash.is_some()
    }

    pub(crate) fn authenticated(&self) -> &'r Authenticated {
        self.0
    }
}

impl Deref for CurrentUser<'_> {
    type Target = User;

    fn deref(&self) -> &User {
        &self.0.user
    }
}
