//! The pages' templates, compiled in.

use std::error::Error;
use std::path::{Path, PathBuf};

use rocket::fairing::Fairing;
use rocket_dyn_templates::Template;
use rocket_dyn_templates::tera::Tera;

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
    "account/activity.html",
    "account/delete.html",
    "account/password.html",
    "account/profile.html",
    "account/sessions.html",
    "auth/login.html",
    "auth/logout.html",
    "auth/reauthenticate.html",
    "auth/register.html",
    "error/page.html",
    "macros/forms.html",
];

/// The template engine with our templates in it. A file `<name>.tera` below `overrides` stands for
/// the one of that name.
pub(crate) fn fairing(overrides: Option<PathBuf>) -> impl Fairing {
    Template::try_custom(move |engines| add_to(&mut engines.tera, overrides.as_deref()))
}

/// Whether the templates in `overrides` can take the place of ours.
#[cfg(feature = "cli")]
pub(crate) fn check(overrides: &Path) -> Result<(), String> {
    add_to(&mut Tera::default(), Some(overrides)).map_err(|error| {
        let mut causes = vec![error.to_string()];
        let mut cause = error.source();
        while let Some(deeper) = cause {
            causes.push(deeper.to_string());
            cause = deeper.source();
        }
        format!("template_dir = {:?}: {}", overrides.display().to_string(), causes.join(": "))
    })
}

fn add_to(tera: &mut Tera, overrides: Option<&Path>) -> Result<(), Box<dyn Error>> {
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
    tera.autoescape_on(vec![""]);
    // All at once, because they extend each other.
    tera.add_raw_templates(templates)?;
    Ok(())
}
