use countersign_auth::RenameError;
use rocket::{get, post};
use serde::{Deserialize, Serialize};

use crate::answer::flash::Flash;
use crate::answer::reason::Reason;
use crate::answer::redirect::SeeOther;
use crate::answer::refusal::{Explain, Refusal};
use crate::guards::current_user::CurrentUser;
use crate::render::form::{Form, FormPage};
use crate::request::submitted::Submitted;
use crate::site::Site;

/// What a browser sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Input {
    username: String,
}

/// The page on which users change their username.
#[derive(Serialize)]
pub(crate) struct ChangeUsername {
    username: String,
}

#[derive(Default, Serialize)]
pub(crate) struct Errors {
    username: Vec<String>,
}

impl FormPage for ChangeUsername {
    const TEMPLATE: &'static str = "account/username.html";
    const TITLE: &'static str = "Change your username";
    const ACTION: &'static str = "/account/profile";
    type Errors = Errors;
}

impl Explain<RenameError> for Errors {
    fn explain(&mut self, error: RenameError) -> Reason {
        self.username.explain(error)
    }
}

/// Shows the username, to be changed.
#[get("/account/profile")]
pub(crate) fn form(site: Site<'_>, me: CurrentUser<'_>) -> Form<ChangeUsername> {
    Form::new(site, ChangeUsername { username: me.username.to_string() })
}

/// Changes the username.
#[post("/account/profile", data = "<input>")]
pub(crate) async fn submit(
    site: Site<'_>,
    me: CurrentUser<'_>,
    input: Submitted<Input>,
) -> Result<SeeOther, Refusal<ChangeUsername>> {
    let (Submitted(Input { username }), caller) = (input, site.caller());
    let account = site.auth.by(&caller).account(me.authenticated());
    let changed = account.change_username(&username).await;
    let shown = || Form::new(site, ChangeUsername { username });
    changed.map_err(|error| Refusal::of(site, shown(), error))?;
    Flash::UsernameChanged.leave(site);
    Ok(SeeOther::to(&site.paths.account))
}
