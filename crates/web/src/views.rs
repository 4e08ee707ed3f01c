//! What the templates are given: one type for each.

use rocket::Request;
use rocket::http::Status;
use rocket::response::{self, Responder};
use rocket_dyn_templates::Template;
use serde::Serialize;
use serde_json::Value;

use crate::error::without_empty;
use crate::flash::{Flash, FlashView};
use crate::guards::Visitor;
use crate::request_id;
use crate::state::Shared;

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
struct UserView<'a> {
    id: String,
    email: &'a str,
    username: &'a str,
}

#[derive(Serialize)]
struct Frame<'a, V> {
    page_title: &'a str,
    site: &'a SiteView,
    /// False where nobody can say who is logged in: then the page claims neither.
    visitor_known: bool,
    current_user: Option<UserView<'a>>,
    flash: Option<FlashView>,
    request_id: &'a str,
    #[serde(flatten)]
    view: &'a V,
}

impl<'r, V: View> Responder<'r, 'static> for Page<V> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let shared = request.rocket().state::<Shared>().ok_or(Status::InternalServerError)?;
        let visitor = Visitor::already_known(request).unwrap_or(Visitor::Unavailable);
        let user = visitor.user();
        let frame = Frame {
            page_title: self.0.title(),
            site: &shared.site,
            visitor_known: !matches!(visitor, Visitor::Unavailable),
            current_user: user.as_ref().map(|user| UserView {
                id: user.id.to_string(),
                email: user.email.as_str(),
                username: user.username.as_str(),
            }),
            flash: Flash::take(request, shared),
            request_id: request_id::of(request),
            view: &self.0,
        };
        Template::render(V::TEMPLATE, frame).respond_to(request)
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
    pub(crate) message: Option<&'static str>,
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
    pub(crate) message: Option<&'static str>,
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
