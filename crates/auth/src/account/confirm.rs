use countersign_domain::{Basis, PasswordError, Proof, Reason, SessionId, StoreError, User};

use crate::core::Acting;
use crate::password::hasher::{Against, Verdict};
use crate::password::workers::Overloaded;
use crate::session::authenticate::Authenticated;
use crate::throttle::{NotCounted, Throttled, Try};

/// What a logged-in user shows to prove once more who they are.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Credential<'a> {
    /// Their password.
    Password(&'a str),
    /// A code of their second factor.
    Code(&'a str),
}

/// Why a logged-in user has not proved who they are.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfirmError {
    /// It cannot be anybody's password.
    #[error("the password is invalid: {0}")]
    Invalid(PasswordError),
    /// It is not their password.
    #[error("the password is wrong")]
    WrongPassword,
    /// It is not the code of a factor of theirs.
    #[error("the code is wrong")]
    WrongCode,
    /// They have no password, and their login is not fresh.
    #[error("the login is not fresh")]
    NotFresh,
    /// The session has ended meanwhile.
    #[error("the session has ended")]
    Ended,
    /// Too many tries have failed: try again later.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Try again later.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a logged-in user has proved, and who they were in the store when they proved it.
pub(super) struct Confirmed {
    pub(super) proof: Proof,
    session: SessionId,
    user: User,
}

impl Confirmed {
    /// Returns what a change must still find when it is made.
    pub(super) fn basis(&self) -> Basis<'_> {
        Basis::of(&self.user, self.session)
    }

    /// Returns the user as they are in the store.
    pub(super) fn user(&self) -> &User {
        &self.user
    }
}

impl Acting<'_> {
    /// Checks a credential. A password costs exactly one hash.
    pub(super) async fn confirm(
        &self,
        who: &Authenticated,
        credential: Credential<'_>,
    ) -> Result<Confirmed, ConfirmError> {
        match credential {
            Credential::Password(typed) => self.confirm_password(who, typed).await,
            Credential::Code(typed) => self.confirm_code(who, typed).await,
        }
    }

    async fn confirm_password(
        &self,
        who: &Authenticated,
        typed: &str,
    ) -> Result<Confirmed, ConfirmError> {
        let core = self.core;
        let password = core.config.password.parse_attempt(typed).map_err(ConfirmError::Invalid)?;
        let standing = self.standing(who).await?;
        let tried = self.try_login(Some(&who.user), &who.user.email).await?;
        let hash = standing.as_ref().and_then(|user| user.password_hash.as_ref());
        let stand_in = core.stand_in(&who.user.email).await;
        let against = Against { user: Some(who.user.id), hash, stand_in };
        let verdict = match core.hasher.verify(password, against, self.caller).await {
            Ok(verdict) => verdict,
            Err(overloaded) => {
                self.called_off(tried).await;
                return Err(overloaded.into());
            }
        };
        let proof = match (verdict, hash) {
            (Verdict::Correct { .. }, Some(hash)) => Some(Proof::password(hash.clone())),
            _ => None,
        };
        match (proof, standing) {
            (Some(proof), Some(user)) => {
                self.succeeded(tried).await;
                Ok(Confirmed { proof, session: who.session.id, user })
            }
            (_, None) => {
                self.called_off(tried).await;
                Err(ConfirmError::Ended)
            }
            (None, Some(_)) => {
                self.unconfirmed(who, tried, Reason::WrongPassword, ConfirmError::WrongPassword)
                    .await
            }
        }
    }

    async fn confirm_code(
        &self,
        who: &Authenticated,
        typed: &str,
    ) -> Result<Confirmed, ConfirmError> {
        let user = self.standing(who).await?.ok_or(ConfirmError::Ended)?;
        let tried = self.try_login_by_code(&user).await?;
        match self.core.factors.check(&user, typed).await? {
            Some(method) => {
                self.succeeded(tried).await;
                Ok(Confirmed { proof: Proof::factor(method), session: who.session.id, user })
            }
            None => self.unconfirmed(who, tried, Reason::WrongCode, ConfirmError::WrongCode).await,
        }
    }

    async fn unconfirmed(
        &self,
        who: &Authenticated,
        tried: Try,
        why: Reason,
        error: ConfirmError,
    ) -> Result<Confirmed, ConfirmError> {
        let (user, session) = (Some(who.user.id), Some(who.session.id));
        self.failed(tried, why, user, session).await?;
        Err(error)
    }

    /// Takes the login itself as the proof, where it is fresh and still stands.
    pub(super) async fn freshness(&self, who: &Authenticated) -> Result<Confirmed, ConfirmError> {
        if !who.is_fresh {
            return Err(ConfirmError::NotFresh);
        }
        match self.standing(who).await? {
            Some(user) if user.password_hash.is_none() => {
                let proof = Proof::new(who.session.methods.clone(), None);
                Ok(Confirmed { proof, session: who.session.id, user })
            }
            // They have set a password meanwhile, which must be shown.
            Some(_) => Err(ConfirmError::WrongPassword),
            None => Err(ConfirmError::Ended),
        }
    }

    /// Takes the session itself as the proof, where it still stands.
    pub(super) async fn present(&self, who: &Authenticated) -> Result<Confirmed, ConfirmError> {
        let user = self.standing(who).await?.ok_or(ConfirmError::Ended)?;
        let proof = Proof::new(who.session.methods.clone(), None);
        Ok(Confirmed { proof, session: who.session.id, user })
    }

    /// Returns why a change was not made although its user had proved who they are: something has changed
    /// meanwhile. Whoever still has their session has another password now.
    pub(super) async fn why_not(&self, who: &Authenticated) -> Result<ConfirmError, StoreError> {
        Ok(match self.standing(who).await? {
            Some(_) => ConfirmError::WrongPassword,
            None => ConfirmError::Ended,
        })
    }

    /// Reads the user from the store, if their session still stands there: a change that cannot be taken
    /// back rests on nothing that another process may have ended meanwhile.
    async fn standing(&self, who: &Authenticated) -> Result<Option<User>, StoreError> {
        let store = &self.core.store;
        let sessions = store.sessions().sessions_of(who.user.id).await?;
        if !sessions.iter().any(|session| session.id == who.session.id) {
            return Ok(None);
        }
        let user = store.users().user_by_id(who.user.id).await?;
        Ok(user.filter(|user| user.is_active))
    }
}

impl From<NotCounted> for ConfirmError {
    fn from(error: NotCounted) -> Self {
        match error {
            NotCounted::Throttled(throttled) => throttled.into(),
            NotCounted::Store(error) => error.into(),
        }
    }
}
