use countersign_auth::{
    Caller, ChangePasswordError, ConfirmError, LogIn, LogInError, Login as Progress, NewSession,
    Renewed,
};
use countersign_domain::{RememberToken, SecretToken, StoreError, User};
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::{Ignite, Request, Rocket, Sentinel, async_trait};

use crate::caller::caller;
use crate::cookies;
use crate::guards::{CurrentUser, Visitor};
use crate::state::{Shared, Site};

/// Begins, confirms and ends the session of whoever sends a request, with its cookies: Flask-Login's
/// `login_user`, `confirm_login` and `logout_user`.
///
/// The guard always succeeds. Cookies are set and removed in the answer to the request, whatever
/// that is; an application that did not attach [`AuthPages`](crate::AuthPages) does not launch.
#[derive(Clone, Copy)]
pub struct Login<'r>(Site<'r>);

impl<'r> Login<'r> {
    pub(crate) fn new(site: Site<'r>) -> Self {
        Self(site)
    }

    /// Logs a user in by their password, and has them be remembered if they want.
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
        let caller = &self.caller();
        let attempt = LogIn { email, password, caller, remember };
        match self.0.auth.log_in(attempt).await? {
            Progress::Complete(begun) => {
                self.forget_earlier().await?;
                self.hand_over(&begun);
                Ok(begun.user)
            }
            // Until this crate shows a page for another factor, nothing less will do.
            _ => Err(LogInError::WrongCredentials),
        }
    }

    /// Logs a user in who has proven who they are in another way than by a password that we know.
    /// False when they are gone, or disabled.
    ///
    /// # Errors
    ///
    /// When the store failed. No cookie is set.
    pub async fn log_in_user(&self, user: &User, remember: bool) -> Result<bool, StoreError> {
        let Some(begun) = self.0.auth.log_in_user(user, remember, &self.caller()).await? else {
            return Ok(false);
        };
        self.forget_earlier().await?;
        self.hand_over(&begun);
        Ok(true)
    }

    /// Logs out whoever is logged in, here and on the server.
    ///
    /// # Errors
    ///
    /// When the session may still stand. The cookies are left then.
    pub async fn log_out(&self, visitor: Visitor<'_>) -> Result<(), StoreError> {
        match visitor {
            Visitor::User(user) => {
                self.0.auth.log_out(user.session(), &self.caller()).await?;
            }
            Visitor::Anonymous => {}
            Visitor::Unavailable => {
                return Err(StoreError::Unavailable("nobody knows whose session it is".into()));
            }
        }
        self.forget_earlier().await?;
        self.take_back();
        Ok(())
    }

    /// Makes the session of a user fresh who types their password. Its token is replaced.
    ///
    /// # Errors
    ///
    /// As [`Auth::reauthenticate`](crate::Auth::reauthenticate).
    pub async fn confirm(&self, user: CurrentUser<'_>, password: &str) -> Result<(), ConfirmError> {
        let who = user.authenticated();
        let renewed = self.0.auth.reauthenticate(who, password, &self.caller()).await?;
        self.renew(&renewed);
        Ok(())
    }

    /// Changes the password of a user. Their other sessions and their remembered logins end.
    pub(crate) async fn change_password(
        &self,
        user: CurrentUser<'_>,
        current: &str,
        new: &str,
    ) -> Result<(), ChangePasswordError> {
        let who = user.authenticated();
        let caller = self.caller();
        let renewed = self.0.auth.change_password(who, current, new, &caller).await?;
        self.renew(&renewed);
        cookies::remove(self.0.request, &self.0.cookies, self.0.cookies.remember);
        Ok(())
    }

    /// Removes the account of a user.
    pub(crate) async fn delete_account(
        &self,
        user: CurrentUser<'_>,
        password: &str,
    ) -> Result<(), ConfirmError> {
        let caller = self.caller();
        self.0.auth.delete_account(user.authenticated(), password, &caller).await?;
        self.take_back();
        Ok(())
    }

    /// Hands the tokens of a session that has just begun to the browser.
    pub(crate) fn hand_over(&self, begun: &NewSession) {
        self.replace(&begun.token);
        let (request, names) = (self.0.request, &self.0.cookies);
        if let Some(token) = &begun.remember_token {
            let max_age = self.0.auth.remembers_for();
            cookies::set(request, names, names.remember, &token.expose(), max_age);
        }
        self.make_known(begun.browser_token.as_ref());
    }

    fn renew(&self, renewed: &Renewed) {
        self.replace(&renewed.token);
        self.make_known(renewed.browser_token.as_ref());
    }

    fn make_known(&self, token: Option<&SecretToken>) {
        let (request, names) = (self.0.request, &self.0.cookies);
        if let Some(token) = token {
            let max_age = self.0.auth.knows_browsers_for();
            cookies::set(request, names, names.known_browser, &token.expose(), max_age);
        }
    }

    fn caller(&self) -> Caller {
        caller(self.0.request, self.0.shared)
    }

    /// Has the browser forget its tokens.
    pub(crate) fn take_back(&self) {
        let (request, names) = (self.0.request, &self.0.cookies);
        cookies::remove(request, names, names.session);
        cookies::remove(request, names, names.remember);
    }

    fn replace(&self, token: &SecretToken) {
        let (request, names) = (self.0.request, &self.0.cookies);
        cookies::set(request, names, names.session, &token.expose(), None);
    }

    /// Ends what the browser was remembered by before: it is about to forget it.
    async fn forget_earlier(&self) -> Result<(), StoreError> {
        let earlier = cookies::read(self.0.request, self.0.cookies.remember);
        let Some(Ok(token)) = earlier.map(RememberToken::parse) else { return Ok(()) };
        self.0.auth.forget(&token, &self.caller()).await?;
        cookies::remove(self.0.request, &self.0.cookies, self.0.cookies.remember);
        Ok(())
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for Login<'r> {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        match request.rocket().state::<Shared>() {
            Some(shared) => Outcome::Success(Self(Site { shared, request })),
            None => Outcome::Forward(Status::InternalServerError),
        }
    }
}

impl Sentinel for Login<'_> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        rocket.state::<Shared>().is_none()
    }
}
