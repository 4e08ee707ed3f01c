use countersign_auth::{ChangePasswordError, ConfirmError};
use rocket::{get, post};
use serde::Deserialize;

use crate::caller::caller;
use crate::error::{Refusal, Rejection};
use crate::flash::Flash;
use crate::form::Submitted;
use crate::guards::{CurrentUser, FreshLogin};
use crate::login::Login;
use crate::pages::SeeOther;
use crate::pages::log_out::LoggedOut;
use crate::pages::reauthenticate::refuse_password;
use crate::state::Site;
use crate::views::{
    AccountLinks, AccountText, AccountView, ChangePasswordErrors, ChangePasswordFormView,
    ChangePasswordView, DeleteFormView, DeleteView, Page, PasswordErrors,
};
use crate::wording;

/// The user's own page.
#[get("/account")]
pub(crate) fn profile(site: Site<'_>, me: CurrentUser<'_>) -> Page<AccountView> {
    Page(AccountView {
        account: AccountText {
            email: me.email.to_string(),
            username: me.username.to_string(),
            member_since: wording::day(me.created_at),
        },
        links: AccountLinks {
            password: site.at("/account/password"),
            sessions: site.at("/account/sessions"),
            activity: site.at("/account/activity"),
            delete: site.at("/account/delete"),
        },
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ChangePasswordForm {
    current_password: String,
    password: String,
}

/// Asks for the current password and a new one.
#[get("/account/password")]
pub(crate) fn password_form(site: Site<'_>, _me: FreshLogin<'_>) -> Page<ChangePasswordView> {
    Page(password_view(&site))
}

/// Changes the password. Everywhere else the user is logged out.
#[post("/account/password", data = "<form>")]
pub(crate) async fn change_password(
    site: Site<'_>,
    me: FreshLogin<'_>,
    login: Login<'_>,
    form: Submitted<ChangePasswordForm>,
) -> Result<SeeOther, Refusal<ChangePasswordView>> {
    let Submitted(form) = &form;
    let changed = login.change_password(*me, &form.current_password, &form.password).await;
    // Advice costs more than a hash, so it is for those whose try was counted.
    let advice = match changed {
        Ok(()) | Err(ChangePasswordError::Current(ConfirmError::WrongPassword)) => {
            let (email, username) = (me.email.as_str(), me.username.as_str());
            let caller = &caller(site.request, site.shared);
            site.auth.password_advice(&form.password, email, username, caller).await
        }
        Err(_) => None,
    };
    match changed {
        Ok(()) => {
            let weak = advice.is_some();
            let flash = if weak { Flash::PasswordChangedWeak } else { Flash::PasswordChanged };
            flash.leave(site.request, site.shared);
            Ok(SeeOther::to(&site.paths.account))
        }
        Err(error) => {
            let advice = advice.map(wording::password_advice);
            Err(refuse_change(&site, form, error, advice))
        }
    }
}

fn refuse_change(
    site: &Site<'_>,
    form: &ChangePasswordForm,
    error: ChangePasswordError,
    advice: Option<String>,
) -> Refusal<ChangePasswordView> {
    let mut view = password_view(site);
    view.form.password_advice = advice;
    let errors = &mut view.form.errors;
    let rejection = match error {
        ChangePasswordError::New(error) => {
            errors.password.push(wording::new_password(error));
            if form.current_password.is_empty() {
                errors.current_password.push("Enter your current password.".to_owned());
            }
            Ok(Rejection::Invalid)
        }
        ChangePasswordError::Current(error) => {
            refuse_password(site, error, &mut errors.current_password)
        }
    };
    match rejection {
        Ok(rejection) => {
            view.form.message = rejection.message();
            Refusal::Form(rejection, view)
        }
        Err(error) => error.into(),
    }
}

fn password_view(site: &Site<'_>) -> ChangePasswordView {
    let policy = site.auth.password_policy();
    ChangePasswordView {
        form: ChangePasswordFormView {
            action: site.at("/account/password"),
            min_length: policy.min_chars,
            max_length: policy.max_chars,
            errors: ChangePasswordErrors::default(),
            password_advice: None,
            message: None,
        },
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct DeleteForm {
    password: String,
}

/// Asks whether to delete the account.
#[get("/account/delete")]
pub(crate) fn delete_form(site: Site<'_>, _me: FreshLogin<'_>) -> Page<DeleteView> {
    Page(delete_view(&site))
}

/// Deletes the account and all that belongs to it.
#[post("/account/delete", data = "<form>")]
pub(crate) async fn delete(
    site: Site<'_>,
    me: FreshLogin<'_>,
    login: Login<'_>,
    form: Submitted<DeleteForm>,
) -> Result<LoggedOut, Refusal<DeleteView>> {
    match login.delete_account(*me, &form.0.password).await {
        Ok(()) => {
            Flash::AccountDeleted.leave(site.request, site.shared);
            Ok(LoggedOut(SeeOther::to(&site.paths.after_logout)))
        }
        Err(error) => Err(refuse_deletion(&site, error)),
    }
}

fn refuse_deletion(site: &Site<'_>, error: ConfirmError) -> Refusal<DeleteView> {
    let mut view = delete_view(site);
    match refuse_password(site, error, &mut view.form.errors.password) {
        Ok(rejection) => {
            view.form.message = rejection.message();
            Refusal::Form(rejection, view)
        }
        Err(error) => error.into(),
    }
}

fn delete_view(site: &Site<'_>) -> DeleteView {
    let action = site.at("/account/delete");
    DeleteView { form: DeleteFormView { action, errors: PasswordErrors::default(), message: None } }
}
