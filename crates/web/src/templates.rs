//! The pages' templates, compiled in.

use std::error::Error;
use std::path::{Path, PathBuf};

use rocket::fairing::Fairing;
use rocket_dyn_templates::{Engines, Template};

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../templates/", $name, ".tera")))),*]
    };
}

/// Their names end in `.html`, which makes them HTML to Rocket.
const EMBEDDED: &[(&str, &str)] = embedded![
    "base.html",
    "home.html",
    "blogs.html",
    "auth/login.html",
    "auth/logout.html",
    "auth/register.html",
    "error/page.html",
    "macros/forms.html",
];

/// The template engine with our templates in it. A file `<name>.tera` below `overrides` stands for
/// the one of that name.
pub(crate) fn fairing(overrides: Option<PathBuf>) -> impl Fairing {
    Template::try_custom(move |engines| add_to(engines, overrides.as_deref()))
}

fn add_to(engines: &mut Engines, overrides: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let mut templates = Vec::new();
    for (name, embedded) in EMBEDDED {
        let own = overrides.map(|folder| folder.join(format!("{name}.tera")));
        let text = match own.filter(|file| file.is_file()) {
            Some(file) => std::fs::read_to_string(&file)
                .map_err(|error| format!("{} cannot be read: {error}", file.display()))?,
            None => (*embedded).to_owned(),
        };
        templates.push((*name, text));
    }
    // Tera goes by the name: one that ends in nothing special would not be escaped.
    engines.tera.autoescape_on(vec![""]);
    // All at once, because they extend each other.
    engines.tera.add_raw_templates(templates)?;
    Ok(())
}
