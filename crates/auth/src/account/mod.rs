//! What a logged-in user does to their own account, and must prove who they are for.

pub(crate) mod confirm;
pub(crate) mod rename;

use countersign_domain::{
    AuthEventKind, Methods, OffsetDateTime, PasswordContext, PasswordError, SecretToken,
    SessionRenewal, StoreError, TokenDigest,
};

use self::confirm::{ConfirmError, Confirmed, Credential};
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
        let acting = self.acting();
        let confirmed = acting.confirm(self.who, credential).await?;
        let (user, session) = (self.who.user.id, self.who.session.id);
        let kind = AuthEventKind::UserLoginConfirmed;
        let record = acting.record(kind, Some(user), Some(session));
        let new = NewToken::of(self.who, &confirmed, acting.core.now());
        let renewed = acting.change(Some(user), &record, |store, record| {
            store.sessions().renew_session(new.renewal(&confirmed, acting.caller), record)
        });
        if !renewed.await? {
            return Err(acting.why_not(self.who).await?);
        }
        acting.core.seen.forget_moved(session);
        let browser_token = acting.save_browser(&self.who.user).await;
        Ok(Renewed { token: new.token, browser_token })
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
        let confirmed = match (&user.password_hash, current) {
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
            (None, _) => acting.freshness(self.who).await?,
        };
        let chosen = acting.choose_password(new, password, context).await?;
        let kind = AuthEventKind::PasswordChanged;
        let record = acting.record(kind, Some(user.id), Some(session.id));
        let new = NewToken::of(self.who, &confirmed, acting.core.now());
        let changed = acting.change(Some(user.id), &record, |store, record| {
            let renewal = new.renewal(&confirmed, acting.caller);
            store.users().replace_password(user.id, &chosen.hash, Some(renewal), record)
        });
        if !changed.await? {
            return Err(match acting.why_not(self.who).await? {
                ConfirmError::WrongPassword => ChangePasswordError::WrongPassword(chosen.advice),
                error => error.into(),
            });
        }
        acting.core.seen.forget_moved(session.id);
        let browser_token = acting.save_browser(user).await;
        let renewed = Renewed { token: new.token, browser_token };
        Ok(PasswordChanged { renewed, advice: chosen.advice })
    }

    /// Removes the account and all that belongs to it. A user who has a password proves who they are; a
    /// user who has none needs a fresh login.
    ///
    /// # Errors
    ///
    /// When the user has not proved who they are, or the service cannot do it now.
    pub async fn delete(&self, credential: Option<Credential<'_>>) -> Result<(), ConfirmError> {
        let acting = self.acting();
        let confirmed = match (&self.who.user.password_hash, credential) {
            (Some(_), Some(password @ Credential::Password(_))) => {
                acting.confirm(self.who, password).await?
            }
            (Some(_), _) => acting.confirm(self.who, Credential::Password("")).await?,
            (None, Some(credential)) => acting.confirm(self.who, credential).await?,
            (None, None) => acting.freshness(self.who).await?,
        };
        let user = self.who.user.id;
        let record = acting.record(AuthEventKind::UserDeleted, Some(user), None);
        let deleted = acting.change(Some(user), &record, |store, record| {
            store.users().delete_user(user, Some(confirmed.basis()), record)
        });
        match deleted.await? {
            true => Ok(()),
            false => Err(acting.why_not(self.who).await?),
        }
    }
}

/// The token that a session is to have from now on.
struct NewToken {
    token: SecretToken,
    digest: TokenDigest,
    methods: Methods,
    authenticated_at: OffsetDateTime,
}

impl NewToken {
    fn of(who: &Authenticated, confirmed: &Confirmed, now: OffsetDateTime) -> Self {
        let token = SecretToken::generate(&mut rng());
        let methods = who.session.methods.and(confirmed.proof.methods());
        Self { digest: token.digest(), token, methods, authenticated_at: now }
    }

    fn renewal<'a>(&'a self, confirmed: &'a Confirmed, caller: &'a Caller) -> SessionRenewal<'a> {
        SessionRenewal {
            basis: confirmed.basis(),
            token: &self.digest,
            client: &caller.client,
            methods: &self.methods,
            authenticated_at: self.authenticated_at,
        }
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
