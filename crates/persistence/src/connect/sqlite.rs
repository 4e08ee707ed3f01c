//! SQLite: one connection that writes, and some that read.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sea_orm::DatabaseConnection;
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::sqlx::{self, ConnectOptions};

use super::options::{Connections, Opening};
use crate::limits::ACQUIRE_TIMEOUT;

/// How long a statement waits for another program's writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(4);
const BUSY_PAUSE: Duration = Duration::from_millis(50);
const READERS: u32 = 8;

enum Place {
    Memory,
    File { path: PathBuf, create: bool },
}

pub(super) async fn connect(url: &str, opening: Opening) -> Result<Connections, String> {
    match place(url)? {
        Place::Memory => in_memory().await.map_err(|error| explained(&error)),
        Place::File { path, create } => {
            prepare(&path, create, opening)?;
            in_file(&path).await
        }
    }
}

/// Checks a URL without looking at the file.
pub(super) fn check(url: &str) -> Result<(), String> {
    place(url).map(drop)
}

/// Looks at the file without opening it as a database, which would change it. Returns what is not there yet.
pub(super) fn look(url: &str) -> Result<Option<String>, String> {
    let Place::File { path, create } = place(url)? else { return Ok(None) };
    if !path.exists() && left_behind(&path).is_none() {
        let has_parent = path.parent().is_none_or(Path::is_dir);
        // Whoever names a file that must be there may put it there later.
        return match has_parent {
            true => Ok((!create).then(|| format!("there is no file {}", path.display()))),
            false => prepare(&path, false, Opening::Making).map(|()| None),
        };
    }
    prepare(&path, false, Opening::Making)?;
    let mut start = Vec::new();
    let file = fs::File::open(&path).map_err(|error| error.to_string())?;
    file.take(16).read_to_end(&mut start).map_err(|error| error.to_string())?;
    match start.is_empty() || start == *b"SQLite format 3\0" {
        true => Ok(None),
        false => Err("the file is not an SQLite database".to_owned()),
    }
}

fn place(url: &str) -> Result<Place, String> {
    let allowed = "use sqlite://PATH, sqlite://PATH?mode=rwc to have the file made, or \
                   sqlite::memory:";
    let rest = url.strip_prefix("sqlite:").unwrap_or(url);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let mut create = false;
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        create = match parameter {
            "mode=rwc" => true,
            "mode=rw" => false,
            _ => {
                return Err(format!(
                    "a parameter is unknown; supported are mode=rw and mode=rwc; {allowed}"
                ));
            }
        };
    }
    match path {
        "" => Err(format!("it names no file; {allowed}")),
        ":memory:" => Ok(Place::Memory),
        _ => {
            let options = format!("sqlite:{path}").parse::<SqliteConnectOptions>();
            let options = options.map_err(|error| format!("{error}; {allowed}"))?;
            // A reader that is opened later must find the file, wherever the program has moved.
            let path = std::path::absolute(options.get_filename());
            Ok(Place::File { path: path.map_err(|error| error.to_string())?, create })
        }
    }
}

/// Looks for what SQLite would call "unable to open database file" whatever it is, and makes the
/// file if it may: for the eyes of its owner alone, since it holds password hashes. The files that
/// SQLite puts next to it are made like it.
fn prepare(path: &Path, create: bool, opening: Opening) -> Result<(), String> {
    // When a program closes a file, the system drops all locks that the program has on it, SQLite's
    // too. So an existing file is never opened here, and of two that want it made, one waits until
    // the other has closed it.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // Looked for first: what another program makes meanwhile is its file, and then this.
    let left_behind = left_behind(path);
    match (fs::metadata(path), left_behind) {
        (Ok(found), _) if found.is_dir() => return Err("it is a directory".to_owned()),
        (Ok(found), Some(Left::Log(log))) if found.len() == 0 => {
            return Err(orphaned("empty", &log));
        }
        (Ok(_), _) => return Ok(()),
        (Err(error), Some(Left::Log(left) | Left::Journal(left)))
            if error.kind() == ErrorKind::NotFound =>
        {
            return Err(orphaned("missing", &left));
        }
        (Err(error), None) if error.kind() == ErrorKind::NotFound => {}
        (Err(error), _) => return Err(error.to_string()),
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.is_dir()) {
        return Err(format!("there is no directory {}", parent.display()));
    }
    if opening == Opening::Finding {
        let path = path.display();
        return Err(format!("there is no file {path}; only `serve` and `migrate up` make one"));
    }
    if !create {
        return Err("there is no such file; add ?mode=rwc to have it made".to_owned());
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(_) => {
            // Whoever expected one to be there learns of it.
            let path = path.display();
            tracing::warn!(%path, "there was no database: a new one is made, with nobody in it");
            Ok(())
        }
    }
}

/// What SQLite puts next to a file while it is in use, and takes away when it is closed.
enum Left {
    Log(PathBuf),
    Journal(PathBuf),
}

/// Finds the log or journal that a program left when it did not end properly. It is useless without its
/// database file: SQLite would make a new database of that name, and delete it.
fn left_behind(path: &Path) -> Option<Left> {
    let beside = |ending| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let name = PathBuf::from(name);
        fs::metadata(&name).is_ok_and(|found| found.len() > 0).then_some(name)
    };
    beside("-wal").map(Left::Log).or_else(|| beside("-journal").map(Left::Journal))
}

fn orphaned(how: &str, left: &Path) -> String {
    format!(
        "the file is {how}, but a database was there, of which {} is left; put the file back, or move \
         that away to begin with an empty one",
        left.display()
    )
}

async fn in_memory() -> Result<Connections, sqlx::Error> {
    // Such a database belongs to one connection.
    let one: DatabaseConnection =
        pool(1).connect_with(options(Path::new(":memory:"))).await?.into();
    Ok(one.into())
}

async fn in_file(path: &Path) -> Result<Connections, String> {
    let writer = options(path).journal_mode(SqliteJournalMode::Wal);
    let writer = open(writer).await.map_err(|error| explained(&error))?;
    // A file system without shared memory leaves the old journal in place, and says nothing.
    let mode = sqlx::query_scalar::<_, String>("PRAGMA journal_mode").fetch_one(&writer).await;
    if mode.map_err(|error| explained(&error))? != "wal" {
        return Err("its file system cannot hold a write-ahead log".to_owned());
    }
    let reader = pool(READERS).connect_lazy_with(options(path).read_only(true));
    let reader = DatabaseConnection::from(reader);
    let aside = reader.clone();
    Ok(Connections { reader, aside, ..DatabaseConnection::from(writer).into() })
}

/// Opens the file for writing, and shows that it is a database that can be written. The change to
/// a write-ahead log is the one thing for which SQLite does not wait by itself.
async fn open(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let mut patience = BUSY_TIMEOUT;
    loop {
        match pool(1).connect_with(options.clone()).await {
            Err(error) if code(&error) == Some(5) && !patience.is_zero() => {
                patience = patience.saturating_sub(BUSY_PAUSE);
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            Err(error) => return Err(error),
            Ok(pool) => {
                // SQLite opens what it may not write for reading, and then takes even an immediate
                // transaction for one that reads; so the look includes a change, taken back.
                let look = "BEGIN IMMEDIATE; SELECT count(*) FROM sqlite_master; \
                            PRAGMA user_version = 0; ROLLBACK";
                sqlx::raw_sql(look).execute(&pool).await?;
                return Ok(pool);
            }
        }
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging()
}

fn pool(connections: u32) -> SqlitePoolOptions {
    // A connection to a file does not grow stale, and a database in memory goes with it.
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
}

fn explained(error: &sqlx::Error) -> String {
    let what = match code(error) {
        Some(5) => "another program keeps it locked",
        Some(8) => "it cannot be written",
        Some(11) => "the file is damaged",
        Some(14) => {
            "it cannot be opened; may this program read and write the file and its directory?"
        }
        Some(26) => "the file is not an SQLite database",
        _ => return error.to_string(),
    };
    what.to_owned()
}

/// Returns SQLite's primary result code.
fn code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<u32>().ok().map(|code| code & 0xff)
}
