use countersign_auth::{InvalidLogIn, LogIn, LogInError, Login as Progress};
use rocket::{get, post};
use serde::Deserialize;

use crate::client::client;
use crate::error::{PageError, Refusal, Rejection};
use crate::form::Submitted;
use crate::guards::Visitor;
use crate::login::Login;
use crate::next::Next;
use crate::pages::SeeOther;
use crate::state::Site;
use crate::views::{LogInErrors, LogInFormView, LogInValues, LogInView, Page};
use crate::wording;

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(crate) struct LogInForm {
    email: String,
    password: String,
    next: String,
}

/// The login page.
#[get("/login?<next>")]
pub(crate) fn form(
    site: Site<'_>,
    visitor: Visitor<'_>,
    next: Option<&str>,
) -> Result<Result<Page<LogInView>, SeeOther>, PageError> {
    let next = next.and_then(Next::parse);
    Ok(match visitor.known()? {
        Some(_) => Err(site.after_login(next)),
        None => Ok(Page(view(&site, &LogInForm::default(), next.as_ref()))),
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
    if visitor.known()?.is_some() {
        return Ok(site.after_login(next));
    }
    let client = client(site.request, site.shared);
    let attempt = LogIn { email: &form.email, password: &form.password, client: &client };
    match site.auth.log_in(attempt).await {
        Ok(Progress::Complete(begun)) => {
            login.begin(&begun);
            Ok(site.after_login(next))
        }
        Ok(_) => Err(PageError::Status(rocket::http::Status::NotImplemented).into()),
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
        LogInError::Overloaded(overloaded) => Rejection::Overloaded(overloaded.retry_after),
        LogInError::Store(error) => return PageError::outage(&error, site.request).into(),
    };
    view.form.message = rejection.message();
    Refusal::Form(rejection, view)
}

fn view(site: &Site<'_>, form: &LogInForm, next: Option<&Next>) -> LogInView {
    LogInView {
        form: LogInFormView {
            action: site.paths.login.clone(),
            next: next.map_or_else(String::new, |next| next.as_str().to_owned()),
            values: LogInValues { email: form.email.clone(), remember: false },
            ..LogInFormView::default()
        },
    }
}
