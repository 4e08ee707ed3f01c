use std::collections::HashSet;

use countersign_domain::{Client, Remembered, RememberedId, Session, SessionId, StoreError};
use rocket::{get, post};
use serde::Serialize;

use crate::answer::flash::Flash;
use crate::answer::page_error::PageError;
use crate::answer::redirect::SeeOther;
use crate::guards::current_user::CurrentUser;
use crate::render::template::Template;
use crate::render::{self, user_agent, wording};
use crate::site::Site;

/// How many devices a page shows.
const PAGE: usize = 50;

#[derive(Serialize)]
struct DevicesView {
    sessions: Vec<DeviceView>,
    revoke_others: Option<String>,
    more: Option<String>,
    first: Option<String>,
}

/// Where a user is logged in, or only remembered.
enum Device {
    Awake(Session),
    Asleep(Remembered),
}

#[derive(Default, Serialize)]
struct DeviceView {
    browser: String,
    address: String,
    first_seen: String,
    last_seen: String,
    current: bool,
    remembered: bool,
    revoke: String,
}

/// Lists where the user is logged in or remembered.
#[get("/account/sessions?<page>")]
pub(crate) async fn list(
    site: Site<'_>,
    me: CurrentUser<'_>,
    page: Option<usize>,
) -> Result<Template, PageError> {
    let devices = devices(site, me).await;
    let devices = devices.map_err(|error| PageError::outage(site, &error))?;
    let here = site.at("/account/sessions");
    let number = page.unwrap_or(1).max(1);
    let before = (number - 1).saturating_mul(PAGE);
    let has_others = devices.len() > 1;
    let has_more = before.saturating_add(PAGE) < devices.len();
    let view = DevicesView {
        sessions: devices.iter().skip(before).take(PAGE).map(|one| shown(site, one, me)).collect(),
        revoke_others: has_others.then(|| site.at("/account/sessions/revoke-others")),
        more: has_more.then(|| format!("{here}?page={}", number.saturating_add(1))),
        first: (number > 1).then(|| here.clone()),
    };
    Ok(render::page::page("account/sessions.html", "Devices", &view))
}

/// Logs one device out. An id that is not the user's is not found.
#[post("/account/sessions/<id>/revoke")]
pub(crate) async fn revoke(
    site: Site<'_>,
    me: CurrentUser<'_>,
    id: &str,
) -> Result<SeeOther, PageError> {
    let caller = site.caller_as(me);
    let sessions = site.auth.by(&caller).sessions(me.id).asked_in(me.session().id);
    let outage = |error: StoreError| PageError::outage(site, &error);
    let is_session = match SessionId::parse(id) {
        Some(id) => sessions.revoke(id).await.map_err(outage)?,
        None => false,
    };
    let is_known = match RememberedId::parse(id) {
        Some(id) if !is_session => sessions.revoke_remembered(id).await.map_err(outage)?,
        _ => is_session,
    };
    if !is_known {
        return Err(PageError::NOT_FOUND);
    }
    Flash::SessionRevoked.leave(site);
    Ok(SeeOther::to(site.at("/account/sessions")))
}

/// Logs all other devices out.
#[post("/account/sessions/revoke-others")]
pub(crate) async fn revoke_others(
    site: Site<'_>,
    me: CurrentUser<'_>,
) -> Result<SeeOther, PageError> {
    let caller = site.caller_as(me);
    let sessions = site.auth.by(&caller).sessions(me.id).asked_in(me.session().id);
    let outage = |error: StoreError| PageError::outage(site, &error);
    let ended = sessions.revoke_all().await.map_err(outage)?;
    if ended == 0 {
        // Nothing was ended, either because there was nothing or because this session had ended before.
        let left = sessions.list().await.map_err(outage)?;
        if left.iter().all(|session| session.id != me.session().id) {
            return Err(PageError::LoginRequired);
        }
    }
    Flash::OthersRevoked.leave(site);
    Ok(SeeOther::to(site.at("/account/sessions")))
}

/// Returns this device, then the others with a session, then those that are only remembered.
async fn devices(site: Site<'_>, me: CurrentUser<'_>) -> Result<Vec<Device>, StoreError> {
    let caller = site.caller_as(me);
    let of_user = site.auth.by(&caller).sessions(me.id);
    let mut sessions = of_user.list().await?;
    sessions.sort_by_key(|session| session.id != me.session().id);
    let awake: HashSet<_> = sessions.iter().filter_map(|session| session.remembered).collect();
    let mut asleep = of_user.remembered().await?;
    asleep.retain(|remembered| !awake.contains(&remembered.id));
    let awake = sessions.into_iter().map(Device::Awake);
    Ok(awake.chain(asleep.into_iter().map(Device::Asleep)).collect())
}

fn shown(site: Site<'_>, device: &Device, me: CurrentUser<'_>) -> DeviceView {
    match device {
        Device::Awake(session) => of_session(site, session, me),
        Device::Asleep(remembered) => of_remembered(site, remembered),
    }
}

fn of_session(site: Site<'_>, session: &Session, me: CurrentUser<'_>) -> DeviceView {
    DeviceView {
        first_seen: wording::moment(session.created_at),
        last_seen: wording::moment(session.last_seen_at),
        current: session.id == me.session().id,
        remembered: session.remembered.is_some(),
        ..of_client(site, &session.client, &session.id.to_string())
    }
}

fn of_remembered(site: Site<'_>, remembered: &Remembered) -> DeviceView {
    DeviceView {
        first_seen: wording::moment(remembered.created_at),
        last_seen: wording::moment(remembered.used_at),
        remembered: true,
        ..of_client(site, &remembered.client, &remembered.id.to_string())
    }
}

fn of_client(site: Site<'_>, client: &Client, id: &str) -> DeviceView {
    DeviceView {
        browser: user_agent::in_words(client.user_agent.as_deref()),
        address: client.address.map(|address| address.to_string()).unwrap_or_default(),
        revoke: site.at(&format!("/account/sessions/{id}/revoke")),
        ..DeviceView::default()
    }
}
