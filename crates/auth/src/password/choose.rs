//! Passwords that are to be set.

use countersign_domain::{Password, PasswordContext, PasswordError, PasswordHash, StoreError};
use zeroize::Zeroizing;

use super::advice::{PasswordAdvice, estimate, known_words};
use super::breach::{BreachFile, BreachFileError};
use super::workers::Overloaded;
use crate::core::Acting;

/// A password that may be set: its hash, and what to tell the person who chose it.
pub(crate) struct Chosen {
    pub(crate) hash: PasswordHash,
    /// Nothing when the password is strong.
    pub(crate) advice: Option<PasswordAdvice>,
}

/// Why a password that the policy accepts was not hashed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotChosen {
    /// It was stolen elsewhere.
    #[error(transparent)]
    Breached(PasswordError),
    /// The workers are busy.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The file of stolen passwords cannot say. No password is set without asking it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Acting<'_> {
    /// Reads a password that is to be set: one that the policy accepts. Costs no hash.
    pub(crate) fn read_new_password(
        &self,
        typed: &str,
        context: PasswordContext<'_>,
    ) -> Result<Password, PasswordError> {
        self.core.config.password.parse_new(typed, context)
    }

    /// Hashes a password that is to be set, in one job of the hashing workers: it searches the file of
    /// stolen passwords, for the password as typed and normalised, computes the hash, and estimates how
    /// hard the password is to guess.
    pub(crate) async fn choose_password(
        &self,
        typed: &str,
        password: Password,
        context: PasswordContext<'_>,
    ) -> Result<Chosen, NotChosen> {
        let file = self.core.config.breach_file.clone();
        let typed = Zeroizing::new(typed.to_owned());
        let check = move |password: &Password| match &file {
            Some(file) => check_breach(file, typed.as_bytes(), password.expose()),
            None => Ok(()),
        };
        let known = known_words(&self.core.config.password, context);
        let after = move |password: &Password| {
            estimate(str::from_utf8(password.expose()).unwrap_or_default(), &known)
        };
        let hashed = self.core.hasher.check_and_hash(password, self.caller, check, after);
        let (hash, advice) = hashed.await??;
        Ok(Chosen { hash, advice })
    }
}

impl Acting<'_> {
    /// Estimates how hard a password is to guess that was not set for another reason. Returns nothing when it
    /// is strong, or the workers are busy.
    pub(crate) async fn advise(
        &self,
        typed: &str,
        context: PasswordContext<'_>,
    ) -> Option<PasswordAdvice> {
        let known = known_words(&self.core.config.password, context);
        let typed = Zeroizing::new(typed.to_owned());
        let advice = self.core.hasher.work(self.caller, move || estimate(&typed, &known)).await;
        advice.ok().flatten()
    }
}

fn check_breach(file: &BreachFile, typed: &[u8], normal: &[u8]) -> Result<(), NotChosen> {
    let unavailable = |error: BreachFileError| {
        let path = file.path();
        StoreError::Unavailable(format!("password.breach_file = {path:?} {error}").into())
    };
    let is_typed = file.contains(typed).map_err(unavailable)?;
    let is_breached = is_typed || typed != normal && file.contains(normal).map_err(unavailable)?;
    if is_breached { Err(NotChosen::Breached(PasswordError::Breached)) } else { Ok(()) }
}
