use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use rocket::response::{self, Responder, Response};
use rocket::{Ignite, Request, Rocket, Sentinel};
use rocket_dyn_templates::Template as Engine;
use rocket_dyn_templates::tera::Context;
use serde::Serialize;
use serde_json::Value;

use crate::answer::flash::Flash;
use crate::answer::status;
use crate::guards::visitor::Visitor;
use crate::render::site_view::SiteView;
use crate::request::request_id;
use crate::site::{Shared, Site};

/// A template that knows the logged-in user: `current_user` is the user (`id`, `email`, `username`)
/// or null in every template, without the handler passing it. It replaces
/// `rocket_dyn_templates::Template`.
///
/// A template also gets `flash` (a message to show once: `kind`, `text`; or null), `site` (where our
/// pages are: `login`, `logout`, `account`, ...), `visitor_known` (false during an outage) and
/// `request_id`. A value that the handler passes wins over any of these.
///
/// ```
/// # use rocket::get;
/// use countersign_web::{CurrentUser, Template};
/// use rocket_dyn_templates::context;
///
/// #[get("/notes")]
/// fn notes(_me: CurrentUser<'_>) -> Template {
///     Template::render("notes", context! { notes: ["water the plants"] })
/// }
/// ```
#[derive(Debug)]
pub struct Template {
    name: Cow<'static, str>,
    context: Option<Value>,
}

impl Template {
    /// Renders the template `name` with `context`.
    pub fn render(name: impl Into<Cow<'static, str>>, context: impl Serialize) -> Self {
        Self { name: name.into(), context: serde_json::to_value(context).ok() }
    }
}

/// The template with which an answer will be rendered. A responder cannot wait until it is known who
/// is logged in, so the fairing renders.
#[derive(Default)]
struct Pending(Mutex<Option<Template>>);

impl<'r> Responder<'r, 'static> for Template {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let pending = request.local_cache(Pending::default);
        *pending.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(self);
        Response::build().ok()
    }
}

impl Sentinel for Template {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        Shared::is_missing(rocket)
    }
}

/// Renders the template of the answer, if it has one.
pub(crate) async fn complete(site: Site<'_>, response: &mut Response<'_>) {
    let Site { shared, request } = site;
    let pending = request.local_cache(Pending::default);
    let taken = pending.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Template { name, context }) = taken else { return };
    let (user, visitor_known) = match Visitor::of(site).await {
        Visitor::User(user) => (Some(user), true),
        Visitor::Anonymous => (None, true),
        Visitor::Unavailable => (None, false),
    };
    let frame = Frame {
        current_user: user.as_ref().map(|user| UserFrame {
            id: user.id.to_string(),
            email: user.email.as_str(),
            username: user.username.as_str(),
        }),
        visitor_known,
        flash: Flash::take(site),
        site: &shared.view,
        request_id: request_id::of(request),
    };
    let context = context.and_then(|own| {
        let mut context = Context::from_serialize(frame).ok()?;
        if !own.is_null() {
            context.extend(Context::from_value(own).ok()?);
        }
        Some(context)
    });
    let rendered = context.ok_or(status::NOT_RENDERED).and_then(|context| {
        match shared.templates.render(&name, &context) {
            Some(rendered) => rendered.respond_to(request),
            // It belongs to another engine, or does not exist.
            None => Engine::render(name.clone(), context.into_json()).respond_to(request),
        }
    });
    match rendered {
        Ok(rendered) => response.join(rendered),
        Err(_) => {
            let request_id = request_id::of(request);
            tracing::error!(template = %name, request_id, "a template could not be rendered");
            response.set_status(status::NOT_RENDERED);
            let text = "Something went wrong. It has been logged; please try again later.\n";
            response.set_sized_body(text.len(), std::io::Cursor::new(text));
        }
    }
}

/// What every template gets.
#[derive(Serialize)]
struct Frame<'a, F> {
    current_user: Option<UserFrame<'a>>,
    visitor_known: bool,
    flash: Option<F>,
    site: &'a SiteView,
    request_id: &'a str,
}

#[derive(Serialize)]
struct UserFrame<'a> {
    id: String,
    email: &'a str,
    username: &'a str,
}
