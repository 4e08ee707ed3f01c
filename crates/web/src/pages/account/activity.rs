use countersign_domain::{ActorKind, AuditRecord};
use rocket::get;
use serde::Serialize;

use crate::answer::page_error::PageError;
use crate::guards::current_user::CurrentUser;
use crate::render::page::page;
use crate::render::template::Template;
use crate::render::{user_agent, wording};
use crate::site::Site;

/// How many events a page shows.
const PAGE: u32 = 50;

#[derive(Serialize)]
struct ActivityView {
    entries: Vec<Entry>,
    newest: Option<String>,
    older: Option<String>,
}

#[derive(Serialize)]
struct Entry {
    what: String,
    is_warning: bool,
    at: String,
    browser: Option<String>,
    address: Option<String>,
    by_administrator: bool,
}

/// Lists what happened to the user's account, newest first; `before` goes back in time.
#[get("/account/activity?<before>")]
pub(crate) async fn list(
    site: Site<'_>,
    me: CurrentUser<'_>,
    before: Option<u64>,
) -> Result<Template, PageError> {
    let records = site.auth.audit().activity(me.id, before, PAGE + 1).await;
    let mut records = records.map_err(|error| PageError::outage(site, &error))?;
    let has_older = records.len() > PAGE as usize;
    records.truncate(PAGE as usize);
    let last = records.last().map(|record| record.link.number).filter(|_| has_older);
    let here = site.at("/account/activity");
    let view = ActivityView {
        entries: records.iter().map(entry).collect(),
        newest: before.map(|_| here.clone()),
        older: last.map(|number| format!("{here}?before={number}")),
    };
    Ok(page("account/activity.html", "Activity", &view))
}

fn entry(record: &AuditRecord) -> Entry {
    let event = &record.event;
    let by_administrator =
        matches!(event.actor.kind, ActorKind::Administrator | ActorKind::CommandLine);
    let address = event.client.address.map(|address| match record.salt {
        Some(_) => address.to_string(),
        None => format!("around {address}"),
    });
    let browser = event.client.user_agent.as_deref();
    Entry {
        what: wording::event(event.kind, event.reason),
        is_warning: event.kind.is_refusal(),
        at: wording::moment(event.at),
        browser: (!by_administrator).then(|| user_agent::in_words(browser)),
        address,
        by_administrator,
    }
}
