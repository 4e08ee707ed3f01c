use countersign_auth::ConfirmError;
use rocket::{get, post};
use serde::{Deserialize, Serialize};

use crate::answer::flash::Flash;
use crate::answer::page_error::PageError;
use crate::answer::reason::Reason;
use crate::answer::redirect::LoggedOut;
use crate::answer::refusal::{Explain, Refusal};
use crate::guards::admission::admit_to_proof;
use crate::guards::current_user::CurrentUser;
use crate::guards::login::Login;
use crate::render::form::{Form, FormPage};
use crate::request::submitted::Submitted;
use crate::site::Site;

/// What a browser sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Input {
    password: String,
}

/// The page on which users delete their account.
#[derive(Serialize)]
pub(crate) struct Delete {
    has_password: bool,
}

#[derive(Default, Serialize)]
pub(crate) struct Errors {
    password: Vec<String>,
}

impl FormPage for Delete {
    const TEMPLATE: &'static str = "account/delete.html";
    const TITLE: &'static str = "Delete your account";
    const ACTION: &'static str = "/account/delete";
    type Errors = Errors;
}

impl Explain<ConfirmError> for Errors {
    fn explain(&mut self, error: ConfirmError) -> Reason {
        self.password.explain(error)
    }
}

/// Asks whether to delete the account.
#[get("/account/delete")]
pub(crate) fn form(site: Site<'_>, me: CurrentUser<'_>) -> Result<Form<Delete>, PageError> {
    admit_to_proof(site, me)?;
    Ok(shown(site, me))
}

/// Deletes the account and everything that belongs to it.
#[post("/account/delete", data = "<input>")]
pub(crate) async fn submit(
    site: Site<'_>,
    me: CurrentUser<'_>,
    login: Login<'_>,
    input: Submitted<Input>,
) -> Result<LoggedOut, Refusal<Delete>> {
    let deleted = login.delete_account(me, &input.0.password).await;
    deleted.map_err(|error| Refusal::of(site, shown(site, me), error))?;
    Flash::AccountDeleted.leave(site);
    Ok(LoggedOut::of(site))
}

fn shown(site: Site<'_>, me: CurrentUser<'_>) -> Form<Delete> {
    Form::new(site, Delete { has_password: me.has_password() })
}
