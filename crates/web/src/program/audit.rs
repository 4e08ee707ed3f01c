//! `countersign audit`: lists and checks the audit trail.

use countersign_auth::Auth;
use countersign_domain::{
    AuditFilter, AuditRecord, AuthEvent, AuthEventKind, OffsetDateTime, Reason, Subject, UserId,
};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Date, macros::format_description};

use super::cli::AuditVerb;
use super::failure::Failure;
use super::output::{self, hex};
use super::service::{find_by_email, with_auth};
use super::settings::{Settings, Span};
use super::verify;

/// Runs `countersign audit …`.
pub(crate) fn run(verb: AuditVerb, settings: &Settings) -> Result<(), Failure> {
    with_auth(settings, async |auth| match verb {
        AuditVerb::List { user, since, kind, limit, json } => {
            let filter = AuditFilter {
                user: match user {
                    Some(named) => Some(user_id(auth, &named).await?),
                    None => None,
                },
                kind: kind.as_deref().map(parse_kind).transpose()?,
                since: since.as_deref().map(|since| moment(since, auth.now())).transpose()?,
                before: None,
            };
            list(auth, filter, limit, json).await
        }
        AuditVerb::Verify { noted, state, json } => {
            verify::verify(auth, &noted, state.as_deref(), json).await
        }
    })
}

/// Reads a user's id, or finds it by email address. A deleted user has only the id.
async fn user_id(auth: &Auth, named: &str) -> Result<UserId, Failure> {
    match UserId::parse(named) {
        Some(id) => Ok(id),
        None => Ok(find_by_email(auth, named).await?.id),
    }
}

fn parse_kind(written: &str) -> Result<AuthEventKind, Failure> {
    let parsed = written.parse().ok().filter(|kind: &AuthEventKind| kind.is_known());
    parsed.ok_or_else(|| {
        let audited = AuthEventKind::ALL.iter().filter(|kind| kind.is_audited());
        let known: Vec<_> = audited.map(AuthEventKind::as_str).collect();
        Failure::new(format!("--kind {written:?} is not a kind: known are {}", known.join(", ")))
    })
}

fn moment(written: &str, now: OffsetDateTime) -> Result<OffsetDateTime, Failure> {
    if let Ok(at) = OffsetDateTime::parse(written, &Rfc3339) {
        return Ok(at);
    }
    if let Ok(day) = Date::parse(written, format_description!("[year]-[month]-[day]")) {
        return Ok(day.midnight().assume_utc());
    }
    let span = written.parse::<Span>().ok().and_then(|span| time::Duration::try_from(span.0).ok());
    span.and_then(|span| now.checked_sub(span)).ok_or_else(|| {
        Failure::new(format!(
            "--since {written:?} is not a moment: use a duration such as 7d, a day such as \
             2026-11-23, or a moment such as 2026-11-23T10:15:00Z"
        ))
    })
}

/// Shows the newest records in the order in which they happened.
async fn list(
    auth: &Auth,
    filter: AuditFilter,
    asked: Option<u32>,
    json: bool,
) -> Result<(), Failure> {
    /// The limit unless another is asked for, so that memory stays bounded.
    const MOST: u32 = 10_000;
    let limit = asked.unwrap_or(MOST);
    const PAGE: u32 = 1_000;
    let mut records: Vec<AuditRecord> = Vec::new();
    loop {
        let left = limit.saturating_sub(u32::try_from(records.len()).unwrap_or(u32::MAX));
        let before = records.last().map(|record| record.link.number);
        let page = auth.audit().records(AuditFilter { before, ..filter }, left.min(PAGE)).await;
        let page = page.map_err(|error| Failure::store(&error))?;
        if page.is_empty() {
            break;
        }
        records.extend(page);
    }
    if asked.is_none() && records.len() >= MOST as usize {
        output::note(&format!("only the newest {MOST} records are listed: use --limit for more"));
    }
    records.reverse();
    if json {
        return output::json(&records.iter().map(record_json).collect());
    }
    let rows: Vec<_> = records.iter().map(row).collect();
    let heading = ["NUMBER", "WHEN", "WHAT", "WHY", "BY", "USER", "ADDRESS"];
    output::table(heading, &rows)
}

fn written(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

fn row(record: &AuditRecord) -> [String; 7] {
    let event = &record.event;
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        record.link.number.to_string(),
        written(event.at),
        event.kind.to_string(),
        or_dash(event.reason.map(|reason| reason.to_string())),
        event.actor.kind.to_string(),
        or_dash(event.user.map(|user| user.to_string())),
        or_dash(event.client.address.map(|address| address.to_string())),
    ]
}

fn record_json(record: &AuditRecord) -> Value {
    let event = &record.event;
    json!({
        "number": record.link.number,
        "at": written(event.at),
        "kind": event.kind.as_str(),
        "outcome": outcome(event),
        "reason": event.reason.as_ref().map(Reason::as_str),
        "actor": event.actor.kind.as_str(),
        "actor_id": event.actor.user.map(|user| user.to_string()),
        "user_id": event.user.map(|user| user.to_string()),
        "session_id": event.session.map(|session| session.to_string()),
        "subject": event.subject.as_ref().map(Subject::as_str),
        "address": event.client.address,
        "user_agent": event.client.user_agent,
        "request_id": event.request_id,
        "hash": hex(&record.link.hash),
    })
}

/// Returns how it came out; `None` for an event that only a newer version can judge.
fn outcome(event: &AuthEvent) -> Option<&'static str> {
    let is_refusal = event.kind.is_refusal();
    event.kind.is_known().then_some(if is_refusal { "failure" } else { "success" })
}
