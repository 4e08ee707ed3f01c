use countersign_auth::{InvalidLogIn, LogInError};
use rocket::{get, post};
use serde::Deserialize;

use crate::error::{PageError, Refusal, Rejection};
use crate::form::Submitted;
use crate::guards::Visitor;
use crate::login::Login;
use crate::next::Next;
use crate::pages::SeeOther;
use crate::state::Site;
use crate::views::{LogInErrors, LogInFormView, LogInValues, LogInView, Page};
use crate::wording;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct LogInForm {
    email: String,
    password: String,
    remember: String,
    next: String,
}

impl LogInForm {
    /// A ticked box sends a value, any; one that is not sends nothing.
    fn remember(&self) -> bool {
        !matches!(self.remember.as_str(), "" | "0" | "false" | "off")
    }
}

/// The login page.
#[get("/login?<next>")]
pub(crate) fn form(
    site: Site<'_>,
    visitor: Visitor<'_>,
    next: Option<&str>,
) -> Result<Result<Page<LogInView>, SeeOther>, PageError> {
    let next = next.and_then(Next::parse);
    Ok(match visitor.is_authenticated()? {
        true => Err(site.after_login(next)),
        false => Ok(Page(view(&site, &LogInForm::default(), next.as_ref()))),
    })
}

/// Logs in.
#[post("/login", data = "<form>")]
pub(crate) async fn submit(
    site: Site<'_>,
    visitor: Visitor<'_>,
    login: Login<'_>,
    form: Submitted<LogInForm>,
) -> Result<SeeOther, Refusal<LogInView>> {
    let (Submitted(form), next) = (&form, Next::parse(&form.0.next));
    if visitor.is_authenticated()? {
        return Ok(site.after_login(next));
    }
    match login.log_in(&form.email, &form.password, form.remember()).await {
        Ok(_) => Ok(site.after_login(next)),
        Err(error) => Err(refuse(&site, form, next.as_ref(), error)),
    }
}

fn refuse(
    site: &Site<'_>,
    form: &LogInForm,
    next: Option<&Next>,
    error: LogInError,
) -> Refusal<LogInView> {
    let mut view = view(site, form, next);
    let rejection = match error {
        LogInError::Invalid(InvalidLogIn { email, password }) => {
            view.form.errors = LogInErrors {
                email: email.map(wording::email).into_iter().collect(),
                password: password.map(wording::password).into_iter().collect(),
            };
            Rejection::Invalid
        }
        LogInError::WrongCredentials => Rejection::WrongCredentials,
        LogInError::Throttled(throttled) => Rejection::Throttled(throttled.retry_after),
        LogInError::Overloaded(overloaded) => Rejection::Overloaded(overloaded.retry_after),
        LogInError::Store(error) => return PageError::outage(&error, site.request).into(),
    };
    view.form.message = rejection.message();
    Refusal::Form(rejection, view)
}

fn view(site: &Site<'_>, form: &LogInForm, next: Option<&Next>) -> LogInView {
    LogInView {
        form: LogInFormView {
            action: site.at("/login"),
            next: next.map_or_else(String::new, |next| next.as_str().to_owned()),
            remember_enabled: site.auth.remembers_for().is_some(),
            values: LogInValues { email: form.email.clone(), remember: form.remember() },
            ..LogInFormView::default()
        },
    }
}
