//! Who sends a request: looked up once, by whoever asks first.

use std::sync::Arc;

use countersign_auth::{Authenticated, Caller, Resumed};
use countersign_domain::{RememberToken, SecretToken, StoreError};
use rocket::Request;
use tokio::sync::OnceCell;

use crate::caller::{caller, warn};
use crate::cookies;
use crate::flash::Flash;
use crate::login::Login;
use crate::state::{Shared, Site};

/// What was found out about a request.
#[derive(Debug)]
pub(crate) enum Identity {
    User(Box<Authenticated>),
    Anonymous,
    Unavailable,
}

#[derive(Default)]
struct Lookup(OnceCell<Identity>);

/// Who sends `request`. The store is asked at most once for each request.
pub(crate) async fn of<'r>(request: &'r Request<'_>, shared: &Shared) -> &'r Identity {
    let lookup = request.local_cache(Lookup::default);
    lookup.0.get_or_init(|| identify(request, shared)).await
}

async fn identify(request: &Request<'_>, shared: &Shared) -> Identity {
    let caller = caller(request, shared);
    if cookies::is_doubled(request, shared.cookies.session) {
        warn(&caller, "two session cookies came in one request");
    }
    match find(request, shared, &caller).await {
        Ok(Some(authenticated)) => Identity::User(Box::new(authenticated)),
        Ok(None) => Identity::Anonymous,
        Err(error) => {
            log_outage(&error, request);
            Identity::Unavailable
        }
    }
}

/// By the session, or else because the user asked to be remembered.
async fn find(
    request: &Request<'_>,
    shared: &Shared,
    caller: &Caller,
) -> Result<Option<Authenticated>, StoreError> {
    let session = cookies::read(request, shared.cookies.session).map(SecretToken::parse);
    if let Some(Ok(token)) = session
        && let Some(authenticated) = shared.auth.authenticate(&token, caller).await?
    {
        return Ok(Some(authenticated));
    }
    let remember = cookies::read(request, shared.cookies.remember).map(RememberToken::parse);
    let Some(Ok(token)) = remember else { return Ok(None) };
    let login = Login::new(Site { shared, request });
    match shared.auth.resume(&token, caller).await? {
        Resumed::Session(begun) => {
            login.hand_over(&begun);
            let begun = *begun;
            let (user, session) = (Arc::new(begun.user), Arc::new(begun.session));
            Ok(Some(Authenticated { user, session, is_fresh: false }))
        }
        Resumed::Stolen => {
            login.take_back();
            Flash::RememberedStolen.leave(request, shared);
            Ok(None)
        }
        _ => {
            login.take_back();
            Ok(None)
        }
    }
}

/// Tells the operator, once, what the visitor is not told.
pub(crate) fn log_outage(error: &StoreError, request: &Request<'_>) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let request_id = crate::request_id::of(request);
    tracing::error!(%error, cause, request_id, "the store failed");
}
