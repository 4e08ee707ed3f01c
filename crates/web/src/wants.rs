use rocket::Request;
use rocket::http::MediaType;

/// In which form a client understands that something went wrong.
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
    pub(crate) fn of(request: &Request<'_>) -> Self {
        let is_json =
            |media: &MediaType| media.is_json() || media.sub().as_str().ends_with("+json");
        if request.headers().get_one("HX-Request") == Some("true") {
            Self::Htmx
        } else if request
            .content_type()
            .is_some_and(|content_type| is_json(content_type))
        {
            Self::Json
        } else if request
            .accept()
            .is_some_and(|accept| is_json(accept.preferred().media_type()))
        {
            Self::Json
        } else {
            Self::Html
        }
    }
}
