use countersign_auth::{InvalidNewUser, NewUser, PasswordAdvice, RegisterError};
use rocket::{get, post};
use serde::{Deserialize, Serialize};

use super::new_password::NewPassword;
use crate::answer::flash::Flash;
use crate::answer::page_error::PageError;
use crate::answer::reason::Reason;
use crate::answer::redirect::SeeOther;
use crate::answer::refusal::{Explain, Refusal};
use crate::guards::guard_error::GuardError;
use crate::guards::visitor::Visitor;
use crate::render::form::{Form, FormPage};
use crate::render::wording;
use crate::request::next::Next;
use crate::request::submitted::Submitted;
use crate::site::{Registration, Site};

/// What a browser sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Input {
    email: String,
    username: String,
    password: String,
    next: String,
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
#[get("/register?<next>")]
pub(crate) fn form(
    site: Site<'_>,
    visitor: Visitor<'_>,
    next: Option<&str>,
) -> Result<Result<Form<Register>, SeeOther>, PageError> {
    let next = next.and_then(Next::parse);
    if visitor.is_authenticated()? {
        return Ok(Err(SeeOther::after_login(site, next)));
    }
    check_open(site)?;
    Ok(Ok(shown(site, Input::default(), None).with_next(next)))
}

/// Registers a user without logging them in.
#[post("/register", data = "<input>")]
pub(crate) async fn submit(
    site: Site<'_>,
    visitor: Visitor<'_>,
    input: Submitted<Input>,
) -> Result<SeeOther, Refusal<Register>> {
    let Submitted(input) = input;
    let next = Next::parse(&input.next);
    match visitor {
        Visitor::User(user) => {
            let mut form = shown(site, input, None).with_next(next);
            let reason = Reason::LoggedInAs(user.username.to_string());
            form.message = reason.message();
            return Err(Refusal::Form(reason, form));
        }
        Visitor::Unavailable => return Err(GuardError::Unavailable.into()),
        Visitor::Anonymous => check_open(site)?,
    }
    let new = NewUser::new(&input.email, &input.username, &input.password);
    let registered = site.auth.by(&site.caller()).register(new).await.map_err(|error| {
        let advice = match &error {
            RegisterError::EmailTaken(advice) => *advice,
            _ => None,
        };
        Refusal::of(site, shown(site, input, advice).with_next(next.clone()), error)
    })?;
    let weak = registered.advice.is_some();
    if weak { Flash::RegisteredWeakPassword } else { Flash::Registered }.leave(site);
    Ok(SeeOther::to_login(site, next.as_ref()))
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
