use countersign_auth::{InvalidLogIn, LogInError};
use rocket::{get, post};
use serde::{Deserialize, Serialize};

use crate::answer::page_error::PageError;
use crate::answer::reason::Reason;
use crate::answer::redirect::SeeOther;
use crate::answer::refusal::{Explain, Refusal};
use crate::guards::login::Login;
use crate::guards::visitor::Visitor;
use crate::render::form::{Form, FormPage};
use crate::render::wording;
use crate::request::cookies;
use crate::request::next::Next;
use crate::request::submitted::Submitted;
use crate::site::Site;

/// What a browser sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Input {
    email: String,
    password: String,
    remember: String,
    next: String,
}

impl Input {
    /// Returns whether the box is ticked. A browser sends any value for a ticked box, and nothing
    /// for another.
    fn remember(&self) -> bool {
        !matches!(self.remember.as_str(), "" | "0" | "false" | "off")
    }
}

/// The login page.
#[derive(Serialize)]
pub(crate) struct LogIn {
    values: Values,
    remember_enabled: bool,
    /// Whether the browser seems to keep no cookies.
    refuses_cookies: bool,
}

#[derive(Serialize)]
struct Values {
    email: String,
    remember: bool,
}

#[derive(Default, Serialize)]
pub(crate) struct Errors {
    email: Vec<String>,
    password: Vec<String>,
}

impl FormPage for LogIn {
    const TEMPLATE: &'static str = "auth/login.html";
    const TITLE: &'static str = "Log in";
    const ACTION: &'static str = "/login";
    type Errors = Errors;
}

impl Explain<LogInError> for Errors {
    fn explain(&mut self, error: LogInError) -> Reason {
        match error {
            LogInError::Invalid(InvalidLogIn { email, password }) => {
                self.email.extend(email.map(wording::email));
                self.password.extend(password.map(wording::password));
                Reason::Invalid
            }
            LogInError::WrongCredentials => Reason::WrongCredentials,
            LogInError::Throttled(throttled) => Reason::Throttled(throttled.retry_after),
            LogInError::Overloaded(overloaded) => Reason::Overloaded(overloaded.retry_after),
            LogInError::Store(error) => Reason::Outage(error),
        }
    }
}

/// Shows the login page.
#[get("/login?<next>")]
pub(crate) fn form(
    site: Site<'_>,
    visitor: Visitor<'_>,
    next: Option<&str>,
) -> Result<Result<Form<LogIn>, SeeOther>, PageError> {
    let next = next.and_then(Next::parse);
    Ok(match visitor.is_authenticated()? {
        true => Err(SeeOther::after_login(site, next)),
        false => {
            let mut form = shown(site, Input::default());
            form.page.refuses_cookies = next.is_some() && refuses_cookies(site);
            Ok(form.with_next(next))
        }
    })
}

/// Logs in, in place of whoever was logged in before.
#[post("/login", data = "<input>")]
pub(crate) async fn submit(
    site: Site<'_>,
    login: Login<'_>,
    input: Submitted<Input>,
) -> Result<SeeOther, Refusal<LogIn>> {
    let Submitted(input) = input;
    let next = Next::parse(&input.next);
    match login.log_in(&input.email, &input.password, input.remember()).await {
        Ok(state) => Ok(SeeOther::after_step(site, &state, next)),
        Err(error) => Err(Refusal::of(site, shown(site, input).with_next(next), error)),
    }
}

/// Returns whether a browser that was sent here from another page of ours has kept none of the cookies which
/// that answer set. Whoever followed a link from elsewhere may have none yet.
fn refuses_cookies(site: Site<'_>) -> bool {
    let is_ours = |from: &str| from == "same-origin";
    let came_from_us = site.request.headers().get_one("Sec-Fetch-Site").is_none_or(is_ours);
    came_from_us && cookies::are_missing(site.request)
}

fn shown(site: Site<'_>, input: Input) -> Form<LogIn> {
    let remember_enabled = site.auth.config().sessions.remembers_for().is_some();
    let values = Values { remember: input.remember(), email: input.email };
    Form::new(site, LogIn { values, remember_enabled, refuses_cookies: false })
}
