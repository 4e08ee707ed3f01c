use countersign_auth::RenameError;
use rocket::{get, post};
use serde::{Deserialize, Serialize};

use crate::answer::flash::Flash;
use crate::answer::reason::Reason;
use crate::answer::redirect::SeeOther;
use crate::answer::refusal::{Explain, Refusal};
use crate::guards::admission::FreshLogin;
use crate::render::form::{Form, FormPage};
use crate::render::wording;
use crate::request::submitted::Submitted;
use crate::site::Site;

/// What a browser sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Input {
    email: String,
}

/// The page on which users change their email address.
#[derive(Serialize)]
pub(crate) struct ChangeEmail {
    email: String,
}

#[derive(Default, Serialize)]
pub(crate) struct Errors {
    email: Vec<String>,
}

impl FormPage for ChangeEmail {
    const TEMPLATE: &'static str = "account/email.html";
    const TITLE: &'static str = "Change your email address";
    const ACTION: &'static str = "/account/email";
    type Errors = Errors;
}

impl Explain<RenameError> for Errors {
    fn explain(&mut self, error: RenameError) -> Reason {
        self.email.explain(error)
    }
}

/// The errors of the field for what a user is to be called.
impl Explain<RenameError> for Vec<String> {
    fn explain(&mut self, error: RenameError) -> Reason {
        match error {
            RenameError::Email(error) => self.push(wording::email(error)),
            RenameError::Username(error) => self.push(wording::username(error)),
            RenameError::EmailTaken => {
                self.push(wording::EMAIL_TAKEN.to_owned());
                return Reason::Taken;
            }
            RenameError::Current(error) => return self.explain(error),
            _ => {}
        }
        Reason::Invalid
    }
}

/// Asks for a new email address.
#[get("/account/email")]
pub(crate) fn form(site: Site<'_>, _me: FreshLogin<'_>) -> Form<ChangeEmail> {
    Form::new(site, ChangeEmail { email: String::new() })
}

/// Changes the email address, which counts at once.
#[post("/account/email", data = "<input>")]
pub(crate) async fn submit(
    site: Site<'_>,
    me: FreshLogin<'_>,
    input: Submitted<Input>,
) -> Result<SeeOther, Refusal<ChangeEmail>> {
    let (Submitted(Input { email }), caller) = (input, site.caller());
    let changed = site.auth.by(&caller).account(me.authenticated()).change_email(&email).await;
    let shown = || Form::new(site, ChangeEmail { email });
    changed.map_err(|error| Refusal::of(site, shown(), error))?;
    Flash::EmailChanged.leave(site);
    Ok(SeeOther::to(&site.paths.account))
}
