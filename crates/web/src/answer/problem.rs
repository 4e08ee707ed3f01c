use rocket::http::{ContentType, Status};
use rocket::{Request, Response};
use serde_json::{Value, json};

use crate::answer::status;
use crate::request::request_id;

/// Builds a problem (RFC 9457), for a form with the `errors` of its fields.
pub(crate) fn problem(
    request: &Request<'_>,
    status: Status,
    title: &str,
    detail: &str,
    errors: Option<Value>,
) -> Response<'static> {
    let mut body = json!({
        "type": "about:blank",
        "title": title,
        "status": status.code,
        "detail": detail,
        "request_id": request_id::of(request),
    });
    if let (Some(errors), Some(members)) = (errors, body.as_object_mut()) {
        members.insert("errors".to_owned(), errors);
    }
    let body = body.to_string();
    let mut response = Response::build();
    response
        .status(status)
        .header(ContentType::new("application", "problem+json"))
        .sized_body(body.len(), std::io::Cursor::new(body));
    if status == status::UNAUTHORIZED {
        response.raw_header("WWW-Authenticate", "Bearer");
    }
    response.finalize()
}
