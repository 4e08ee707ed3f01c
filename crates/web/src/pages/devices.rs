use std::collections::HashSet;

use countersign_domain::{Client, Remembered, RememberedId, Session, SessionId, StoreError};
use rocket::{get, post};

use crate::caller::caller;
use crate::error::PageError;
use crate::flash::Flash;
use crate::guards::CurrentUser;
use crate::pages::SeeOther;
use crate::state::Site;
use crate::user_agent;
use crate::views::{DeviceView, Page, SessionsView};
use crate::wording;

/// Where the user is logged in or remembered.
#[get("/account/sessions")]
pub(crate) async fn list(
    site: Site<'_>,
    me: CurrentUser<'_>,
) -> Result<Page<SessionsView>, PageError> {
    let devices = devices(&site, me).await;
    let sessions = devices.map_err(|error| PageError::outage(&error, site.request))?;
    let has_others = sessions.iter().any(|device| !device.current);
    let revoke_others = has_others.then(|| site.at("/account/sessions/revoke-others"));
    Ok(Page(SessionsView { sessions, revoke_others }))
}

/// Logs one device out. An id that is not one of the user's is not there.
#[post("/account/sessions/<id>/revoke")]
pub(crate) async fn revoke(
    site: Site<'_>,
    me: CurrentUser<'_>,
    id: &str,
) -> Result<SeeOther, PageError> {
    let caller = caller(site.request, site.shared);
    let outage = |error: StoreError| PageError::outage(&error, site.request);
    let is_session = match SessionId::parse(id) {
        Some(id) => site.auth.revoke(me.id, id, &caller).await.map_err(outage)?,
        None => false,
    };
    let is_known = match RememberedId::parse(id) {
        Some(id) if !is_session => {
            site.auth.revoke_remembered(me.id, id, &caller).await.map_err(outage)?
        }
        _ => is_session,
    };
    if !is_known {
        return Err(PageError::NOT_FOUND);
    }
    Flash::SessionRevoked.leave(site.request, site.shared);
    Ok(SeeOther::to(site.at("/account/sessions")))
}

/// Logs all other devices out.
#[post("/account/sessions/revoke-others")]
pub(crate) async fn revoke_others(
    site: Site<'_>,
    me: CurrentUser<'_>,
) -> Result<SeeOther, PageError> {
    let caller = caller(site.request, site.shared);
    let ended = site.auth.revoke_all(me.id, Some(me.session().id), &caller).await;
    ended.map_err(|error| PageError::outage(&error, site.request))?;
    Flash::OthersRevoked.leave(site.request, site.shared);
    Ok(SeeOther::to(site.at("/account/sessions")))
}

/// This device first, then those with a session, then those that would get a new one.
async fn devices(site: &Site<'_>, me: CurrentUser<'_>) -> Result<Vec<DeviceView>, StoreError> {
    let mut sessions = site.auth.sessions(me.id).await?;
    sessions.sort_by_key(|session| session.id != me.session().id);
    let awake: HashSet<_> = sessions.iter().filter_map(|session| session.remembered).collect();
    let asleep = site.auth.remembered(me.id).await?;
    let asleep = asleep.iter().filter(|remembered| !awake.contains(&remembered.id));
    let live = sessions.iter().map(|session| of_session(site, session, me));
    Ok(live.chain(asleep.map(|remembered| of_remembered(site, remembered))).collect())
}

fn of_session(site: &Site<'_>, session: &Session, me: CurrentUser<'_>) -> DeviceView {
    DeviceView {
        first_seen: wording::moment(session.created_at),
        last_seen: wording::moment(session.last_seen_at),
        current: session.id == me.session().id,
        remembered: session.remembered.is_some(),
        ..of_client(site, &session.client, &session.id.to_string())
    }
}

fn of_remembered(site: &Site<'_>, remembered: &Remembered) -> DeviceView {
    DeviceView {
        first_seen: wording::moment(remembered.created_at),
        last_seen: wording::moment(remembered.used_at),
        remembered: true,
        ..of_client(site, &remembered.client, &remembered.id.to_string())
    }
}

fn of_client(site: &Site<'_>, client: &Client, id: &str) -> DeviceView {
    DeviceView {
        browser: user_agent::in_words(client.user_agent.as_deref()),
        address: client.address.map(|address| address.to_string()).unwrap_or_default(),
        revoke: site.at(&format!("/account/sessions/{id}/revoke")),
        ..DeviceView::default()
    }
}
