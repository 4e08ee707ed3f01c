//! `countersign export`: copies the site into another database.

use countersign_auth::{AuditCheck, Auth};
use countersign_domain::Store;
use countersign_persistence::{ComparedTable, ExportError, SqlStore};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::Path;

use super::cli::{Target, no_target};
use super::failure::Failure;
use super::migrate;
use super::output::{self, hex};
use super::progress::Bar;
use super::service::{NO_SITE, block_on};
use super::settings::sources::{EXPORT_TO, EXPORT_TO_FILE, variable};
use super::settings::{DatabaseUrl, Secret, Settings, secret};
use super::verify::explain;

/// Returns the database to fill, from wherever it is named. What cannot be read is said without a word of
/// what is in it.
pub(crate) fn target(named: &Target) -> Result<Secret<DatabaseUrl>, Failure> {
    let of_environment = |name| variable(&format!("COUNTERSIGN_{name}"));
    let read = if let Some(to) = &named.to {
        return Ok(to.clone());
    } else if let Some(path) = &named.to_file {
        read_file(path)?
    } else if named.to_stdin {
        first_line(stdin())?
    } else if let Some(url) = of_environment(EXPORT_TO) {
        url.into_string().map_err(|_| Failure::new("COUNTERSIGN_EXPORT_TO is not text"))?
    } else if let Some(path) = of_environment(EXPORT_TO_FILE) {
        read_file(Path::new(&path))?
    } else {
        no_target()
    };
    read.trim().parse().map_err(Failure::new)
}

fn read_file(path: &Path) -> Result<String, Failure> {
    let cannot = |error| Failure::new(format!("{} cannot be read: {error}", path.display()));
    secret::read(path).map_err(cannot)
}

/// Reads the first line of standard input, of which no more than a URL is read.
fn first_line(from: impl Read) -> Result<String, Failure> {
    const MOST: u64 = 8 * 1024;
    let mut line = String::new();
    let read = BufReader::new(from.take(MOST)).read_line(&mut line);
    read.map_err(|error| Failure::new(format!("standard input cannot be read: {error}")))?;
    Ok(line)
}

/// Copies the configured database into the one at `to`, and compares both.
pub(crate) fn run(
    to: &Secret<DatabaseUrl>,
    json: bool,
    settings: &Settings,
) -> Result<(), Failure> {
    let url = to.expose().as_str();
    if url == settings.database_url() {
        return Err(Failure::new(
            "that is the configured database itself: name another one to fill",
        ));
    }
    block_on(async {
        let source = SqlStore::find(settings.database_url()).await.map_err(Failure::new)?;
        check_source(&source).await?;
        let target = SqlStore::connect(url).await.map_err(Failure::new)?;
        let foreign = |table: &str| {
            Failure::new(format!(
                "{to:?} is not empty: its table {table} holds data that is not part of this site; name \
                 an empty database"
            ))
        };
        prepare(&target, &foreign).await?;
        let compared = {
            let bar = Bar::new();
            let tell = |progress| bar.show(progress);
            let explain = |error| match error {
                ExportError::Foreign { table } => foreign(table),
                ExportError::Source(error) => {
                    at("the configured database", &Failure::store(&error))
                }
                ExportError::Target(error) => at("the database to fill", &Failure::store(&error)),
            };
            source.copy_into(&target, &tell).await.map_err(explain)?;
            source.compare_with(&target, &tell).await.map_err(explain)?
        };
        let report = report(&compared, json).and(check_same(&compared));
        let done = match report {
            Ok(()) => verify_trail(&target, settings).await,
            Err(failure) => Err(failure),
        };
        source.close().await;
        target.close().await;
        done
    })
}

fn at(which: &str, failure: &Failure) -> Failure {
    Failure::new(format!("{which}: {failure}; the same command continues where this one ended"))
}

/// Checks that the source holds a site of this version. The source is never changed, not even its
/// schema.
async fn check_source(source: &SqlStore) -> Result<(), Failure> {
    let status = countersign_migration::status(source.connection()).await;
    let status = status.map_err(Failure::new)?;
    if status.iter().all(|(_, applied)| *applied) {
        return Ok(());
    }
    Err(Failure::new(match status.iter().any(|(_, applied)| *applied) {
        true => {
            "the configured database is of an older version: run `countersign migrate up` first"
        }
        false => NO_SITE,
    }))
}

/// Brings the target's schema up to date. A target of an older version that has users is another
/// site's.
async fn prepare(target: &SqlStore, foreign: impl Fn(&str) -> Failure) -> Result<(), Failure> {
    let db = target.connection();
    let status = countersign_migration::status(db).await.map_err(Failure::new)?;
    let applied = status.iter().filter(|(_, applied)| *applied).count();
    if (1..status.len()).contains(&applied)
        && target.has_users().await.map_err(|error| Failure::store(&error))?
    {
        return Err(foreign("users"));
    }
    countersign_migration::up_telling(db, migrate::tell).await.map_err(Failure::new).map(drop)
}

fn report(compared: &[ComparedTable], json: bool) -> Result<(), Failure> {
    if json {
        return output::json(&json!({
            "same": compared.iter().all(ComparedTable::is_same),
            "tables": compared.iter().map(table_json).collect::<Vec<_>>(),
        }));
    }
    let rows: Vec<_> = compared.iter().map(row).collect();
    output::table(["TABLE", "ROWS", "DIGEST", "IN THE COPY"], &rows)
}

fn table_json(compared: &ComparedTable) -> Value {
    json!({
        "table": compared.table,
        "rows": compared.source.rows,
        "digest": hex(&compared.source.digest),
        "copied_rows": compared.target.rows,
        "copied_digest": hex(&compared.target.digest),
        "same": compared.is_same(),
    })
}

fn row(compared: &ComparedTable) -> [String; 4] {
    let short = |digest: &[u8; 32]| hex(digest).chars().take(16).collect::<String>();
    let (source, target) = (&compared.source, &compared.target);
    let copy = if compared.is_same() {
        "the same".to_owned()
    } else {
        format!("different: {} rows, {}", target.rows, short(&target.digest))
    };
    [compared.table.to_owned(), source.rows.to_string(), short(&source.digest), copy]
}

fn check_same(compared: &[ComparedTable]) -> Result<(), Failure> {
    let different = compared.iter().filter(|table| !table.is_same());
    let names: Vec<_> = different.map(|table| table.table).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the copy differs in {}: stop whatever uses one of the two databases, empty the \
         database that was filled and begin again",
        names.join(", ")
    )))
}

async fn verify_trail(target: &SqlStore, settings: &Settings) -> Result<(), Failure> {
    let auth = Auth::with(target.clone(), target.clock(), settings.auth()).map_err(Failure::new)?;
    auth.audit().verify(AuditCheck::default()).await.map_err(explain).map(drop)
}
