//! What the templates are given: one type for each.

use rocket::Request;
use rocket::response::{self, Responder};
use serde::Serialize;
use serde_json::Value;

use crate::error::without_empty;
use crate::template::Template;

/// What one template shows.
pub(crate) trait View: Serialize {
    /// The template, as it is called among the compiled-in ones.
    const TEMPLATE: &'static str;

    /// What the browser calls the page.
    fn title(&self) -> &str;

    /// What is wrong with the fields of its form, if it has one: a list of texts for each.
    fn errors(&self) -> Option<Value> {
        None
    }
}

/// A view in the frame that all pages share.
pub(crate) struct Page<V>(pub(crate) V);

/// Where the pages are and what they load: the same for every request.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SiteView {
    pub(crate) name: String,
    pub(crate) home: String,
    pub(crate) login: String,
    pub(crate) register: Option<String>,
    pub(crate) logout: String,
    pub(crate) members: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) css: String,
    pub(crate) js: String,
    pub(crate) js_integrity: String,
    pub(crate) icon: String,
}

#[derive(Serialize)]
struct Titled<'a, V> {
    page_title: &'a str,
    #[serde(flatten)]
    view: &'a V,
}

impl<'r, V: View> Responder<'r, 'static> for Page<V> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let Self(view) = &self;
        let titled = Titled { page_title: view.title(), view };
        Template::render(V::TEMPLATE, titled).respond_to(request)
    }
}

macro_rules! plain_view {
    ($(#[$doc:meta])* $name:ident, $template:literal, $title:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize)]
        pub(crate) struct $name {}

        impl View for $name {
            const TEMPLATE: &'static str = $template;

            fn title(&self) -> &str {
                $title
            }
        }
    };
}

plain_view! {
    /// The front page.
    HomeView, "home.html", "Welcome"
}
plain_view! {
    /// What only members see.
    MembersView, "blogs.html", "Members"
}
plain_view! {
    /// Asks whether to log out.
    LogOutView, "auth/logout.html", "Log out"
}

/// The login page.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct LogInView {
    pub(crate) form: LogInFormView,
}

/// The form on it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct LogInFormView {
    pub(crate) action: String,
    pub(crate) next: String,
    pub(crate) remember_enabled: bool,
    pub(crate) values: LogInValues,
    pub(crate) errors: LogInErrors,
    pub(crate) message: Option<String>,
}

/// What was typed, less the password.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct LogInValues {
    pub(crate) email: String,
    pub(crate) remember: bool,
}

/// What is wrong with it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct LogInErrors {
    pub(crate) email: Vec<String>,
    pub(crate) password: Vec<String>,
}

impl View for LogInView {
    const TEMPLATE: &'static str = "auth/login.html";

    fn title(&self) -> &str {
        "Log in"
    }

    fn errors(&self) -> Option<Value> {
        without_empty(&self.form.errors)
    }
}

/// The registration page.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct RegisterView {
    pub(crate) form: RegisterFormView,
}

/// The form on it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct RegisterFormView {
    pub(crate) action: String,
    pub(crate) min_length: usize,
    pub(crate) max_length: usize,
    pub(crate) values: RegisterValues,
    pub(crate) errors: RegisterErrors,
    pub(crate) password_advice: Option<String>,
    pub(crate) message: Option<String>,
}

/// What was typed, less the password.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct RegisterValues {
    pub(crate) email: String,
    pub(crate) username: String,
}

/// What is wrong with it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct RegisterErrors {
    pub(crate) email: Vec<String>,
    pub(crate) username: Vec<String>,
    pub(crate) password: Vec<String>,
}

impl View for RegisterView {
    const TEMPLATE: &'static str = "auth/register.html";

    fn title(&self) -> &str {
        "Register"
    }

    fn errors(&self) -> Option<Value> {
        without_empty(&self.form.errors)
    }
}

/// What is wrong with the only field of a form.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct PasswordErrors {
    pub(crate) password: Vec<String>,
}

/// Asks a user to prove once more who they are.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ReauthenticateView {
    pub(crate) form: ReauthenticateFormView,
}

/// The form on it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ReauthenticateFormView {
    pub(crate) action: String,
    pub(crate) next: String,
    pub(crate) errors: PasswordErrors,
    pub(crate) message: Option<String>,
}

impl View for ReauthenticateView {
    const TEMPLATE: &'static str = "auth/reauthenticate.html";

    fn title(&self) -> &str {
        "Confirm it is you"
    }

    fn errors(&self) -> Option<Value> {
        without_empty(&self.form.errors)
    }
}

/// The user's own page.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct AccountView {
    pub(crate) account: AccountText,
    pub(crate) links: AccountLinks,
}

/// What it says.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct AccountText {
    pub(crate) email: String,
    pub(crate) username: String,
    pub(crate) member_since: String,
}

/// Where it leads.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct AccountLinks {
    pub(crate) password: String,
    pub(crate) sessions: String,
    pub(crate) activity: String,
    pub(crate) delete: String,
}

impl View for AccountView {
    const TEMPLATE: &'static str = "account/profile.html";

    fn title(&self) -> &str {
        "Your account"
    }
}

/// The page on which a user changes their password.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ChangePasswordView {
    pub(crate) form: ChangePasswordFormView,
}

/// The form on it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ChangePasswordFormView {
    pub(crate) action: String,
    pub(crate) min_length: usize,
    pub(crate) max_length: usize,
    pub(crate) errors: ChangePasswordErrors,
    pub(crate) password_advice: Option<String>,
    pub(crate) message: Option<String>,
}

/// What is wrong with it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ChangePasswordErrors {
    pub(crate) current_password: Vec<String>,
    pub(crate) password: Vec<String>,
}

impl View for ChangePasswordView {
    const TEMPLATE: &'static str = "account/password.html";

    fn title(&self) -> &str {
        "Change your password"
    }

    fn errors(&self) -> Option<Value> {
        without_empty(&self.form.errors)
    }
}

/// Where the user is logged in.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct SessionsView {
    pub(crate) sessions: Vec<DeviceView>,
    pub(crate) revoke_others: Option<String>,
}

/// One of those places.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct DeviceView {
    pub(crate) browser: String,
    pub(crate) address: String,
    pub(crate) first_seen: String,
    pub(crate) last_seen: String,
    pub(crate) current: bool,
    pub(crate) remembered: bool,
    pub(crate) revoke: String,
}

impl View for SessionsView {
    const TEMPLATE: &'static str = "account/sessions.html";

    fn title(&self) -> &str {
        "Devices"
    }
}

/// What has happened to the account.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ActivityView {
    pub(crate) entries: Vec<ActivityEntry>,
    pub(crate) newest: Option<String>,
    pub(crate) older: Option<String>,
}

/// One thing that has happened.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ActivityEntry {
    pub(crate) what: &'static str,
    pub(crate) is_warning: bool,
    pub(crate) at: String,
    pub(crate) browser: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) by_administrator: bool,
}

impl View for ActivityView {
    const TEMPLATE: &'static str = "account/activity.html";

    fn title(&self) -> &str {
        "Activity"
    }
}

/// Asks whether to delete the account.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct DeleteView {
    pub(crate) form: DeleteFormView,
}

/// The form on it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct DeleteFormView {
    pub(crate) action: String,
    pub(crate) errors: PasswordErrors,
    pub(crate) message: Option<String>,
}

impl View for DeleteView {
    const TEMPLATE: &'static str = "account/delete.html";

    fn title(&self) -> &str {
        "Delete your account"
    }

    fn errors(&self) -> Option<Value> {
        without_empty(&self.form.errors)
    }
}

/// A page that says what went wrong.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ErrorView {
    error: ErrorText,
}

#[derive(Clone, Debug, Serialize)]
struct ErrorText {
    status: u16,
    title: &'static str,
    text: &'static str,
    action: Option<ErrorAction>,
}

#[derive(Clone, Debug, Serialize)]
struct ErrorAction {
    href: String,
    label: &'static str,
}

impl ErrorView {
    /// With `home` as the way out.
    pub(crate) fn new(
        status: u16,
        title: &'static str,
        text: &'static str,
        home: Option<&str>,
    ) -> Self {
        let label = "Go to the home page";
        let action = home.map(|home| ErrorAction { href: home.to_owned(), label });
        Self { error: ErrorText { status, title, text, action } }
    }
}

impl View for ErrorView {
    const TEMPLATE: &'static str = "error/page.html";

    fn title(&self) -> &str {
        self.error.title
    }
}
