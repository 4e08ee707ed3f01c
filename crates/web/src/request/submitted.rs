use std::fmt;

use rocket::data::{Data, FromData, Outcome, ToByteUnit};
use rocket::http::Status;
use rocket::{Request, async_trait};
use serde::de::DeserializeOwned;

use crate::answer::status;
use crate::request::cross_site::METHOD_FIELD;

/// The fields of a form as a browser sends them, read strictly.
///
/// Rocket's own `Form` decodes whatever is not UTF-8 to the same replacement character, which makes
/// different passwords equal, and accepts multipart bodies of megabytes.
///
/// | body | outcome |
/// |---|---|
/// | `application/x-www-form-urlencoded`, at most 8 KiB, UTF-8 | success; a missing field is empty, an unknown one is ignored |
/// | a field given twice, one called `_method`, invalid UTF-8 or percent-encoding | error, 400 |
/// | more than 8 KiB | error, 413 |
/// | any other content type | error, 415 |
pub(crate) struct Submitted<T>(pub(crate) T);

/// Why a body is not a form.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FormError {
    Unsupported,
    TooLarge,
    Malformed,
}

impl FormError {
    fn status(self) -> Status {
        match self {
            Self::Unsupported => status::NOT_A_FORM,
            Self::TooLarge => status::FORM_TOO_LARGE,
            Self::Malformed => status::FORM_MALFORMED,
        }
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsupported => "the body is not application/x-www-form-urlencoded",
            Self::TooLarge => "the form is larger than 8 KiB",
            Self::Malformed => {
                "the form is not UTF-8, gives a field twice, or has one called `_method`"
            }
        })
    }
}

const LIMIT_KIB: u64 = 8;

async fn read<T: DeserializeOwned>(request: &Request<'_>, data: Data<'_>) -> Result<T, FormError> {
    if !request.content_type().is_some_and(|content_type| content_type.is_form()) {
        return Err(FormError::Unsupported);
    }
    let body = data.open(LIMIT_KIB.kibibytes()).into_bytes().await;
    let body = body.map_err(|_| FormError::Malformed)?;
    if !body.is_complete() {
        return Err(FormError::TooLarge);
    }
    parse(&body)
}

/// Reads a whole body.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, FormError> {
    // The decoder below is lossy, but loses nothing of a body that decodes strictly.
    if !is_percent_encoded(body) {
        return Err(FormError::Malformed);
    }
    percent_encoding::percent_decode(body).decode_utf8().map_err(|_| FormError::Malformed)?;
    if form_urlencoded::parse(body).any(|(name, _)| name == METHOD_FIELD) {
        return Err(FormError::Malformed);
    }
    serde_urlencoded::from_bytes(body).map_err(|_| FormError::Malformed)
}

/// Returns whether two hexadecimal digits follow every `%`.
fn is_percent_encoded(body: &[u8]) -> bool {
    body.split(|b| *b == b'%').skip(1).all(|rest| {
        rest.first_chunk::<2>().is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

#[async_trait]
impl<'r, T: DeserializeOwned> FromData<'r> for Submitted<T> {
    type Error = FormError;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        match read(request, data).await {
            Ok(form) => Outcome::Success(Self(form)),
            Err(error) => Outcome::Error((error.status(), error)),
        }
    }
}
