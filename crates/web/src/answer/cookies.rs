//! Cookies that an answer sets, with every attribute.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use rocket::{Request, Response};
use time::Duration;

use crate::site::Site;

/// The cookies that the answer to a request will set. They are kept with the request, because those
/// in Rocket's jar are lost when a guard or a catcher answers.
#[derive(Default)]
struct Pending(Mutex<Vec<(&'static str, String)>>);

/// Sets a cookie of ours: `HttpOnly`, `SameSite=Lax`, for the whole site and this host only. Without
/// `max_age` it lives as long as the browser's session.
pub(crate) fn set(site: Site<'_>, name: &'static str, value: &str, max_age: Option<Duration>) {
    let mut header = format!("{name}={value}; HttpOnly; SameSite=Lax; Path=/");
    if site.cookies.is_secure {
        header.push_str("; Secure");
    }
    if let Some(max_age) = max_age {
        // Writing to a string cannot fail.
        let _ = write!(header, "; Max-Age={}", max_age.whole_seconds());
    }
    let pending = site.request.local_cache(Pending::default);
    let mut pending = pending.0.lock().unwrap_or_else(PoisonError::into_inner);
    pending.retain(|(earlier, _)| *earlier != name);
    pending.push((name, header));
}

/// Returns whether the answer will set the cookie `name` to `value`.
pub(crate) fn is_set(site: Site<'_>, name: &str, value: &str) -> bool {
    let pending = site.request.local_cache(Pending::default);
    let pending = pending.0.lock().unwrap_or_else(PoisonError::into_inner);
    let start = format!("{name}={value};");
    pending.iter().any(|(_, header)| header.starts_with(&start))
}

/// Returns whether the answer will set the cookie `name` to any value.
pub(crate) fn is_any_set(site: Site<'_>, name: &str) -> bool {
    let pending = site.request.local_cache(Pending::default);
    let pending = pending.0.lock().unwrap_or_else(PoisonError::into_inner);
    pending.iter().any(|(set, _)| *set == name)
}

/// Makes the browser forget a cookie of ours.
pub(crate) fn remove(site: Site<'_>, name: &'static str) {
    set(site, name, "", Some(Duration::ZERO));
}

/// Writes what was set for `request` into its answer.
pub(crate) fn write(request: &Request<'_>, response: &mut Response<'_>) {
    let pending = request.local_cache(Pending::default);
    let mut pending = pending.0.lock().unwrap_or_else(PoisonError::into_inner);
    for (_, header) in pending.drain(..) {
        response.adjoin_raw_header("Set-Cookie", header);
    }
}
