use countersign_auth::RenameError;
use rocket::{get, post};
use serde::{Deserialize, Serialize};

use crate::answer::flash::Flash;
use crate::answer::reason::Reason;
use crate::answer::redirect::SeeOther;
use crate::answer::refusal::{Explain, Refusal};
use crate::guards::admission::{FreshLogin, admit_fresh};
use crate::guards::current_user::CurrentUser;
use crate::render::form::{Form, FormPage};
use crate::render::wording;
use crate::request::next::Next;
use crate::request::submitted::Submitted;
use crate::request::wants::Wants;
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

/// Asks for a new email address; `email` is what was typed before.
#[get("/account/email?<email>")]
pub(crate) fn form(site: Site<'_>, _me: FreshLogin<'_>, email: Option<&str>) -> Form<ChangeEmail> {
    Form::new(site, ChangeEmail { email: email.unwrap_or_default().to_owned() })
}

/// Changes the email address, which counts at once. A browser whose login is no longer fresh comes back to
/// the form with what was typed.
#[post("/account/email", data = "<input>")]
pub(crate) async fn submit(
    site: Site<'_>,
    me: CurrentUser<'_>,
    input: Submitted<Input>,
) -> Result<SeeOther, Refusal<ChangeEmail>> {
    let (Submitted(Input { email }), caller) = (input, site.caller());
    if let Err(error) = admit_fresh(site, me) {
        let typed: String = form_urlencoded::byte_serialize(email.as_bytes()).collect();
        let form = Next::parse(&format!("{}?email={typed}", site.at(ChangeEmail::ACTION)));
        return match Wants::of(site.request) {
            Wants::Html => Ok(SeeOther::to_refresh(site, form.as_ref())),
            _ => Err(error.into()),
        };
    }
    let changed = site.auth.by(&caller).account(me.authenticated()).change_email(&email).await;
    let shown = || Form::new(site, ChangeEmail { email });
    changed.map_err(|error| Refusal::of(site, shown(), error))?;
    Flash::EmailChanged.leave(site);
    Ok(SeeOther::to(&site.paths.account))
}
