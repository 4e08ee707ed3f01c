use countersign_auth::FactorError;
use rocket::{get, post};
use serde::{Deserialize, Serialize};

use crate::answer::flash::Flash;
use crate::answer::page_error::PageError;
use crate::answer::reason::Reason;
use crate::answer::redirect::SeeOther;
use crate::answer::refusal::{Explain, Refusal};
use crate::guards::login::Login;
use crate::guards::visitor::Visitor;
use crate::render::form::{Form, FormPage};
use crate::render::wording;
use crate::request::next::Next;
use crate::request::submitted::Submitted;
use crate::site::Site;

/// What a browser sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Input {
    code: String,
    next: String,
}

/// The page on which users complete a login with their second factor.
#[derive(Serialize)]
pub(crate) struct Verify {}

#[derive(Default, Serialize)]
pub(crate) struct Errors {
    code: Vec<String>,
}

impl FormPage for Verify {
    const TEMPLATE: &'static str = "auth/verify.html";
    const TITLE: &'static str = "Enter your code";
    const ACTION: &'static str = "/login/verify";
    type Errors = Errors;
}

impl Explain<FactorError> for Errors {
    fn explain(&mut self, error: FactorError) -> Reason {
        match error {
            FactorError::Empty => {
                self.code.push(wording::CODE_MISSING.to_owned());
                Reason::Invalid
            }
            FactorError::WrongCode => {
                self.code.push(wording::WRONG_CODE.to_owned());
                Reason::WrongCode
            }
            FactorError::Ended => Reason::Ended,
            FactorError::Throttled(throttled) => Reason::Throttled(throttled.retry_after),
            FactorError::Store(error) => Reason::Outage(error),
        }
    }
}

/// Asks for the code, if a login waits for one.
#[get("/login/verify?<next>")]
pub(crate) async fn form(
    site: Site<'_>,
    visitor: Visitor<'_>,
    login: Login<'_>,
    next: Option<&str>,
) -> Result<Result<Form<Verify>, SeeOther>, PageError> {
    let next = next.and_then(Next::parse);
    let factors = login.pending_factors().await;
    Ok(match factors.map_err(|error| PageError::outage(site, &error))? {
        Some(_) => Ok(Form::new(site, Verify {}).with_next(next)),
        None if visitor.is_authenticated()? => Err(SeeOther::after_login(site, next)),
        None => Err(SeeOther::to_login(site, next.as_ref())),
    })
}

/// Completes the login.
#[post("/login/verify", data = "<input>")]
pub(crate) async fn submit(
    site: Site<'_>,
    login: Login<'_>,
    input: Submitted<Input>,
) -> Result<SeeOther, Refusal<Verify>> {
    let (Submitted(input), next) = (&input, Next::parse(&input.0.next));
    match login.verify(&input.code).await {
        Ok(state) => Ok(SeeOther::after_step(site, &state, next)),
        Err(FactorError::Ended) => {
            Flash::LoginEnded.leave(site);
            Ok(SeeOther::to_login(site, next.as_ref()))
        }
        Err(error) => {
            let form = Form::new(site, Verify {}).with_next(next);
            Err(Refusal::of(site, form, error))
        }
    }
}
