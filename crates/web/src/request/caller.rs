use countersign_auth::Caller;
use countersign_domain::SecretToken;
use ipnet::IpNet;
use rocket::Request;

use crate::request::client::client;
use crate::request::{cookies, request_id};

/// Reads who sends `request`, before anybody knows which user that is. `known_browser` is the name
/// of the cookie by which a browser is known.
pub(crate) fn caller(request: &Request<'_>, known_browser: &str, proxies: &[IpNet]) -> Caller {
    let browser = cookies::read(request, known_browser).map(SecretToken::parse);
    Caller::visitor(client(request, proxies))
        .with_browser(browser.and_then(Result::ok))
        .in_request(request_id::of(request))
}

/// Tells the operator that somebody tries to get around the controls (ASVS 16.3.3). The log line
/// says who, and not what they sent.
pub(crate) fn warn(caller: &Caller, what: &'static str) {
    let address = caller.client.address.map(|address| address.to_string());
    let request_id = caller.request_id.as_deref();
    tracing::warn!(address, request_id, "{what}");
}
