use countersign_auth::Caller;
use countersign_domain::SecretToken;
use rocket::Request;

use crate::client::client;
use crate::state::Shared;
use crate::{cookies, request_id};

/// Who sends `request`, before anybody knows which user that is.
pub(crate) fn caller(request: &Request<'_>, shared: &Shared) -> Caller {
    let browser = cookies::read(request, shared.cookies.known_browser).map(SecretToken::parse);
    Caller::visitor(client(request, shared))
        .with_browser(browser.and_then(Result::ok))
        .in_request(request_id::of(request))
}

/// Tells the operator that somebody tries to get around the controls (ASVS 16.3.3): who, and not
/// what they sent.
pub(crate) fn warn(caller: &Caller, what: &'static str) {
    let address = caller.client.address.map(|address| address.to_string());
    let request_id = caller.request_id.as_deref();
    tracing::warn!(address, request_id, "{what}");
}
