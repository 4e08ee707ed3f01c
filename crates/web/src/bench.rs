//! Single steps of a request, for the micro-benchmarks in `crates/bench/benches`.

use std::error::Error;

use rocket_dyn_templates::tera::{Context, Tera};

use crate::render::templates;
use crate::request::cookies;

/// Returns the value of the one cookie called exactly `name`.
pub fn cookie<'h>(headers: &'h [&'h str], name: &str) -> Option<&'h str> {
    cookies::find(headers.iter().copied(), name)
}

/// Returns a function that renders one of our templates each time it is called.
///
/// # Errors
///
/// When `shown` is not an object.
pub fn renderer(
    template: &'static str,
    shown: serde_json::Value,
) -> Result<impl Fn() -> Option<String>, Box<dyn Error>> {
    let mut tera = Tera::default();
    templates::add_to(&mut tera, None)?;
    let context = Context::from_value(shown)?;
    Ok(move || tera.render(template, &context).ok())
}
