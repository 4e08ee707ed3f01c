use rocket::Request;
use rocket::response::{self, Responder};
use serde::Serialize;
use serde_json::Value;

use crate::render::page::page;
use crate::request::next::{Next, with_next};
use crate::site::Site;

/// What is particular to the form of one page. Its fields are those that the template gets beside
/// the ones of [`Form`]: `values`, what was typed less secrets, and whatever else the page shows.
pub(crate) trait FormPage: Serialize {
    /// The template's name.
    const TEMPLATE: &'static str;

    /// What the browser calls the page.
    const TITLE: &'static str;

    /// The path below our pages' base to which the form is sent.
    const ACTION: &'static str;

    /// What is wrong with the fields: a list of texts for each.
    type Errors: Default + Serialize;
}

/// A form as its template shows it.
#[derive(Serialize)]
pub(crate) struct Form<P: FormPage> {
    action: String,
    next: String,
    /// The same page, as the query of a link to another form: `?next=%2Fblogs`.
    next_query: String,
    pub(crate) errors: P::Errors,
    /// What is wrong with the form as a whole.
    pub(crate) message: Option<String>,
    #[serde(flatten)]
    pub(crate) page: P,
}

impl<P: FormPage> Form<P> {
    /// Builds a form with which nothing is wrong.
    pub(crate) fn new(site: Site<'_>, page: P) -> Self {
        Self {
            action: site.at(P::ACTION),
            next: String::new(),
            next_query: String::new(),
            errors: P::Errors::default(),
            message: None,
            page,
        }
    }

    /// Remembers the page that follows when the form is accepted.
    pub(crate) fn with_next(self, next: Option<Next>) -> Self {
        let next_query = with_next("", next.as_ref());
        Self { next: next.map(Next::into_string).unwrap_or_default(), next_query, ..self }
    }

    /// Returns the errors of those fields that have any.
    pub(crate) fn field_errors(&self) -> Option<Value> {
        let mut errors = serde_json::to_value(&self.errors).ok()?;
        errors.as_object_mut()?.retain(|_, texts| texts.as_array().is_some_and(|t| !t.is_empty()));
        Some(errors)
    }
}

impl<'r, P: FormPage> Responder<'r, 'static> for Form<P> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        page(P::TEMPLATE, P::TITLE, &View { form: &self }).respond_to(request)
    }
}

#[derive(Serialize)]
struct View<'a, P: FormPage> {
    form: &'a Form<P>,
}
