use countersign_auth::{ChangePasswordError, ConfirmError, LogIn, LogInError, Login as Progress};
use countersign_domain::{RememberToken, StoreError, User};
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
    /// Logs a user in by their password, and remembers them if they want.
    ///
    /// # Errors
    ///
    /// As [`Auth::log_in`](crate::Auth::log_in). No cookie is set.
    pub async fn log_in(
        &self,
        email: &str,
        password: &str,
        remember: bool,
    ) -> Result<User, LogInError> {
        let caller = &self.0.caller();
        let attempt = LogIn { email, password, caller, remember };
        match self.0.auth.log_in(attempt).await? {
            Progress::Complete(begun) => {
                self.forget_earlier().await?;
                tokens::hand_over(self.0, &begun);
                Ok(begun.user)
            }
            // This crate has no page for another factor yet, so a login that needs one fails.
            _ => Err(LogInError::WrongCredentials),
        }
    }

    /// Logs in a user who has proved who they are by other means than a password that we know.
    /// Returns false if the user is gone or disabled.
    ///
    /// # Errors
    ///
    /// When the store failed. No cookie is set.
    pub async fn log_in_user(&self, user: &User, remember: bool) -> Result<bool, StoreError> {
        let caller = &self.0.caller();
        let Some(begun) = self.0.auth.log_in_user(user, remember, caller).await? else {
            return Ok(false);
        };
        self.forget_earlier().await?;
        tokens::hand_over(self.0, &begun);
        Ok(true)
    }

    /// Logs out whoever is logged in, in the browser and on the server.
    ///
    /// # Errors
    ///
    /// When the session may still be live. The cookies are then left alone.
    pub async fn log_out(&self, visitor: Visitor<'_>) -> Result<(), StoreError> {
        match visitor {
            Visitor::User(user) => {
                self.0.auth.log_out(user.session(), &self.0.caller()).await?;
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

    /// Makes a user's session fresh if the password is theirs, and replaces its token.
    ///
    /// # Errors
    ///
    /// As [`Auth::reauthenticate`](crate::Auth::reauthenticate).
    pub async fn confirm(&self, user: CurrentUser<'_>, password: &str) -> Result<(), ConfirmError> {
        let (who, caller) = (user.authenticated(), &self.0.caller());
        let renewed = self.0.auth.reauthenticate(who, password, caller).await?;
        tokens::renew(self.0, &renewed);
        Ok(())
    }

    /// Changes a user's password. Their other sessions and their remembered logins end.
    pub(crate) async fn change_password(
        &self,
        user: CurrentUser<'_>,
        current: &str,
        new: &str,
    ) -> Result<(), ChangePasswordError> {
        let (who, caller) = (user.authenticated(), &self.0.caller());
        let renewed = self.0.auth.change_password(who, current, new, caller).await?;
        tokens::renew(self.0, &renewed);
        tokens::forget(self.0);
        Ok(())
    }

    /// Deletes a user's account.
    pub(crate) async fn delete_account(
        &self,
        user: CurrentUser<'_>,
        password: &str,
    ) -> Result<(), ConfirmError> {
        let (who, caller) = (user.authenticated(), &self.0.caller());
        self.0.auth.delete_account(who, password, caller).await?;
        tokens::take_back(self.0);
        Ok(())
    }

    /// Ends the remembered login that the browser sent, and makes the browser forget it.
    async fn forget_earlier(&self) -> Result<(), StoreError> {
        let earlier = self.0.cookie(self.0.cookies.remember);
        let Some(Ok(token)) = earlier.map(RememberToken::parse) else { return Ok(()) };
        self.0.auth.forget(&token, &self.0.caller()).await?;
        tokens::forget(self.0);
        Ok(())
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
