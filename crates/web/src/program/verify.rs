//! `countersign audit verify`: checks that the audit trail is whole.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use countersign_auth::{AuditCheck, AuditError, AuditProgress, Auth, NotedPlace};
use countersign_domain::{ChainLink, OffsetDateTime};
use serde_json::json;
use time::format_description::well_known::Rfc3339;

use super::failure::Failure;
use super::output::{self, hex};
use super::progress::Bar;

pub(super) async fn verify(
    auth: &Auth,
    noted: &[String],
    state: Option<&Path>,
    json: bool,
) -> Result<(), Failure> {
    let noted: Vec<_> =
        noted.iter().map(|written| parse_noted(written)).collect::<Result<_, _>>()?;
    let state = state.map(State::open).transpose()?;
    let after = state.as_ref().map(|state| state.begun);
    let report = {
        let bar = Bar::new();
        let tell = |progress: AuditProgress| {
            bar.draw("verifying", "audit trail", progress.records, progress.of);
            if let Some(state) = &state {
                state.keep(progress.place);
            }
        };
        let check = AuditCheck { noted: &noted, after, tell: Some(&tell) };
        auth.audit().verify(check).await.map_err(explain)?
    };
    if let Some(state) = state {
        state.end()?;
    }
    let end = format!("{}:{}", link(report.end.link), moment(report.end.at));
    if json {
        return output::json(&json!({
            "whole": true,
            "records": report.records,
            "removed_up_to": report.ends.removed.number,
            "end": end,
        }));
    }
    output::say(&format!("The audit trail is whole: {} records.", report.records))?;
    output::say(&format!(
        "It ends with {end}; keep a copy of that elsewhere, and pass it as --noted later."
    ))
}

/// Explains why the trail could not be verified.
pub(super) fn explain(error: AuditError) -> Failure {
    match error {
        AuditError::Broken(broken) => Failure::new(format!("the audit trail is broken: {broken}")),
        AuditError::Store(error) => Failure::store(&error),
    }
}

/// How far a check is, in a file, so that another one can go on there. It is gone when the trail was whole.
struct State {
    file: PathBuf,
    begun: ChainLink,
    failed: Mutex<Option<std::io::Error>>,
}

impl State {
    fn open(file: &Path) -> Result<Self, Failure> {
        let failed =
            |error: std::io::Error| Failure::new(format!("--state {}: {error}", file.display()));
        let begun = match fs::read_to_string(file) {
            Ok(written) => parse_link(written.trim_end()).ok_or_else(|| {
                Failure::new(format!(
                    "--state {} holds no place of a trail: delete it to check from the beginning",
                    file.display()
                ))
            })?,
            Err(error) if error.kind() == ErrorKind::NotFound => ChainLink::default(),
            Err(error) => return Err(failed(error)),
        };
        let state = Self { file: file.to_owned(), begun, failed: Mutex::default() };
        state.write(begun).map_err(failed)?;
        Ok(state)
    }

    /// Writes a place as a whole or not at all, whenever the program is killed.
    fn write(&self, place: ChainLink) -> std::io::Result<()> {
        let mut new = self.file.as_os_str().to_owned();
        new.push(".new");
        fs::write(&new, format!("{}\n", link(place)))?;
        fs::rename(&new, &self.file)
    }

    fn keep(&self, place: ChainLink) {
        if let Err(error) = self.write(place) {
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    }

    fn end(self) -> Result<(), Failure> {
        let failed = self.failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let ended = failed.map_or_else(|| fs::remove_file(&self.file), Err);
        ended.map_err(|error| Failure::new(format!("--state {}: {error}", self.file.display())))
    }
}

fn link(link: ChainLink) -> String {
    format!("{}:{}", link.number, hex(&link.hash))
}

fn moment(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

fn parse_link(written: &str) -> Option<ChainLink> {
    let (number, hash) = written.split_once(':')?;
    Some(ChainLink { number: number.parse().ok()?, hash: ChainLink::parse_hash(hash)? })
}

fn parse_noted(written: &str) -> Result<NotedPlace, Failure> {
    let parts = written.match_indices(':').nth(1).and_then(|(second, _)| {
        let (place, at) = (written.get(..second)?, written.get(second + 1..)?);
        let at = OffsetDateTime::parse(at, &Rfc3339).ok()?;
        Some(NotedPlace { link: parse_link(place)?, at })
    });
    parts.ok_or_else(|| {
        Failure::new(format!(
            "--noted {written:?} is not the end of a trail: use NUMBER:HASH:WHEN as `audit verify` prints it"
        ))
    })
}
