//! The kinds of requests that are measured.

use crate::client::post;
use crate::population::PASSWORD;

use super::people::People;

/// A kind of request whose cost is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The members' page, in sessions that are in the cache, with the default staleness.
    Remembered,
    /// The members' page, in one session after the other, each of which is read from the database.
    Asked,
    Login,
    Registration,
}

/// The number of sessions that stay in the cache because they are used all the time.
const HOT: u64 = 10;

impl Kind {
    pub(super) const ALL: [Self; 4] =
        [Self::Remembered, Self::Asked, Self::Login, Self::Registration];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Remembered => "cached page",
            Self::Asked => "uncached page",
            Self::Login => "login",
            Self::Registration => "registration",
        }
    }

    pub(super) fn staleness(self) -> &'static str {
        if self == Self::Asked { "0s" } else { "1s" }
    }

    /// Returns the status of the answer if all is well.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Remembered | Self::Asked => 200,
            Self::Login | Self::Registration => 303,
        }
    }

    /// Returns the next request of this kind.
    pub(super) fn request(self, people: &People<'_>) -> Vec<u8> {
        match self {
            Self::Remembered => members_page(&people.any_token(HOT)),
            Self::Asked => members_page(&people.any_token(u64::MAX)),
            Self::Login => login(people, &people.any_address(), ""),
            Self::Registration => {
                let (email, from) = (people.new_address(), people.any_client());
                let fields = [("email", &*email), ("username", "Newcomer"), ("password", PASSWORD)];
                post("/register", &[("X-Forwarded-For", &from)], &fields)
            }
        }
    }
}

/// Returns a login request from a new client address. The cookie may be empty.
pub(super) fn login(people: &People<'_>, email: &str, cookie: &str) -> Vec<u8> {
    let from = people.any_client();
    let headers = [("X-Forwarded-For", &*from), ("Cookie", cookie)];
    post("/login", &headers, &[("email", email), ("password", PASSWORD)])
}

fn members_page(token: &str) -> Vec<u8> {
    format!("GET /blogs HTTP/1.1\r\nHost: localhost\r\nCookie: session={token}\r\n\r\n")
        .into_bytes()
}
