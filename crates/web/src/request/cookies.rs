//! Cookies as they were sent, read byte for byte.
//!
//! Rocket's jar decodes and trims the names that it reads, so that a sibling site can set a cookie
//! whose name only decodes to `__Host-session`, and of two cookies with one name the last one wins.
//! Here a name must match exactly, and two cookies of one name count as none.

use rocket::Request;

/// The names of our cookies, and whether they may only travel over TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CookieNames {
    pub(crate) session: &'static str,
    pub(crate) remember: &'static str,
    pub(crate) flash: &'static str,
    pub(crate) known_browser: &'static str,
    pub(crate) pending: &'static str,
    pub(crate) is_secure: bool,
}

impl CookieNames {
    /// Returns the names for a site with or without TLS. With TLS they carry the prefix that binds
    /// them to this host (RFC 6265bis, section 4.1.3.2), which no browser accepts without TLS.
    pub(crate) fn new(is_secure: bool) -> Self {
        if is_secure {
            Self {
                session: "__Host-session",
                remember: "__Host-remember_token",
                flash: "__Host-flash",
                known_browser: "__Host-known_browser",
                pending: "__Host-pending",
                is_secure,
            }
        } else {
            Self {
                session: "session",
                remember: "remember_token",
                flash: "flash",
                known_browser: "known_browser",
                pending: "pending",
                is_secure,
            }
        }
    }
}

/// Returns the value of the one cookie called exactly `name`; `None` if there is none, or more than
/// one.
pub(crate) fn read<'r>(request: &'r Request<'_>, name: &str) -> Option<&'r str> {
    let mut headers = request.headers().get("Cookie").peekable();
    if headers.peek().is_none() {
        // Rocket's test client puts its cookies into the jar and sends no header. A request that
        // came over a connection without that header has an empty jar.
        return request.cookies().get(name).map(rocket::http::Cookie::value);
    }
    find(headers, name)
}

/// Returns whether the browser sent no cookie at all, ours or another's.
pub(crate) fn are_missing(request: &Request<'_>) -> bool {
    request.headers().get("Cookie").next().is_none() && request.cookies().iter().next().is_none()
}

/// Returns whether there is more than one cookie called exactly `name`. No browser sends two by
/// itself: another site on the same host, or somebody in between, has added one.
pub(crate) fn is_doubled(request: &Request<'_>, name: &str) -> bool {
    values(request.headers().get("Cookie"), name).nth(1).is_some()
}

/// Returns what [`read`] finds in these `Cookie` headers.
pub(crate) fn find<'h>(headers: impl Iterator<Item = &'h str>, name: &str) -> Option<&'h str> {
    let mut values = values(headers, name);
    values.next().filter(|_| values.next().is_none())
}

fn values<'h>(headers: impl Iterator<Item = &'h str>, name: &str) -> impl Iterator<Item = &'h str> {
    let pairs = headers.flat_map(|header| header.split(';'));
    pairs.filter_map(move |pair| {
        let (found, value) = pair.trim_matches([' ', '\t']).split_once('=')?;
        (found == name).then_some(value)
    })
}
