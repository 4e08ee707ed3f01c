use countersign_auth::{InvalidNewUser, NewUser, PasswordAdvice, RegisterError};
use rocket::{get, post};
use serde::{Deserialize, Serialize};

use super::new_password::NewPassword;
use crate::answer::flash::Flash;
use crate::answer::page_error::PageError;
use crate::answer::reason::Reason;
use crate::answer::redirect::SeeOther;
use crate::answer::refusal::{Explain, Refusal};
use crate::guards::visitor::Visitor;
use crate::render::form::{Form, FormPage};
use crate::render::wording;
use crate::request::submitted::Submitted;
use crate::site::{Registration, Site};

/// What a browser sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Input {
    email: String,
    username: String,
    password: String,
}

/// The registration page.
#[derive(Serialize)]
pub(crate) struct Register {
    values: Values,
    #[serde(flatten)]
    new_password: NewPassword,
}

#[derive(Serialize)]
struct Values {
    email: String,
    username: String,
}

#[derive(Default, Serialize)]
pub(crate) struct Errors {
    email: Vec<String>,
    username: Vec<String>,
    password: Vec<String>,
}

impl FormPage for Register {
    const TEMPLATE: &'static str = "auth/register.html";
    const TITLE: &'static str = "Register";
    const ACTION: &'static str = "/register";
    type Errors = Errors;
}

impl Explain<RegisterError> for Errors {
    fn explain(&mut self, error: RegisterError) -> Reason {
        match error {
            RegisterError::Invalid(InvalidNewUser { email, username, password }) => {
                self.email.extend(email.map(wording::email));
                self.username.extend(username.map(wording::username));
                self.password.extend(password.map(wording::new_password));
                Reason::Invalid
            }
            RegisterError::EmailTaken(_) => {
                self.email.push(wording::EMAIL_TAKEN.to_owned());
                Reason::Taken
            }
            RegisterError::Throttled(throttled) => Reason::Throttled(throttled.retry_after),
            RegisterError::Overloaded(overloaded) => Reason::Overloaded(overloaded.retry_after),
            RegisterError::Store(error) => Reason::Outage(error),
        }
    }
}

/// Shows the registration page.
#[get("/register")]
pub(crate) fn form(
    site: Site<'_>,
    visitor: Visitor<'_>,
) -> Result<Result<Form<Register>, SeeOther>, PageError> {
    if visitor.is_authenticated()? {
        return Ok(Err(SeeOther::after_login(site, None)));
    }
    check_open(site)?;
    Ok(Ok(shown(site, Input::default(), None)))
}

/// Registers a user without logging them in.
#[post("/register", data = "<input>")]
pub(crate) async fn submit(
    site: Site<'_>,
    visitor: Visitor<'_>,
    input: Submitted<Input>,
) -> Result<SeeOther, Refusal<Register>> {
    if visitor.is_authenticated()? {
        return Ok(SeeOther::after_login(site, None));
    }
    check_open(site)?;
    let Submitted(input) = input;
    let new = NewUser::new(&input.email, &input.username, &input.password);
    let registered = site.auth.by(&site.caller()).register(new).await.map_err(|error| {
        let advice = match &error {
            RegisterError::EmailTaken(advice) => *advice,
            _ => None,
        };
        Refusal::of(site, shown(site, input, advice), error)
    })?;
    let weak = registered.advice.is_some();
    if weak { Flash::RegisteredWeakPassword } else { Flash::Registered }.leave(site);
    Ok(SeeOther::to(&site.paths.login))
}

fn check_open(site: Site<'_>) -> Result<(), PageError> {
    match site.registration {
        Registration::Open => Ok(()),
        Registration::Closed => Err(PageError::RegistrationClosed),
    }
}

fn shown(site: Site<'_>, input: Input, advice: Option<PasswordAdvice>) -> Form<Register> {
    let values = Values { email: input.email, username: input.username };
    Form::new(site, Register { values, new_password: NewPassword::of(site, advice) })
}
