use countersign_domain::{Actor, AuditRecord};
use rocket::get;

use crate::error::PageError;
use crate::guards::CurrentUser;
use crate::state::Site;
use crate::user_agent;
use crate::views::{ActivityEntry, ActivityView, Page};
use crate::wording;

/// How many events a page shows.
const PAGE: u32 = 50;

/// What has happened to the user's account, the newest first; `before` goes back in time.
#[get("/account/activity?<before>")]
pub(crate) async fn list(
    site: Site<'_>,
    me: CurrentUser<'_>,
    before: Option<u64>,
) -> Result<Page<ActivityView>, PageError> {
    let records = site.auth.activity(me.id, before, PAGE + 1).await;
    let mut records = records.map_err(|error| PageError::outage(&error, site.request))?;
    let has_older = records.len() > PAGE as usize;
    records.truncate(PAGE as usize);
    let last = records.last().map(|record| record.link.number).filter(|_| has_older);
    let here = site.at("/account/activity");
    Ok(Page(ActivityView {
        entries: records.iter().map(entry).collect(),
        newest: before.map(|_| here.clone()),
        older: last.map(|number| format!("{here}?before={number}")),
    }))
}

fn entry(record: &AuditRecord) -> ActivityEntry {
    let event = &record.event;
    let by_administrator = event.actor == Actor::Administrator;
    let address = event.client.address.map(|address| match record.salt {
        Some(_) => address.to_string(),
        None => format!("around {address}"),
    });
    let browser = event.client.user_agent.as_deref();
    ActivityEntry {
        what: wording::event(event.kind, event.reason),
        is_warning: event.kind.is_refusal(),
        at: wording::moment(event.at),
        browser: (!by_administrator).then(|| user_agent::in_words(browser)),
        address,
        by_administrator,
    }
}
