//! The security headers of every answer.

use rocket::Response;

/// The headers of every answer, built once.
#[derive(Clone, Debug)]
pub(crate) struct SecurityHeaders(Vec<(&'static str, String)>);

impl SecurityHeaders {
    /// Builds the headers for pages that load only `script` (its hash as in `integrity`).
    pub(crate) fn new(script: &str, is_secure: bool) -> Self {
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
        if is_secure {
            let two_years = "max-age=63072000; includeSubDomains".to_owned();
            headers.push(("Strict-Transport-Security", two_years));
        }
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
