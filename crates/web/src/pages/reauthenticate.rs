use countersign_auth::{ConfirmError, Credential};
use rocket::{get, post};
use serde::{Deserialize, Serialize};

use crate::answer::reason::Reason;
use crate::answer::redirect::SeeOther;
use crate::answer::refusal::{Explain, Refusal};
use crate::guards::current_user::CurrentUser;
use crate::guards::login::Login;
use crate::render::form::{Form, FormPage};
use crate::request::next::Next;
use crate::request::submitted::Submitted;
use crate::site::Site;

/// What a browser sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Input {
    password: String,
    code: String,
    next: String,
}

impl Input {
    /// Returns what the user shows. The form asks for a password wherever there is one.
    fn credential(&self, me: CurrentUser<'_>) -> Credential<'_> {
        match me.has_password() && self.code.is_empty() {
            true => Credential::Password(&self.password),
            false => Credential::Code(&self.code),
        }
    }
}

/// The page on which users prove once more who they are.
#[derive(Serialize)]
pub(crate) struct Reauthenticate {
    has_password: bool,
}

#[derive(Default, Serialize)]
pub(crate) struct Errors {
    password: Vec<String>,
    code: Vec<String>,
}

impl FormPage for Reauthenticate {
    const TEMPLATE: &'static str = "auth/reauthenticate.html";
    const TITLE: &'static str = "Confirm it is you";
    const ACTION: &'static str = "/reauthenticate";
    type Errors = Errors;
}

impl Explain<ConfirmError> for Errors {
    fn explain(&mut self, error: ConfirmError) -> Reason {
        match &error {
            ConfirmError::WrongCode => self.code.explain(error),
            _ => self.password.explain(error),
        }
    }
}

/// Asks a user to prove once more who they are.
#[get("/reauthenticate?<next>")]
pub(crate) fn form(
    site: Site<'_>,
    me: CurrentUser<'_>,
    next: Option<&str>,
) -> Form<Reauthenticate> {
    shown(site, me, next.and_then(Next::parse))
}

/// Makes the session fresh, with a new token.
#[post("/reauthenticate", data = "<input>")]
pub(crate) async fn submit(
    site: Site<'_>,
    me: CurrentUser<'_>,
    login: Login<'_>,
    input: Submitted<Input>,
) -> Result<SeeOther, Refusal<Reauthenticate>> {
    let (Submitted(input), next) = (&input, Next::parse(&input.0.next));
    match login.confirm(me, input.credential(me)).await {
        Ok(()) => Ok(SeeOther::after_login(site, next)),
        Err(error) => Err(Refusal::of(site, shown(site, me, next), error)),
    }
}

fn shown(site: Site<'_>, me: CurrentUser<'_>, next: Option<Next>) -> Form<Reauthenticate> {
    Form::new(site, Reauthenticate { has_password: me.has_password() }).with_next(next)
}
