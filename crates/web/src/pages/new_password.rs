use countersign_auth::PasswordAdvice;
use serde::Serialize;

use crate::render::wording;
use crate::site::Site;

/// What a form says about a password that somebody chooses.
#[derive(Serialize)]
pub(super) struct NewPassword {
    min_length: usize,
    max_length: usize,
    password_advice: Option<String>,
}

impl NewPassword {
    /// States the rules of the site, and why the password that was sent is easy to guess.
    pub(super) fn of(site: Site<'_>, advice: Option<PasswordAdvice>) -> Self {
        let policy = &site.auth.config().password;
        Self {
            min_length: policy.min_chars,
            max_length: policy.max_chars,
            password_advice: advice.map(wording::password_advice),
        }
    }
}
