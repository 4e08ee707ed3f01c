use std::io::Write;

use countersign_migration::{DbErr, Progress};
use countersign_persistence::SqlStore;

use super::cli::MigrateVerb;
use super::consent::Consent;
use super::failure::Failure;
use super::output;
use super::service::block_on;
use super::settings::Settings;

/// Runs `countersign migrate …`.
pub(crate) fn run(verb: MigrateVerb, settings: &Settings) -> Result<(), Failure> {
    let consent = match verb {
        MigrateVerb::Down { yes, .. } => Some(Consent::of(yes)?),
        _ => None,
    };
    block_on(async {
        let url = settings.database_url();
        let database = match verb {
            MigrateVerb::Up => SqlStore::connect(url).await,
            _ => SqlStore::find(url).await,
        };
        let database = database.map_err(Failure::new)?;
        let db = database.connection();
        let done = match verb {
            MigrateVerb::Up => {
                let applied =
                    countersign_migration::up_telling(db, tell).await.map_err(Failure::new)?;
                report("applied", &applied, "The schema is up to date.")
            }
            MigrateVerb::Down { steps, .. } => down(&database, steps, consent).await,
            MigrateVerb::Status { json } => {
                let status = countersign_migration::status(db).await.map_err(Failure::new)?;
                show_status(&status, json)
            }
        };
        database.close().await;
        done
    })
}

async fn down(database: &SqlStore, steps: u32, consent: Option<Consent>) -> Result<(), Failure> {
    let db = database.connection();
    let names = countersign_migration::last(db, steps).await.map_err(|error| match error {
        // What it says is a sentence of ours.
        DbErr::Custom(why) => Failure::new(why),
        error => Failure::new(error),
    })?;
    if let Some(consent) = consent {
        let names = names.join(", ");
        consent.to(&format!("Revert {names}, and lose the data that they hold?"))?;
    }
    let reverted = countersign_migration::down(db, steps).await.map_err(Failure::new)?;
    report("reverted", &reverted, "There is nothing to revert.")
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
