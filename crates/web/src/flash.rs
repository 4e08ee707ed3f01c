//! One-time messages. The cookie carries a code, never text: nobody can make a page say what it
//! does not say by itself.

use rocket::Request;
use serde::Serialize;
use time::Duration;

use crate::cookies;
use crate::state::Shared;

/// A message for the next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flash {
    LoginRequired,
    LoggedOut,
    Registered,
}

/// How a message is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FlashKind {
    Info,
    Success,
}

/// A message as a page shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FlashView {
    pub(crate) kind: FlashKind,
    pub(crate) text: &'static str,
}

impl Flash {
    const ALL: [Self; 3] = [Self::LoginRequired, Self::LoggedOut, Self::Registered];

    fn code(self) -> &'static str {
        match self {
            Self::LoginRequired => "login-required",
            Self::LoggedOut => "logged-out",
            Self::Registered => "registered",
        }
    }

    fn view(self) -> FlashView {
        let (kind, text) = match self {
            Self::LoginRequired => (FlashKind::Info, "Please log in to access this page."),
            Self::LoggedOut => (FlashKind::Success, "You have been logged out."),
            Self::Registered => (FlashKind::Success, "Your account is ready. Please log in."),
        };
        FlashView { kind, text }
    }

    /// Leaves the message for the next page that is shown.
    pub(crate) fn leave(self, request: &Request<'_>, shared: &Shared) {
        let names = &shared.cookies;
        cookies::set(request, names, names.flash, self.code(), Some(Duration::MINUTE));
    }

    /// Takes the message that was left, if any; it is shown once.
    pub(crate) fn take(request: &Request<'_>, shared: &Shared) -> Option<FlashView> {
        let names = &shared.cookies;
        let code = cookies::read(request, names.flash)?;
        cookies::remove(request, names, names.flash);
        Self::ALL.into_iter().find(|flash| flash.code() == code).map(Self::view)
    }
}
