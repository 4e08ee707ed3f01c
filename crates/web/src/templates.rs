//! The pages' templates, compiled in.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rocket::fairing::Fairing;
use rocket::http::{ContentType, Status};
use rocket_dyn_templates::Template;
use rocket_dyn_templates::tera::{Context, Tera};

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

/// The templates as Rocket's template engine has loaded them: the application's and ours.
///
/// That engine turns whatever a template is to show into values of the configuration first, and
/// then into its own. That costs as much as a third of the rendering; this leaves it out.
#[derive(Clone, Default)]
pub(crate) struct Templates(Arc<RwLock<Arc<Tera>>>);

impl Templates {
    /// The template engine with our templates in it. A file `<name>.tera` below `overrides` stands
    /// for the one of that name.
    pub(crate) fn fairing(&self, overrides: Option<PathBuf>) -> impl Fairing + use<> {
        let Self(loaded) = self.clone();
        Template::try_custom(move |engines| {
            add_to(&mut engines.tera, overrides.as_deref())?;
            // In a debug build it comes here again when a file has changed.
            let tera = Arc::new(engines.tera.clone());
            *loaded.write().unwrap_or_else(PoisonError::into_inner) = tera;
            Ok(())
        })
    }

    /// The template called `name` with what it is to show; `None` when there is none of that name.
    pub(crate) fn render(
        &self,
        name: &str,
        context: &Context,
    ) -> Option<Result<(ContentType, String), Status>> {
        let tera = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let template = tera.get_template(name).ok()?;
        // `notes.html.tera` is a file, `blogs.html` one of ours.
        let path = template.path.as_deref().unwrap_or(name);
        let kind = Path::new(path.strip_suffix(".tera").unwrap_or(path)).extension();
        let kind = kind.and_then(|kind| ContentType::from_extension(kind.to_str()?));
        let rendered = tera.render(name, context).map_err(|error| {
            tracing::error!(causes = causes(&error), "a template cannot be rendered");
            Status::InternalServerError
        });
        Some(rendered.map(|text| (kind.unwrap_or(ContentType::Text), text)))
    }
}

fn causes(error: &(dyn Error + 'static)) -> String {
    let all = std::iter::successors(Some(error), |&error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Whether the templates in `overrides` can take the place of ours.
#[cfg(feature = "cli")]
pub(crate) fn check(overrides: &Path) -> Result<(), String> {
    add_to(&mut Tera::default(), Some(overrides)).map_err(|error| {
        let folder = overrides.display().to_string();
        format!("template_dir = {folder:?}: {}", causes(error.as_ref()))
    })
}

pub(crate) fn add_to(tera: &mut Tera, overrides: Option<&Path>) -> Result<(), Box<dyn Error>> {
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
