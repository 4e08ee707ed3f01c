//! Looks up who sends a request, once, for whichever guard asks first.

use countersign_auth::{Authenticated, Caller, Resumed};
use countersign_domain::{RememberToken, SecretToken, StoreError};
use tokio::sync::OnceCell;

use crate::answer::flash::Flash;
use crate::answer::tokens;
use crate::guards::guard_error::GuardError;
use crate::request::caller::warn;
use crate::request::cookies;
use crate::site::Site;

/// The user who sends a request, if anybody is logged in and the store can say so.
pub(crate) type Found = Result<Option<Authenticated>, GuardError>;

#[derive(Default)]
struct Lookup(OnceCell<Found>);

/// Returns who sends the request. The store is asked at most once for each request.
pub(crate) async fn lookup(site: Site<'_>) -> &Found {
    let lookup = site.request.local_cache(Lookup::default);
    lookup.0.get_or_init(|| identify(site)).await
}

async fn identify(site: Site<'_>) -> Found {
    let caller = site.caller();
    if cookies::is_doubled(site.request, site.cookies.session) {
        warn(&caller, "two session cookies came in one request");
    }
    find(site, &caller).await.map_err(|error| {
        site.log_outage(&error);
        GuardError::Unavailable
    })
}

/// Finds the user by the session, or else because they asked to be remembered.
async fn find(site: Site<'_>, caller: &Caller) -> Result<Option<Authenticated>, StoreError> {
    let session = site.cookie(site.cookies.session).map(SecretToken::parse);
    if let Some(Ok(token)) = session
        && let Some(authenticated) = site.auth.by(caller).authenticate(&token).await?
    {
        return Ok(Some(authenticated));
    }
    let remember = site.cookie(site.cookies.remember).map(RememberToken::parse);
    let Some(Ok(token)) = remember else { return Ok(None) };
    match site.auth.by(caller).resume(&token).await? {
        Resumed::Session(begun) => {
            tokens::hand_over(site, &begun);
            Ok(Some(Authenticated::new(begun.user, begun.session, false)))
        }
        // Another request of the browser has the cookies in its answer.
        Resumed::Joined(authenticated) => Ok(Some(authenticated)),
        // Whoever can log in is not kept out; the remembered login stands.
        Resumed::Throttled(_) => Ok(None),
        Resumed::Stolen => {
            tokens::take_back(site);
            Flash::RememberedStolen.leave(site);
            Ok(None)
        }
        _ => {
            tokens::take_back(site);
            Ok(None)
        }
    }
}
