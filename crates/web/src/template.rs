use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use rocket::http::Status;
use rocket::response::{self, Responder, Response};
use rocket::{Ignite, Request, Rocket, Sentinel};
use rocket_dyn_templates::Template as Engine;
use rocket_dyn_templates::tera::Context;
use serde::Serialize;
use serde_json::Value;

use crate::flash::Flash;
use crate::guards::Visitor;
use crate::request_id;
use crate::state::Shared;
use crate::views::SiteView;

/// A template, rendered with the logged-in user at hand: in every one `current_user` is the user
/// (`id`, `email`, `username`) or null, without the handler passing it. It takes the place of
/// `rocket_dyn_templates::Template`.
///
/// Also there are `flash` (a message to show once: `kind`, `text`; or null), `site` (where our pages
/// are: `login`, `logout`, `account`, ...), `visitor_known` (false during an outage) and
/// `request_id`. A value of the handler's own stands before any of these.
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
    /// The template called `name`, with what it is to show.
    pub fn render(name: impl Into<Cow<'static, str>>, context: impl Serialize) -> Self {
        Self { name: name.into(), context: serde_json::to_value(context).ok() }
    }
}

/// The template that an answer is to be rendered with. Who is logged in takes waiting to find out,
/// which a responder cannot do: the fairing renders.
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
        rocket.state::<Shared>().is_none()
    }
}

/// Renders what the answer to `request` is to be rendered with, if anything.
pub(crate) async fn complete(request: &Request<'_>, shared: &Shared, response: &mut Response<'_>) {
    let pending = request.local_cache(Pending::default);
    let taken = pending.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Template { name, context }) = taken else { return };
    let visitor = Visitor::of(request, shared).await;
    let frame = Frame {
        current_user: match &visitor {
            Visitor::User(user) => Some(UserFrame {
                id: user.id.to_string(),
                email: user.email.as_str(),
                username: user.username.as_str(),
            }),
            Visitor::Anonymous | Visitor::Unavailable => None,
        },
        visitor_known: visitor.is_authenticated().is_ok(),
        flash: Flash::take(request, shared),
        site: &shared.site,
        request_id: request_id::of(request),
    };
    let context = context.and_then(|own| {
        let mut context = Context::from_serialize(frame).ok()?;
        if !own.is_null() {
            context.extend(Context::from_value(own).ok()?);
        }
        Some(context)
    });
    let rendered = context.ok_or(Status::InternalServerError).and_then(|context| {
        match shared.templates.render(&name, &context) {
            Some(rendered) => rendered.respond_to(request),
            // Another engine's, or nobody's.
            None => Engine::render(name.clone(), context.into_json()).respond_to(request),
        }
    });
    match rendered {
        Ok(rendered) => response.join(rendered),
        Err(_) => {
            let request_id = request_id::of(request);
            tracing::error!(template = %name, request_id, "a template could not be rendered");
            response.set_status(Status::InternalServerError);
            let text = "Something went wrong. It has been noted; please try again later.\n";
            response.set_sized_body(text.len(), std::io::Cursor::new(text));
        }
    }
}

/// What every template can show.
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
