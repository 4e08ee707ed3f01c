//! The templates of the pages, compiled in.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rocket::fairing::Fairing;
use rocket::http::{ContentType, Status};
use rocket_dyn_templates::Template;
use rocket_dyn_templates::tera::{Context, Tera};

use crate::answer::status;

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../templates/", $name, ".tera")))),*]
    };
}

/// The names end in `.html`, by which Rocket takes them for HTML.
const EMBEDDED: &[(&str, &str)] = embedded![
    "base.html",
    "home.html",
    "blogs.html",
    "account/activity.html",
    "account/delete.html",
    "account/email.html",
    "account/password.html",
    "account/profile.html",
    "account/sessions.html",
    "account/username.html",
    "auth/login.html",
    "auth/logout.html",
    "auth/reauthenticate.html",
    "auth/register.html",
    "auth/verify.html",
    "error/page.html",
    "macros/forms.html",
];

/// The templates as Rocket's template engine has loaded them: the application's and ours.
///
/// That engine converts what a template shows into configuration values first, and then into its
/// own values. Rendering without that detour takes a third less time.
#[derive(Clone, Default)]
pub(crate) struct Templates(Arc<RwLock<Arc<Tera>>>);

impl Templates {
    /// Returns the template engine with our templates in it. A file `<name>.tera` below `overrides`
    /// replaces our template of that name.
    pub(crate) fn fairing(&self, overrides: Option<PathBuf>) -> impl Fairing + use<> {
        let Self(loaded) = self.clone();
        Template::try_custom(move |engines| {
            add_to(&mut engines.tera, overrides.as_deref())?;
            // A debug build calls this again when a file has changed.
            let tera = Arc::new(engines.tera.clone());
            *loaded.write().unwrap_or_else(PoisonError::into_inner) = tera;
            Ok(())
        })
    }

    /// Renders the template `name` with `context`; `None` if there is no such template.
    pub(crate) fn render(
        &self,
        name: &str,
        context: &Context,
    ) -> Option<Result<(ContentType, String), Status>> {
        let tera = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let template = tera.get_template(name).ok()?;
        // A file has a path, such as `notes.html.tera`; ours have only a name, such as `blogs.html`.
        let path = template.path.as_deref().unwrap_or(name);
        let kind = Path::new(path.strip_suffix(".tera").unwrap_or(path)).extension();
        let kind = kind.and_then(|kind| ContentType::from_extension(kind.to_str()?));
        let rendered = tera.render(name, context).map_err(|error| {
            tracing::error!(causes = causes(&error), "a template cannot be rendered");
            status::NOT_RENDERED
        });
        Some(rendered.map(|text| (kind.unwrap_or(ContentType::Text), text)))
    }
}

fn causes(error: &(dyn Error + 'static)) -> String {
    let all = std::iter::successors(Some(error), |&error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Checks that the templates in `overrides` can replace ours.
#[cfg(feature = "cli")]
pub(crate) fn check(overrides: &Path) -> Result<(), String> {
    add_to(&mut Tera::default(), Some(overrides)).map_err(|error| {
        let folder = overrides.display().to_string();
        format!("template_dir = {folder:?}: {}", causes(error.as_ref()))
    })
}

/// Adds our templates to `tera`, with those that `overrides` replaces.
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
    // Tera decides by the end of a name whether to escape; the empty end matches every template.
    tera.autoescape_on(vec![""]);
    // All at once, because they extend each other.
    tera.add_raw_templates(templates)?;
    Ok(())
}
