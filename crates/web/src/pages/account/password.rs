use countersign_auth::{ChangePasswordError, ConfirmError, PasswordAdvice};
use rocket::{get, post};
use serde::{Deserialize, Serialize};

use crate::answer::flash::Flash;
use crate::answer::page_error::PageError;
use crate::answer::reason::Reason;
use crate::answer::redirect::SeeOther;
use crate::answer::refusal::{Explain, Refusal};
use crate::guards::admission::admit_to_proof;
use crate::guards::current_user::CurrentUser;
use crate::guards::login::Login;
use crate::pages::new_password::NewPassword;
use crate::render::form::{Form, FormPage};
use crate::render::wording;
use crate::request::submitted::Submitted;
use crate::site::Site;

/// What a browser sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Input {
    current_password: String,
    password: String,
}

/// The page on which users change their password.
#[derive(Serialize)]
pub(crate) struct ChangePassword {
    has_password: bool,
    #[serde(flatten)]
    new_password: NewPassword,
}

#[derive(Default, Serialize)]
pub(crate) struct Errors {
    current_password: Vec<String>,
    password: Vec<String>,
}

impl FormPage for ChangePassword {
    const TEMPLATE: &'static str = "account/password.html";
    const TITLE: &'static str = "Change your password";
    const ACTION: &'static str = "/account/password";
    type Errors = Errors;
}

impl Explain<ChangePasswordError> for Errors {
    fn explain(&mut self, error: ChangePasswordError) -> Reason {
        match error {
            ChangePasswordError::New(error) => {
                self.password.push(wording::new_password(error));
                Reason::Invalid
            }
            ChangePasswordError::WrongPassword(_) => {
                self.current_password.explain(ConfirmError::WrongPassword)
            }
            ChangePasswordError::Current(error) => self.current_password.explain(error),
        }
    }
}

/// Asks for the current password, which is proof enough, and a new one.
#[get("/account/password")]
pub(crate) fn form(site: Site<'_>, me: CurrentUser<'_>) -> Result<Form<ChangePassword>, PageError> {
    admit_to_proof(site, me)?;
    Ok(shown(site, me, None))
}

/// Changes the password, and logs the user out everywhere else.
#[post("/account/password", data = "<input>")]
pub(crate) async fn submit(
    site: Site<'_>,
    me: CurrentUser<'_>,
    login: Login<'_>,
    input: Submitted<Input>,
) -> Result<SeeOther, Refusal<ChangePassword>> {
    let Input { current_password: current, password: new } = &input.0;
    let advice = login.change_password(me, current, new).await.map_err(|error| {
        let advice = match error {
            ChangePasswordError::WrongPassword(advice) => advice,
            _ => None,
        };
        let mut form = shown(site, me, advice);
        // Nobody has looked at the current password if the new one is not acceptable.
        let is_missing = me.has_password() && current.is_empty();
        if is_missing && matches!(error, ChangePasswordError::New(_)) {
            form.errors.current_password.push(wording::CURRENT_PASSWORD_MISSING.to_owned());
        }
        Refusal::of(site, form, error)
    })?;
    let weak = advice.is_some();
    if weak { Flash::PasswordChangedWeak } else { Flash::PasswordChanged }.leave(site);
    Ok(SeeOther::to(&site.paths.account))
}

fn shown(
    site: Site<'_>,
    me: CurrentUser<'_>,
    advice: Option<PasswordAdvice>,
) -> Form<ChangePassword> {
    let new_password = NewPassword::of(site, advice);
    Form::new(site, ChangePassword { has_password: me.has_password(), new_password })
}
