//! One-time messages. The cookie carries a code, never text: nobody can make a page say what it
//! does not say by itself.

use rocket::Request;
use serde::Serialize;
use time::Duration;

use crate::cookies;
use crate::state::Shared;

/// A message for the next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flash {
    /// A page for members was asked for by somebody who is not logged in.
    LoginRequired,
    /// A page was asked for that needs a fresh login.
    RefreshRequired,
    /// A user logged out.
    LoggedOut,
    /// A user registered.
    Registered,
    /// A user registered with a password that is easy to guess.
    RegisteredWeakPassword,
    /// A user changed their password.
    PasswordChanged,
    /// A user changed their password to one that is easy to guess.
    PasswordChangedWeak,
    /// A user ended a session of theirs.
    SessionRevoked,
    /// A user ended their other sessions.
    OthersRevoked,
    /// A user deleted their account.
    AccountDeleted,
    /// A remembered login was stolen.
    RememberedStolen,
}

/// How a message is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FlashKind {
    Info,
    Success,
    Error,
}

/// A message as a page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FlashView {
    pub(crate) kind: FlashKind,
    pub(crate) text: String,
}

impl Flash {
    const ALL: [Self; 11] = [
        Self::LoginRequired,
        Self::RefreshRequired,
        Self::LoggedOut,
        Self::Registered,
        Self::RegisteredWeakPassword,
        Self::PasswordChanged,
        Self::PasswordChangedWeak,
        Self::SessionRevoked,
        Self::OthersRevoked,
        Self::AccountDeleted,
        Self::RememberedStolen,
    ];

    fn code(self) -> &'static str {
        match self {
            Self::LoginRequired => "login-required",
            Self::RefreshRequired => "refresh-required",
            Self::LoggedOut => "logged-out",
            Self::Registered => "registered",
            Self::RegisteredWeakPassword => "registered-weak-password",
            Self::PasswordChanged => "password-changed",
            Self::PasswordChangedWeak => "password-changed-weak",
            Self::SessionRevoked => "session-revoked",
            Self::OthersRevoked => "others-revoked",
            Self::AccountDeleted => "account-deleted",
            Self::RememberedStolen => "remembered-stolen",
        }
    }

    fn kind(self) -> FlashKind {
        match self {
            Self::LoginRequired
            | Self::RefreshRequired
            | Self::RegisteredWeakPassword
            | Self::PasswordChangedWeak => FlashKind::Info,
            Self::RememberedStolen => FlashKind::Error,
            _ => FlashKind::Success,
        }
    }

    /// What the message says, unless the application has words of its own for it.
    pub fn text(self) -> &'static str {
        match self {
            Self::LoginRequired => "Please log in to access this page.",
            Self::RefreshRequired => "Please reauthenticate to access this page.",
            Self::LoggedOut => "You have been logged out.",
            Self::Registered => "Your account is ready. Please log in.",
            Self::PasswordChanged => {
                "Your password has been changed. You have been logged out everywhere else."
            }
            Self::RegisteredWeakPassword => {
                "Your account is ready. Please log in. Your password is easy to guess: one with \
                 more words would be better."
            }
            Self::PasswordChangedWeak => {
                "Your password has been changed. You have been logged out everywhere else. The \
                 new one is easy to guess: one with more words would be better."
            }
            Self::SessionRevoked => "That device has been logged out.",
            Self::OthersRevoked => "All other devices have been logged out.",
            Self::AccountDeleted => "Your account has been deleted.",
            Self::RememberedStolen => {
                "Somebody else has used the login that this browser remembered, so it has been \
                 ended everywhere. Please log in, and change your password if it was not you."
            }
        }
    }

    /// Leaves the message for the next page that is shown. A theft is not talked over by another.
    pub(crate) fn leave(self, request: &Request<'_>, shared: &Shared) {
        let names = &shared.cookies;
        if cookies::is_set(request, names.flash, Self::RememberedStolen.code()) {
            return;
        }
        cookies::set(request, names, names.flash, self.code(), Some(Duration::MINUTE));
    }

    /// Takes the message that was left, if any; it is shown once.
    pub(crate) fn take(request: &Request<'_>, shared: &Shared) -> Option<FlashView> {
        let names = &shared.cookies;
        let code = cookies::read(request, names.flash)?;
        if !cookies::is_any_set(request, names.flash) {
            cookies::remove(request, names, names.flash);
        }
        let flash = Self::ALL.into_iter().find(|flash| flash.code() == code)?;
        Some(FlashView { kind: flash.kind(), text: shared.say(flash, request) })
    }
}
