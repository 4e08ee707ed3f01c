//! What a logged-in user must prove who they are for.

use countersign_domain::store::SessionRenewal;
use countersign_domain::{
    Client, PasswordContext, PasswordError, SecretToken, Session, StoreError,
};

use crate::hasher::Verdict;
use crate::{Auth, AuthEventKind, Authenticated, Overloaded};

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
        client: &Client,
    ) -> Result<SecretToken, ConfirmError> {
        self.confirm(who, password, client).await?;
        let token = self.renew(&who.session, client).await?;
        let (user, session) = (Some(who.user.id), Some(who.session.id));
        self.tell(AuthEventKind::UserLoginConfirmed, user, session, client);
        Ok(token)
    }

    /// Changes the password of a user who knows the current one. All of their other sessions and
    /// all of their remembered logins end; this session's token is replaced.
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
        client: &Client,
    ) -> Result<SecretToken, ChangePasswordError> {
        let (user, session) = (&who.user, &who.session);
        let context =
            PasswordContext { email: user.email.as_str(), username: user.username.as_str() };
        let new = self.new_password(new, context).await.map_err(ConfirmError::from)?;
        let new = new.map_err(ChangePasswordError::New)?;
        self.confirm(who, current, client).await?;
        let hash = self.hasher.hash(new, &mut Self::rng()).await.map_err(ConfirmError::from)?;
        let (now, keep) = (self.clock.now(), Some(session.id));
        let changed = self.store.replace_password(user.id, &hash, keep, now).await;
        if !changed.map_err(ConfirmError::from)? {
            return Err(ConfirmError::Ended.into());
        }
        let token = self.renew(session, client).await?;
        self.tell(AuthEventKind::PasswordChanged, Some(user.id), keep, client);
        Ok(token)
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
        client: &Client,
    ) -> Result<(), ConfirmError> {
        self.confirm(who, password, client).await?;
        self.store.delete_user(who.user.id).await?;
        self.tell(AuthEventKind::UserDeleted, Some(who.user.id), None, client);
        Ok(())
    }

    /// Whether `typed` is the password of the user, at the cost of one hash.
    async fn confirm(
        &self,
        who: &Authenticated,
        typed: &str,
        client: &Client,
    ) -> Result<(), ConfirmError> {
        let password =
            self.password_policy().parse_attempt(typed).map_err(ConfirmError::Invalid)?;
        let hash = who.user.password_hash.as_ref();
        match self.hasher.verify(password, hash).await? {
            Verdict::Correct { .. } => Ok(()),
            Verdict::Wrong => {
                let (user, session) = (Some(who.user.id), Some(who.session.id));
                self.tell(AuthEventKind::UserLoginFailed, user, session, client);
                Err(ConfirmError::WrongPassword)
            }
        }
    }

    async fn renew(&self, session: &Session, client: &Client) -> Result<SecretToken, ConfirmError> {
        let token = SecretToken::generate(&mut Self::rng());
        let renewal = SessionRenewal {
            id: session.id,
            token: &token.digest(),
            client,
            authenticated_at: self.clock.now(),
        };
        if self.store.renew_session(renewal).await? { Ok(token) } else { Err(ConfirmError::Ended) }
    }
}
