//! The security headers of every answer.

use std::fmt;
use std::time::Duration;

use rocket::Response;

/// What browsers are told of TLS by a site that is reached over https: HTTP Strict Transport Security
/// (RFC 6797).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Hsts {
    /// How long browsers reach the site over TLS only, from their last visit.
    pub max_age: Duration,
    /// Whether that holds for all hosts below this one too.
    pub include_subdomains: bool,
    /// Whether browsers may know it before the first visit, from a list that comes with them.
    pub preload: bool,
}

impl Default for Hsts {
    fn default() -> Self {
        let two_years = Duration::from_secs(730 * 24 * 60 * 60);
        // Whoever runs one host does not always run those below it.
        Self { max_age: two_years, include_subdomains: false, preload: false }
    }
}

impl Hsts {
    /// Returns whether the lists that come with browsers take the site (hstspreload.org): with all hosts below
    /// it, for a year or more.
    pub(crate) fn may_be_preloaded(&self) -> bool {
        self.include_subdomains && self.max_age >= Duration::from_secs(365 * 24 * 60 * 60)
    }
}

impl fmt::Display for Hsts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "max-age={}", self.max_age.as_secs())?;
        if self.include_subdomains {
            f.write_str("; includeSubDomains")?;
        }
        if self.preload {
            f.write_str("; preload")?;
        }
        Ok(())
    }
}

/// The headers of every answer, built once.
#[derive(Clone, Debug)]
pub(crate) struct SecurityHeaders(Vec<(&'static str, String)>);

impl SecurityHeaders {
    /// Builds the headers for pages that load only `script` (its hash as in `integrity`).
    /// With `hsts`, browsers are told to come back over TLS only.
    pub(crate) fn new(script: &str, hsts: Option<&Hsts>) -> Self {
        // A hash is stricter than `'self'` and, unlike a nonce, need not change with each answer
        // (CSP Level 3, section 8.4).
        let policy = format!(
            "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src '{script}'; \
             form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
        );
        let mut headers = vec![
            ("Content-Security-Policy", policy),
            ("X-Content-Type-Options", "nosniff".to_owned()),
            ("X-Frame-Options", "DENY".to_owned()),
            ("X-XSS-Protection", "0".to_owned()),
            ("Referrer-Policy", "strict-origin-when-cross-origin".to_owned()),
            (
                "Permissions-Policy",
                "camera=(), geolocation=(), microphone=(), payment=(), usb=()".to_owned(),
            ),
            ("Cross-Origin-Opener-Policy", "same-origin".to_owned()),
            ("Cross-Origin-Resource-Policy", "same-origin".to_owned()),
            ("Cache-Control", "no-store".to_owned()),
        ];
        headers.extend(hsts.map(|hsts| ("Strict-Transport-Security", hsts.to_string())));
        Self(headers)
    }

    /// Writes the headers into `response`. A route may set two of them by itself: the policy of its
    /// own pages, and how long they may be cached.
    pub(crate) fn write<'r>(&'r self, response: &mut Response<'r>) {
        for (name, value) in &self.0 {
            let is_routes_own = matches!(*name, "Content-Security-Policy" | "Cache-Control")
                && response.headers().contains(name);
            if !is_routes_own {
                response.set_raw_header(*name, value.as_str());
            }
        }
    }
}
