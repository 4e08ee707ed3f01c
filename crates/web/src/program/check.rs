//! `countersign config check`: finds what `serve` would find, and changes nothing.

use countersign_persistence::SqlStore;

use super::failure::Failure;
use super::output;
use super::service::block_on;
use super::settings::Settings;
use crate::render::templates;

/// Checks what the configuration names, beyond what was checked when it was read.
pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    if let Some(folder) = &settings.template_dir {
        templates::check(folder).map_err(Failure::new)?;
    }
    let look = async { SqlStore::look(settings.database_url()).await.map_err(Failure::new) };
    if let Some(absent) = block_on(look)? {
        output::note(&format!("the database could not be checked: {absent}"));
    }
    output::say("The configuration is valid.")
}
