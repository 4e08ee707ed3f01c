//! Where a configuration comes from: compiled-in defaults, then a file, then the environment.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use rocket::Config;
use rocket::config::{Ident, LogLevel, Shutdown};
use rocket::figment::providers::{Env, Format, Serialized, Toml};
use rocket::figment::{Figment, Profile};

use super::secret::HIDDEN;
use super::service;
use crate::program::failure::Failure;

/// The configuration file, if nothing else is named. It need not exist.
const DEFAULT_FILE: &str = "config/Rocket.toml";

/// The variables that name the database that an export fills, after their prefix. They name no key.
pub(crate) const EXPORT_TO: &str = "EXPORT_TO";
pub(crate) const EXPORT_TO_FILE: &str = "EXPORT_TO_FILE";

/// Returns Rocket's defaults as this program changes them.
pub(crate) fn defaults() -> Figment {
    defaults_of(Config::default())
}

fn defaults_of(rockets: Config) -> Figment {
    let quiet = Config {
        // Rocket's own default for a release logs no login.
        log_level: LogLevel::Normal,
        ident: Ident::none(),
        ip_header: None,
        cli_colors: false,
        // Long enough for a queued login to be answered.
        shutdown: Shutdown { grace: 10, mercy: 5, ..Default::default() },
        ..rockets
    };
    Figment::from(Serialized::defaults(quiet))
}

/// Collects all sources; later ones win.
pub(crate) fn collect(file: Option<&Path>) -> Result<Figment, Failure> {
    let mut figment = defaults();
    let chosen = file.map(Path::to_path_buf).or_else(|| variable("ROCKET_CONFIG").map(Into::into));
    let named = chosen.is_some();
    let path = chosen.unwrap_or_else(|| DEFAULT_FILE.into());
    // A link that leads nowhere is there too.
    if named || path.symlink_metadata().is_ok() {
        check_file(&path)?;
        figment = figment.merge(Toml::file_exact(path).nested());
    }
    // The export reads its own.
    let ours = Env::prefixed("COUNTERSIGN_").ignore(&[EXPORT_TO, EXPORT_TO_FILE]);
    let services = service::variables(ours.iter());
    let ours = ours.filter(move |name| !services.iter().any(|service| name == service.as_str()));
    let ours = ours.map(|name| own_key(name.as_str()).into()).global();
    let plain = Env::raw().only(&["DATABASE_URL"]).map(|_| "countersign.database_url".into());
    let rocket = Env::prefixed("ROCKET_").ignore(&["CONFIG", "PROFILE"]);
    for variables in [&rocket, &plain, &ours] {
        if let Some((key, _)) = variables.iter().find(|(_, value)| !is_readable(value)) {
            let key = key.as_str().trim_start_matches("countersign.");
            return Err(Failure::new(format!(
                "{key} = {HIDDEN} is not allowed: use no backslash in a text with letters beyond \
                 ASCII (in the environment)"
            )));
        }
    }
    figment = figment.merge(rocket.global()).merge(plain.global()).merge(ours);
    let profile = Profile::from_env_or("ROCKET_PROFILE", Config::DEFAULT_PROFILE);
    Ok(figment.select(profile))
}

/// Refuses what is no file that can be read.
fn check_file(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    let why = match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            "is a folder: name a file, such as config/Rocket.toml".to_owned()
        }
        Ok(_) => match fs::File::open(path) {
            Ok(_) => return Ok(()),
            Err(error) => format!("cannot be read: {error}"),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            "does not exist: name one that does, or none".to_owned()
        }
        Err(error) => format!("cannot be read: {error}"),
    };
    Err(Failure::new(format!("the configuration file {shown} {why}")))
}

/// Returns the key that an environment variable names after its prefix.
pub(crate) fn own_key(name: &str) -> String {
    format!("countersign.{}", name.replace("__", "."))
}

/// Returns whether Figment 0.10 can read the value of a variable. In quoted text it takes the number of the
/// first escaped character for its place in bytes, which loses text or panics.
pub(crate) fn is_readable(value: &str) -> bool {
    let is_quoted = value.trim_start().starts_with(['"', '[', '{']);
    !is_quoted || value.is_ascii() || !value.contains('\\')
}

#[expect(clippy::disallowed_methods, reason = "the configuration begins here")]
pub(crate) fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_by_default_does_not_depend_on_the_build() {
        for rockets in [Config::debug_default(), Config::release_default()] {
            let config = defaults_of(rockets).extract::<Config>().unwrap();
            assert_eq!(config.log_level, LogLevel::Normal);
        }
    }
}
