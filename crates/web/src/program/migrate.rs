use std::io::Write;

use countersign_migration::Progress;
use countersign_persistence::SqlStore;

use super::cli::MigrateVerb;
use super::failure::Failure;
use super::output;
use super::service::block_on;
use super::settings::Settings;

/// Runs `countersign migrate …`.
pub(crate) fn run(verb: MigrateVerb, settings: &Settings) -> Result<(), Failure> {
    block_on(async {
        let database = SqlStore::connect(settings.database_url()).await.map_err(Failure::new)?;
        let db = database.connection();
        let done = match verb {
            MigrateVerb::Up => {
                let applied =
                    countersign_migration::up_telling(db, tell).await.map_err(Failure::new)?;
                report("applied", &applied, "The schema is up to date.")
            }
            MigrateVerb::Down { steps } => {
                let reverted =
                    countersign_migration::down(db, steps).await.map_err(Failure::new)?;
                report("reverted", &reverted, "There is nothing to revert.")
            }
            MigrateVerb::Status { json } => {
                let status = countersign_migration::status(db).await.map_err(Failure::new)?;
                show_status(&status, json)
            }
        };
        database.close().await;
        done
    })
}

/// Reports the progress of migrations on standard error.
pub(super) fn tell(progress: Progress<'_>) {
    let Progress { name, number, of, taken } = progress;
    let line = format!("applying {name} ({number} of {of}), {} s", taken.as_secs());
    // Whoever closed standard error does not want to see it.
    writeln!(std::io::stderr(), "{line}").ok();
}

fn report(done: &str, names: &[String], nothing: &str) -> Result<(), Failure> {
    if names.is_empty() {
        return output::say(nothing);
    }
    names.iter().try_for_each(|name| output::say(&format!("{done} {name}")))
}

fn show_status(status: &[(String, bool)], json: bool) -> Result<(), Failure> {
    let word = |applied: &bool| if *applied { "applied" } else { "pending" };
    if json {
        let rows = status.iter();
        let rows = rows.map(|(name, on)| serde_json::json!({ "name": name, "status": word(on) }));
        return output::json(&rows.collect());
    }
    status.iter().try_for_each(|(name, on)| output::say(&format!("{} {name}", word(on))))
}
