use serde::Serialize;

use crate::render::template::Template;

/// What a template is given, with what the browser calls the page.
#[derive(Serialize)]
struct Titled<'a, V> {
    page_title: &'a str,
    #[serde(flatten)]
    view: &'a V,
}

/// Shows `view` in one of our templates.
pub(crate) fn page(template: &'static str, title: &str, view: &impl Serialize) -> Template {
    Template::render(template, Titled { page_title: title, view })
}
