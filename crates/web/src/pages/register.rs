use countersign_auth::{InvalidRegistration, RegisterError, Registration as NewUser};
use rocket::{get, post};
use serde::Deserialize;

use crate::caller::caller;
use crate::error::{PageError, Refusal, Rejection};
use crate::flash::Flash;
use crate::form::Submitted;
use crate::guards::Visitor;
use crate::pages::SeeOther;
use crate::state::{Registration, Site};
use crate::views::{Page, RegisterErrors, RegisterFormView, RegisterValues, RegisterView};
use crate::wording;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct RegisterForm {
    email: String,
    username: String,
    password: String,
}

/// The registration page.
#[get("/register")]
pub(crate) fn form(
    site: Site<'_>,
    visitor: Visitor<'_>,
) -> Result<Result<Page<RegisterView>, SeeOther>, PageError> {
    if visitor.is_authenticated()? {
        return Ok(Err(site.after_login(None)));
    }
    check_open(&site)?;
    Ok(Ok(Page(view(&site, &RegisterForm::default()))))
}

/// Registers.
#[post("/register", data = "<form>")]
pub(crate) async fn submit(
    site: Site<'_>,
    visitor: Visitor<'_>,
    form: Submitted<RegisterForm>,
) -> Result<SeeOther, Refusal<RegisterView>> {
    let Submitted(form) = &form;
    if visitor.is_authenticated()? {
        return Ok(site.after_login(None));
    }
    check_open(&site)?;
    let RegisterForm { email, username, password } = form;
    let caller = &caller(site.request, site.shared);
    let registered = site.auth.register(NewUser { email, username, password, caller }).await;
    // Advice costs more than a hash, so it is for those whose try was counted.
    let advice = match registered {
        Ok(_) | Err(RegisterError::EmailTaken) => {
            site.auth.password_advice(password, email, username, caller).await
        }
        Err(_) => None,
    };
    match registered {
        Ok(_) => {
            let weak = advice.is_some();
            let flash = if weak { Flash::RegisteredWeakPassword } else { Flash::Registered };
            flash.leave(site.request, site.shared);
            Ok(SeeOther::to(&site.paths.login))
        }
        Err(error) => {
            let advice = advice.map(wording::password_advice);
            Err(refuse(&site, form, error, advice))
        }
    }
}

fn check_open(site: &Site<'_>) -> Result<(), PageError> {
    match site.registration {
        Registration::Open => Ok(()),
        Registration::Closed => Err(PageError::RegistrationClosed),
    }
}

fn refuse(
    site: &Site<'_>,
    form: &RegisterForm,
    error: RegisterError,
    advice: Option<String>,
) -> Refusal<RegisterView> {
    let mut view = view(site, form);
    view.form.password_advice = advice;
    let rejection = match error {
        RegisterError::Invalid(InvalidRegistration { email, username, password }) => {
            view.form.errors = RegisterErrors {
                email: email.map(wording::email).into_iter().collect(),
                username: username.map(wording::username).into_iter().collect(),
                password: password.map(wording::new_password).into_iter().collect(),
            };
            Rejection::Invalid
        }
        RegisterError::EmailTaken => {
            view.form.errors.email = vec!["Email already present".to_owned()];
            Rejection::Taken
        }
        RegisterError::Throttled(throttled) => Rejection::Throttled(throttled.retry_after),
        RegisterError::Overloaded(overloaded) => Rejection::Overloaded(overloaded.retry_after),
        RegisterError::Store(error) => return PageError::outage(&error, site.request).into(),
    };
    view.form.message = rejection.message();
    Refusal::Form(rejection, view)
}

fn view(site: &Site<'_>, form: &RegisterForm) -> RegisterView {
    let policy = site.auth.password_policy();
    RegisterView {
        form: RegisterFormView {
            action: site.paths.register.clone(),
            min_length: policy.min_chars,
            max_length: policy.max_chars,
            values: RegisterValues { email: form.email.clone(), username: form.username.clone() },
            ..RegisterFormView::default()
        },
    }
}
