use countersign_auth::{
    ChangePasswordError, ConfirmError, Credential, FactorError, LogIn, LogInError, LoginState,
    PasswordAdvice, PasswordChanged,
};
use countersign_domain::{Method, RememberToken, SecretToken, StoreError, User};
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use crate::answer::{status, tokens};
use crate::guards::current_user::CurrentUser;
use crate::guards::visitor::Visitor;
use crate::site::Site;

/// Begins, confirms and ends the session of whoever sends a request, with its cookies: Flask-Login's
/// `login_user`, `confirm_login` and `logout_user`.
///
/// The guard always succeeds. The answer to the request sets and removes the cookies, whatever that
/// answer is. An application that did not attach [`AuthPages`](crate::AuthPages) does not launch.
#[derive(Clone, Copy)]
pub struct Login<'r>(Site<'r>);

impl Login<'_> {
    /// Logs a user in by their password, in place of whoever was logged in in this browser before, and
    /// remembers them if they want. Nothing opens to a user
    /// who needs a second factor until [`verify`](Self::verify) completes the login: send them to
    /// the page `/login/verify`.
    ///
    /// # Errors
    ///
    /// As [`Acting::log_in`](countersign_auth::Acting::log_in). No cookie is set.
    pub async fn log_in(
        &self,
        email: &str,
        password: &str,
        remember: bool,
    ) -> Result<LoginState, LogInError> {
        let caller = &self.0.caller();
        let attempt = LogIn::new(email, password).remember(remember);
        let state = self.0.auth.by(caller).log_in(attempt).await?;
        self.hand_on(&state).await?;
        Ok(state)
    }

    /// Logs in a user who has proved who they are by other means than a password that we know.
    /// `None` if the user is gone or disabled.
    ///
    /// # Errors
    ///
    /// When the store failed. No cookie is set.
    pub async fn log_in_user(
        &self,
        user: &User,
        remember: bool,
    ) -> Result<Option<LoginState>, StoreError> {
        let caller = &self.0.caller();
        let state = self.0.auth.by(caller).log_in_user(user, remember).await?;
        if let Some(state) = &state {
            self.hand_on(state).await?;
        }
        Ok(state)
    }

    /// Returns the factors of which one completes the login that waits in this browser; `None` if
    /// none waits.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    pub async fn pending_factors(&self) -> Result<Option<Vec<Method>>, StoreError> {
        match self.pending() {
            Some(token) => self.0.auth.by(&self.0.caller()).pending_factors(&token).await,
            None => Ok(None),
        }
    }

    /// Completes the login that waits in this browser with a code of the user's second factor.
    ///
    /// # Errors
    ///
    /// As [`Acting::verify_factor`](countersign_auth::Acting::verify_factor).
    pub async fn verify(&self, code: &str) -> Result<LoginState, FactorError> {
        let caller = &self.0.caller();
        let token = self.pending().ok_or(FactorError::Ended);
        let verified = match token {
            Ok(token) => self.0.auth.by(caller).verify_factor(&token, code).await,
            Err(error) => Err(error),
        };
        match &verified {
            Ok(state) => self.hand_on(state).await?,
            Err(FactorError::Ended) => tokens::wait_no_more(self.0),
            Err(_) => {}
        }
        verified
    }

    /// Logs out whoever is logged in, in the browser and on the server.
    ///
    /// # Errors
    ///
    /// When the session may still be live. The cookies are then left alone.
    pub async fn log_out(&self, visitor: Visitor<'_>) -> Result<(), StoreError> {
        match visitor {
            Visitor::User(user) => {
                self.0.auth.by(&self.0.caller()).log_out(user.session()).await?;
            }
            Visitor::Anonymous => {}
            Visitor::Unavailable => {
                return Err(StoreError::Unavailable("nobody knows whose session it is".into()));
            }
        }
        self.forget_earlier().await?;
        tokens::take_back(self.0);
        Ok(())
    }

    /// Makes a user's session fresh if they prove who they are, and replaces its token.
    ///
    /// # Errors
    ///
    /// As [`Account::reauthenticate`](countersign_auth::Account::reauthenticate).
    pub async fn confirm(
        &self,
        user: CurrentUser<'_>,
        credential: Credential<'_>,
    ) -> Result<(), ConfirmError> {
        let caller = &self.0.caller();
        let account = self.0.auth.by(caller).account(user.authenticated());
        let renewed = account.reauthenticate(credential).await?;
        tokens::renew(self.0, &renewed);
        Ok(())
    }

    /// Changes a user's password. Their other sessions and their remembered logins end.
    pub(crate) async fn change_password(
        &self,
        user: CurrentUser<'_>,
        current: &str,
        new: &str,
    ) -> Result<Option<PasswordAdvice>, ChangePasswordError> {
        let caller = &self.0.caller();
        let account = self.0.auth.by(caller).account(user.authenticated());
        let current = user.has_password().then_some(current);
        let PasswordChanged { renewed, advice, .. } = account.change_password(current, new).await?;
        tokens::renew(self.0, &renewed);
        tokens::forget(self.0);
        Ok(advice)
    }

    /// Deletes a user's account.
    pub(crate) async fn delete_account(
        &self,
        user: CurrentUser<'_>,
        password: &str,
    ) -> Result<(), ConfirmError> {
        let caller = &self.0.caller();
        let credential = user.has_password().then_some(Credential::Password(password));
        self.0.auth.by(caller).account(user.authenticated()).delete(credential).await?;
        tokens::take_back(self.0);
        Ok(())
    }

    /// Gives the browser its new tokens, in place of what it had before.
    async fn hand_on(&self, state: &LoginState) -> Result<(), StoreError> {
        match state {
            LoginState::Complete(_) => {
                let ended = self.end_earlier().await;
                // The new session stands: its user must get it.
                if let Err(error) = ended.and(self.forget_earlier().await) {
                    self.0.log_outage(&error);
                }
            }
            _ => self.give_up_earlier().await?,
        }
        tokens::hand_on(self.0, state);
        Ok(())
    }

    /// Ends the session that the browser was in before, whoever's it is.
    async fn end_earlier(&self) -> Result<(), StoreError> {
        let token = self.0.cookie(self.0.cookies.session).map(SecretToken::parse);
        let Some(Ok(token)) = token else { return Ok(()) };
        let caller = &self.0.caller();
        let acting = self.0.auth.by(caller);
        match acting.authenticate(&token).await? {
            Some(earlier) => acting.log_out(&earlier.session).await,
            None => Ok(()),
        }
    }

    /// Ends the remembered login and the waiting one that the browser sent, and makes it forget them.
    async fn forget_earlier(&self) -> Result<(), StoreError> {
        self.give_up_earlier().await?;
        let earlier = self.0.cookie(self.0.cookies.remember);
        let Some(Ok(token)) = earlier.map(RememberToken::parse) else { return Ok(()) };
        self.0.auth.by(&self.0.caller()).forget(&token).await?;
        tokens::forget(self.0);
        Ok(())
    }

    async fn give_up_earlier(&self) -> Result<(), StoreError> {
        let Some(token) = self.pending() else { return Ok(()) };
        tokens::wait_no_more(self.0);
        self.0.auth.by(&self.0.caller()).give_up_login(&token).await
    }

    /// Returns the token of the login that waits in this browser.
    fn pending(&self) -> Option<SecretToken> {
        SecretToken::parse(self.0.cookie(self.0.cookies.pending)?).ok()
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for Login<'r> {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        match Site::of(request) {
            Some(site) => Outcome::Success(Self(site)),
            None => Outcome::Forward(status::NOT_ATTACHED),
        }
    }
}
