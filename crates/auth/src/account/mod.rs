//! What a logged-in user does to their own account, and must prove who they are for.

pub(crate) mod confirm;

use countersign_domain::{
    AuthEventKind, Methods, PasswordContext, PasswordError, Proof, Record, SecretToken,
    SessionRenewal, StoreError,
};

use self::confirm::{ConfirmError, Credential};
use crate::admin::Admin;
use crate::caller::Caller;
use crate::core::{Acting, Core};
use crate::password::advice::PasswordAdvice;
use crate::password::choose::NotChosen;
use crate::random::rng;
use crate::session::authenticate::Authenticated;

/// The account of a logged-in user.
pub struct Account<'a> {
    core: &'a Core,
    /// The user themselves.
    caller: Caller,
    who: &'a Authenticated,
}

/// Why a password was not changed. The old one still holds.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// The current password is wrong. The advice is about the new one; there is none when that is strong.
    #[error("the current password is wrong")]
    WrongPassword(Option<PasswordAdvice>),
    /// The user has not proved who they are, for another reason.
    #[error(transparent)]
    Current(#[from] ConfirmError),
    /// The new password is not acceptable.
    #[error("the new password is not acceptable: {0}")]
    New(PasswordError),
}

/// The tokens that a browser shows from now on.
#[derive(Debug)]
#[non_exhaustive]
pub struct Renewed {
    /// The session's new token.
    pub token: SecretToken,
    /// The token by which the browser is known; `None` where that has not changed.
    pub browser_token: Option<SecretToken>,
}

/// A password that was changed.
#[derive(Debug)]
#[non_exhaustive]
pub struct PasswordChanged {
    /// The tokens that the browser shows from now on.
    pub renewed: Renewed,
    /// What to tell the user about the new password; nothing when it is strong.
    pub advice: Option<PasswordAdvice>,
}

impl<'a> Acting<'a> {
    /// Acts on the account of a logged-in user, in their name.
    pub fn account(self, who: &'a Authenticated) -> Account<'a> {
        let caller = self.caller.clone().acting_as(who.user.id);
        Account { core: self.core, caller, who }
    }
}

impl Account<'_> {
    fn acting(&self) -> Acting<'_> {
        Acting { core: self.core, caller: &self.caller }
    }

    /// Makes the session fresh again for a user who proves who they are. Its token is replaced.
    ///
    /// # Errors
    ///
    /// When the credential is not theirs, or the service cannot say now.
    pub async fn reauthenticate(
        &self,
        credential: Credential<'_>,
    ) -> Result<Renewed, ConfirmError> {
        let proof = self.acting().confirm(self.who, credential).await?;
        let (user, session) = (self.who.user.id, self.who.session.id);
        let kind = AuthEventKind::UserLoginConfirmed;
        let record = self.acting().record(kind, Some(user), Some(session));
        let token = self.renew(&proof, Some(&record)).await?;
        Ok(Renewed { token, browser_token: self.acting().save_browser(&self.who.user).await })
    }

    /// Changes the password. A user who has one proves that they know it; a user who has none needs a fresh
    /// login. All other sessions and all remembered logins end, other browsers are forgotten, and the token
    /// of this session is replaced.
    ///
    /// # Errors
    ///
    /// When the user has not proved who they are, the new password is not acceptable, or the service cannot
    /// do it now.
    pub async fn change_password(
        &self,
        current: Option<&str>,
        new: &str,
    ) -> Result<PasswordChanged, ChangePasswordError> {
        let (acting, user, session) = (self.acting(), &self.who.user, &self.who.session);
        let context =
            PasswordContext { email: user.email.as_str(), username: user.username.as_str() };
        let password = acting.read_new_password(new, context).map_err(ChangePasswordError::New)?;
        let proof = match (&user.password_hash, current) {
            (Some(_), current) => {
                let current = Credential::Password(current.unwrap_or_default());
                match acting.confirm(self.who, current).await {
                    Err(ConfirmError::WrongPassword) => {
                        let advice = acting.advise(new, context).await;
                        return Err(ChangePasswordError::WrongPassword(advice));
                    }
                    confirmed => confirmed?,
                }
            }
            (None, _) => self.acting().freshness(self.who).await?,
        };
        let chosen = acting.choose_password(new, password, context).await?;
        let keep = Some(session.id);
        let record = acting.record(AuthEventKind::PasswordChanged, Some(user.id), keep);
        let changed = acting.change(Some(user.id), &record, |store, record| {
            store.users().replace_password(user.id, &chosen.hash, keep, record)
        });
        if !changed.await.map_err(ConfirmError::from)? {
            return Err(ConfirmError::Ended.into());
        }
        acting.forget_browsers(user.id, None).await;
        let token = self.renew(&proof, None).await?;
        let renewed = Renewed { token, browser_token: acting.save_browser(user).await };
        Ok(PasswordChanged { renewed, advice: chosen.advice })
    }

    /// Removes the account and all that belongs to it. A user who has a password proves who they are; a
    /// user who has none needs a fresh login.
    ///
    /// # Errors
    ///
    /// When the user has not proved who they are, or the service cannot do it now.
    pub async fn delete(&self, credential: Option<Credential<'_>>) -> Result<(), ConfirmError> {
        match (&self.who.user.password_hash, credential) {
            (Some(_), Some(password @ Credential::Password(_))) => {
                self.acting().confirm(self.who, password).await?
            }
            (Some(_), _) => self.acting().confirm(self.who, Credential::Password("")).await?,
            (None, Some(credential)) => self.acting().confirm(self.who, credential).await?,
            (None, None) => self.acting().freshness(self.who).await?,
        };
        Admin(self.acting()).delete(self.who.user.id).await?;
        Ok(())
    }

    async fn renew(
        &self,
        proof: &Proof,
        record: Option<&Record>,
    ) -> Result<SecretToken, ConfirmError> {
        let (acting, session) = (self.acting(), &self.who.session);
        let token = SecretToken::generate(&mut rng());
        let methods: Methods = session.methods.and(proof.methods());
        let renewal = SessionRenewal {
            id: session.id,
            token: &token.digest(),
            client: &acting.caller.client,
            methods: &methods,
            authenticated_at: acting.core.now(),
        };
        let renewed = match record {
            Some(record) => {
                acting
                    .change(Some(session.user_id), record, |store, record| {
                        store.sessions().renew_session(renewal, Some(record))
                    })
                    .await?
            }
            // A part of what is recorded already.
            None => {
                let under_way = acting.core.cache.change(Some(session.user_id));
                let renewed = acting.core.store.sessions().renew_session(renewal, None).await?;
                under_way.end(Some(session.user_id));
                renewed
            }
        };
        if !renewed {
            return Err(ConfirmError::Ended);
        }
        acting.core.seen.forget_moved(session.id);
        Ok(token)
    }
}

impl From<NotChosen> for ChangePasswordError {
    fn from(error: NotChosen) -> Self {
        match error {
            NotChosen::Breached(error) => Self::New(error),
            NotChosen::Overloaded(overloaded) => ConfirmError::from(overloaded).into(),
            NotChosen::Store(error) => ConfirmError::from(error).into(),
        }
    }
}

impl From<StoreError> for ChangePasswordError {
    fn from(error: StoreError) -> Self {
        ConfirmError::from(error).into()
    }
}
