use countersign_auth::ConfirmError;
use rocket::{get, post};
use serde::Deserialize;

use crate::error::{PageError, Refusal, Rejection};
use crate::form::Submitted;
use crate::guards::CurrentUser;
use crate::login::Login;
use crate::next::Next;
use crate::pages::SeeOther;
use crate::state::Site;
use crate::views::{Page, PasswordErrors, ReauthenticateFormView, ReauthenticateView};
use crate::wording;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ReauthenticateForm {
    password: String,
    next: String,
}

/// Asks a user to prove once more who they are.
#[get("/reauthenticate?<next>")]
pub(crate) fn form(
    site: Site<'_>,
    _me: CurrentUser<'_>,
    next: Option<&str>,
) -> Page<ReauthenticateView> {
    Page(view(&site, next.and_then(Next::parse).as_ref()))
}

/// Makes the session fresh, with a new token.
#[post("/reauthenticate", data = "<form>")]
pub(crate) async fn submit(
    site: Site<'_>,
    me: CurrentUser<'_>,
    login: Login<'_>,
    form: Submitted<ReauthenticateForm>,
) -> Result<SeeOther, Refusal<ReauthenticateView>> {
    let (Submitted(form), next) = (&form, Next::parse(&form.0.next));
    match login.confirm(me, &form.password).await {
        Ok(()) => Ok(site.after_login(next)),
        Err(error) => {
            let mut view = view(&site, next.as_ref());
            let errors = &mut view.form.errors.password;
            let rejection = refuse_password(&site, error, errors)?;
            view.form.message = rejection.message();
            Err(Refusal::Form(rejection, view))
        }
    }
}

/// What is said of a password that did not prove who the user is.
pub(crate) fn refuse_password(
    site: &Site<'_>,
    error: ConfirmError,
    errors: &mut Vec<String>,
) -> Result<Rejection, PageError> {
    match error {
        ConfirmError::Invalid(error) => {
            errors.push(wording::password(error));
            Ok(Rejection::Invalid)
        }
        ConfirmError::WrongPassword => {
            errors.push("This is not your password.".to_owned());
            Ok(Rejection::WrongPassword)
        }
        ConfirmError::Ended => Err(PageError::LoginRequired),
        ConfirmError::Throttled(throttled) => Ok(Rejection::Throttled(throttled.retry_after)),
        ConfirmError::Overloaded(overloaded) => Ok(Rejection::Overloaded(overloaded.retry_after)),
        ConfirmError::Store(error) => Err(PageError::outage(&error, site.request)),
    }
}

fn view(site: &Site<'_>, next: Option<&Next>) -> ReauthenticateView {
    ReauthenticateView {
        form: ReauthenticateFormView {
            action: site.at("/reauthenticate"),
            next: next.map_or_else(String::new, |next| next.as_str().to_owned()),
            errors: PasswordErrors::default(),
            message: None,
        },
    }
}
