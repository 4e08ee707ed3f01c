use rocket::Request;
use rocket::http::MediaType;

/// The form in which a client understands that something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// A page, and redirects to follow.
    Html,
    /// A problem (RFC 9457), and never a redirect.
    Json,
    /// A header that makes htmx load another page.
    Htmx,
}

impl Wants {
    /// Reads what the sender of `request` wants from its headers.
    pub(crate) fn of(request: &Request<'_>) -> Self {
        let is_json =
            |media: &MediaType| media.is_json() || media.sub().as_str().ends_with("+json");
        if request.headers().get_one("HX-Request") == Some("true") {
            return Self::Htmx;
        }
        let sends_json = request.content_type().is_some_and(|content_type| is_json(content_type));
        let accepts = request.accept().map(|accept| accept.preferred().media_type());
        if sends_json || accepts.is_some_and(is_json) { Self::Json } else { Self::Html }
    }
}
