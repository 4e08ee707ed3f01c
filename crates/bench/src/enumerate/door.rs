//! The ways to log in, and what a client sees of the answers.

use crate::client::{Answer, post};

/// A way to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// The form, as a browser sends it.
    Page,
    /// The same form, sent by a client that accepts JSON.
    Json,
}

impl Door {
    pub(crate) const ALL: [Self; 2] = [Self::Page, Self::Json];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Page => "POST /login, answered with a page",
            Self::Json => "POST /login, answered with JSON",
        }
    }

    pub(crate) fn request(self, address: &str, password: &str) -> Vec<u8> {
        let accept = match self {
            Self::Page => "text/html",
            Self::Json => "application/json",
        };
        let headers = [("Accept", accept), ("User-Agent", "countersign-bench")];
        post("/login", &headers, &[("email", address), ("password", password)])
    }
}

/// An answer without the parts that differ each time: the typed address, the request id and the date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn of(answer: &Answer, address: &str) -> Self {
        let mut body = String::from_utf8_lossy(&answer.body).replace(address, "ADDRESS");
        if let Some(id) = answer.header("x-request-id").filter(|id| !id.is_empty()) {
            body = body.replace(id, "REQUEST-ID");
        }
        let length = body.len().to_string();
        let headers = answer.headers.iter().map(|(name, value)| {
            let value = match name.as_str() {
                "x-request-id" => "REQUEST-ID",
                "date" => "DATE",
                "content-length" => &length,
                _ => value,
            };
            (name.clone(), value.to_owned())
        });
        Self { status: answer.status, headers: headers.collect(), body }
    }

    /// Returns the first part that differs, or `None` if the answers are the same.
    pub(crate) fn difference(&self, other: &Self) -> Option<&'static str> {
        if self.status != other.status {
            Some("status")
        } else if self.headers != other.headers {
            Some("headers")
        } else if self.body != other.body {
            Some("body")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, id: &str, extra: Option<&str>, body: &str) -> Answer {
        let mut headers = vec![
            ("x-request-id".to_owned(), id.to_owned()),
            ("content-length".to_owned(), body.len().to_string()),
            ("date".to_owned(), format!("now, at {id}")),
        ];
        headers.extend(extra.map(|name| (name.to_owned(), "1".to_owned())));
        Answer { status, headers, body: body.into() }
    }

    #[test]
    fn what_echoes_the_request_makes_no_difference() {
        let ada = Seen::of(&answer(401, "a-9", None, "no: ada@x.org (a-9)"), "ada@x.org");
        let bob = Seen::of(&answer(401, "a-10", None, "no: bobby@x.org (a-10)"), "bobby@x.org");
        assert_eq!(ada.difference(&bob), None);
    }

    #[test]
    fn status_headers_and_body_make_a_difference() {
        let seen = |answer| Seen::of(&answer, "ada@x.org");
        let base = seen(answer(401, "a-1", None, "no"));
        assert_eq!(base.difference(&seen(answer(422, "a-2", None, "no"))), Some("status"));
        assert_eq!(base.difference(&seen(answer(401, "a-2", Some("x"), "no"))), Some("headers"));
        assert_eq!(base.difference(&seen(answer(401, "a-2", None, "NO"))), Some("body"));
        // A body of another length already differs in the header Content-Length.
        assert_eq!(base.difference(&seen(answer(401, "a-2", None, "nope"))), Some("headers"));
    }
}
