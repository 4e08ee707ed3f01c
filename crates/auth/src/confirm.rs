//! What a logged-in user must prove who they are for.

use countersign_domain::store::SessionRenewal;
use countersign_domain::{
    AuditEntry, AuthEventKind, PasswordContext, PasswordError, Reason, SecretToken, Session,
    StoreError, User,
};

use crate::hasher::Verdict;
use crate::throttle::{NotCounted, Tried};
use crate::{Auth, Authenticated, Caller, Overloaded, Throttled};

/// Why a logged-in user's proof was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// It cannot be anybody's password.
    #[error("the password is invalid: {0}")]
    Invalid(PasswordError),
    /// It is not theirs.
    #[error("the password is wrong")]
    WrongPassword,
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

/// Why a password was not changed. The old one still holds.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// The current password was not accepted.
    #[error(transparent)]
    Current(#[from] ConfirmError),
    /// The new one is not acceptable.
    #[error("the new password is not acceptable: {0}")]
    New(PasswordError),
}

/// What a browser shows from now on.
#[derive(Debug)]
pub struct Renewed {
    /// The session's new token.
    pub token: SecretToken,
    /// What the browser is known by; `None` where that has not changed.
    pub browser_token: Option<SecretToken>,
}

impl Auth {
    /// Makes a session fresh again for a user who types their password. Its token is replaced.
    ///
    /// # Errors
    ///
    /// When the password is not theirs, or the service cannot say now.
    pub async fn reauthenticate(
        &self,
        who: &Authenticated,
        password: &str,
        caller: &Caller,
    ) -> Result<Renewed, ConfirmError> {
        self.confirm(who, password, caller).await?;
        let kind = AuthEventKind::UserLoginConfirmed;
        let entry = self.entry(kind, Some(who.user.id), Some(who.session.id), caller);
        let token = self.renew(&who.session, Some(&entry), caller).await?;
        self.publish(&entry.event);
        Ok(Renewed { token, browser_token: self.know_browser(&who.user, caller).await })
    }

    /// Changes the password of a user who knows the current one. All of their other sessions and
    /// all of their remembered logins end, and their other browsers are known no longer; this
    /// session's token is replaced.
    ///
    /// # Errors
    ///
    /// When the current password is not theirs, the new one is not acceptable, or the service
    /// cannot do it now.
    pub async fn change_password(
        &self,
        who: &Authenticated,
        current: &str,
        new: &str,
        caller: &Caller,
    ) -> Result<Renewed, ChangePasswordError> {
        let (user, session) = (&who.user, &who.session);
        let context =
            PasswordContext { email: user.email.as_str(), username: user.username.as_str() };
        let new = self.new_password(new, context).await.map_err(ConfirmError::from)?;
        let new = new.map_err(ChangePasswordError::New)?;
        self.confirm(who, current, caller).await?;
        let hash = self.hasher.hash(new, caller, &mut Self::rng()).await;
        let hash = hash.map_err(ConfirmError::from)?;
        let keep = Some(session.id);
        let entry = self.entry(AuthEventKind::PasswordChanged, Some(user.id), keep, caller);
        let replace = self.store.replace_password(user.id, &hash, keep, &entry);
        let changed = self.cache.changing(user.id, replace).await;
        if !changed.map_err(ConfirmError::from)? {
            return Err(ConfirmError::Ended.into());
        }
        self.publish(&entry.event);
        self.forget_browsers(user.id, None).await;
        let token = self.renew(session, None, caller).await?;
        Ok(Renewed { token, browser_token: self.know_browser(user, caller).await })
    }

    /// Removes the account of a user who types their password, and all that belongs to it.
    ///
    /// # Errors
    ///
    /// When the password is not theirs, or the service cannot do it now.
    pub async fn delete_account(
        &self,
        who: &Authenticated,
        password: &str,
        caller: &Caller,
    ) -> Result<(), ConfirmError> {
        self.confirm(who, password, caller).await?;
        self.delete_user(who.user.id, caller).await?;
        Ok(())
    }

    /// Whether `typed` is the password of the user, at the cost of one hash.
    async fn confirm(
        &self,
        who: &Authenticated,
        typed: &str,
        caller: &Caller,
    ) -> Result<(), ConfirmError> {
        let password =
            self.password_policy().parse_attempt(typed).map_err(ConfirmError::Invalid)?;
        let (user, session) = (&who.user, Some(who.session.id));
        let standing = self.standing(who).await?;
        let tried = self.try_login(Some(user), &user.email, caller).await?;
        let hash = standing.as_ref().and_then(|user| user.password_hash.as_ref());
        let verdict = match self.hasher.verify(password, hash, caller).await {
            Ok(verdict) => verdict,
            Err(overloaded) => {
                self.called_off(tried).await;
                return Err(overloaded.into());
            }
        };
        match verdict {
            Verdict::Correct { .. } => {
                self.succeeded(tried).await;
                Ok(())
            }
            Verdict::Wrong if standing.is_none() => {
                self.called_off(tried).await;
                Err(ConfirmError::Ended)
            }
            Verdict::Wrong => {
                let tried_by = Tried { user: Some(user.id), session, caller };
                self.failed(tried, Reason::WrongPassword, tried_by).await?;
                Err(ConfirmError::WrongPassword)
            }
        }
    }

    /// The user as the store knows them now, if their session still stands there: what cannot be
    /// taken back rests on nothing that another process may have ended meanwhile.
    async fn standing(&self, who: &Authenticated) -> Result<Option<User>, StoreError> {
        let sessions = self.store.sessions_of(who.user.id).await?;
        if !sessions.iter().any(|session| session.id == who.session.id) {
            return Ok(None);
        }
        let user = self.store.user_by_id(who.user.id).await?;
        Ok(user.filter(|user| user.is_active))
    }

    async fn renew(
        &self,
        session: &Session,
        entry: Option<&AuditEntry>,
        caller: &Caller,
    ) -> Result<SecretToken, ConfirmError> {
        let token = SecretToken::generate(&mut Self::rng());
        let renewal = SessionRenewal {
            id: session.id,
            token: &token.digest(),
            client: &caller.client,
            authenticated_at: self.clock.now(),
            entry,
        };
        let renew = self.store.renew_session(renewal);
        if !self.cache.changing(session.user_id, renew).await? {
            return Err(ConfirmError::Ended);
        }
        self.seen.forget_moved(session.id);
        Ok(token)
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
