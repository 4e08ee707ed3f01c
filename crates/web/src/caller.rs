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
