//! Cookies, read byte for byte and set with every attribute.
//!
//! Rocket's jar decodes and trims the names it reads, so that a sibling site can set a cookie that
//! only decodes to `__Host-session`, and of two cookies with one name the last one wins. Here a
//! name is exact, and two of them are none.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use rocket::{Request, Response};
use time::Duration;

/// The names of our cookies, and whether they may only travel over TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CookieNames {
    pub(crate) session: &'static str,
    pub(crate) remember: &'static str,
    pub(crate) flash: &'static str,
    pub(crate) known_browser: &'static str,
    is_secure: bool,
}

impl CookieNames {
    /// With TLS the names carry the prefix that binds them to this host (RFC 6265bis, section
    /// 4.1.3.2); without it no browser would accept that.
    pub(crate) fn new(is_secure: bool) -> Self {
        if is_secure {
            Self {
                session: "__Host-session",
                remember: "__Host-remember_token",
                flash: "__Host-flash",
                known_browser: "__Host-known_browser",
                is_secure,
            }
        } else {
            Self {
                session: "session",
                remember: "remember_token",
                flash: "flash",
                known_browser: "known_browser",
                is_secure,
            }
        }
    }
}

/// The value of the one cookie called exactly `name`; none when there is none, or more than one.
pub(crate) fn read<'r>(request: &'r Request<'_>, name: &str) -> Option<&'r str> {
    let mut headers = request.headers().get("Cookie").peekable();
    if headers.peek().is_none() {
        // A client of Rocket's for tests puts its cookies into the jar, and sends no header. What
        // comes over a connection without that header has an empty jar.
        return request.cookies().get(name).map(rocket::http::Cookie::value);
    }
    find(headers, name)
}

/// Whether there is more than one cookie called exactly `name`. No browser sends two by itself:
/// another site of the same host, or somebody in between, has added one.
pub(crate) fn is_doubled(request: &Request<'_>, name: &str) -> bool {
    values(request.headers().get("Cookie"), name).nth(1).is_some()
}

/// What [`read`] finds, of the headers `Cookie`.
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

/// The cookies that the answer to a request will set. Kept beside the request, because those in
/// Rocket's jar are lost where a guard or a catcher answers.
#[derive(Default)]
struct Pending(Mutex<Vec<(&'static str, String)>>);

/// Sets a cookie of ours: `HttpOnly`, `SameSite=Lax`, for the whole site and this host only. Without
/// `max_age` it lives as long as the browser's session.
pub(crate) fn set(
    request: &Request<'_>,
    names: &CookieNames,
    name: &'static str,
    value: &str,
    max_age: Option<Duration>,
) {
    let mut header = format!("{name}={value}; HttpOnly; SameSite=Lax; Path=/");
    if names.is_secure {
        header.push_str("; Secure");
    }
    if let Some(max_age) = max_age {
        // Writing to a string cannot fail.
        let _ = write!(header, "; Max-Age={}", max_age.whole_seconds());
    }
    let pending = request.local_cache(Pending::default);
    let mut pending = pending.0.lock().unwrap_or_else(PoisonError::into_inner);
    pending.retain(|(earlier, _)| *earlier != name);
    pending.push((name, header));
}

/// Whether the answer to `request` will set the cookie `name` to `value`.
pub(crate) fn is_set(request: &Request<'_>, name: &str, value: &str) -> bool {
    let pending = request.local_cache(Pending::default);
    let pending = pending.0.lock().unwrap_or_else(PoisonError::into_inner);
    let start = format!("{name}={value};");
    pending.iter().any(|(_, header)| header.starts_with(&start))
}

/// Whether the answer to `request` will set the cookie `name` at all.
pub(crate) fn is_any_set(request: &Request<'_>, name: &str) -> bool {
    let pending = request.local_cache(Pending::default);
    let pending = pending.0.lock().unwrap_or_else(PoisonError::into_inner);
    pending.iter().any(|(set, _)| *set == name)
}

/// Has the browser forget a cookie of ours.
pub(crate) fn remove(request: &Request<'_>, names: &CookieNames, name: &'static str) {
    set(request, names, name, "", Some(Duration::ZERO));
}

/// Writes what was set for `request` into its answer.
pub(crate) fn write(request: &Request<'_>, response: &mut Response<'_>) {
    let pending = request.local_cache(Pending::default);
    let mut pending = pending.0.lock().unwrap_or_else(PoisonError::into_inner);
    for (_, header) in pending.drain(..) {
        response.adjoin_raw_header("Set-Cookie", header);
    }
}
