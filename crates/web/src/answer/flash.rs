//! Messages that are shown once. A cookie carries a code, never text, so that nobody can put words
//! of their own on a page.

use rocket::Request;
use serde::Serialize;

/// A message for the next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flash {
    /// Somebody who is not logged in asked for a page for members.
    LoginRequired,
    /// Somebody without a fresh login asked for a page that needs one.
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
    /// A user changed their email address.
    EmailChanged,
    /// A user changed their username.
    UsernameChanged,
    /// A user logged out one of their other devices.
    SessionRevoked,
    /// A user logged out all their other devices.
    OthersRevoked,
    /// A user deleted their account.
    AccountDeleted,
    /// Somebody stole a remembered login.
    RememberedStolen,
    /// A login waited too long for its second factor, or got too many wrong codes.
    LoginEnded,
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
    const ALL: [Self; 14] = [
        Self::LoginRequired,
        Self::RefreshRequired,
        Self::LoggedOut,
        Self::Registered,
        Self::RegisteredWeakPassword,
        Self::PasswordChanged,
        Self::PasswordChangedWeak,
        Self::EmailChanged,
        Self::UsernameChanged,
        Self::SessionRevoked,
        Self::OthersRevoked,
        Self::AccountDeleted,
        Self::RememberedStolen,
        Self::LoginEnded,
    ];

    /// Returns the message that a cookie stands for.
    pub(crate) fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flash| flash.code() == code)
    }

    /// Returns what stands for the message in a cookie.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::LoginRequired => "login-required",
            Self::RefreshRequired => "refresh-required",
            Self::LoggedOut => "logged-out",
            Self::Registered => "registered",
            Self::RegisteredWeakPassword => "registered-weak-password",
            Self::PasswordChanged => "password-changed",
            Self::PasswordChangedWeak => "password-changed-weak",
            Self::EmailChanged => "email-changed",
            Self::UsernameChanged => "username-changed",
            Self::SessionRevoked => "session-revoked",
            Self::OthersRevoked => "others-revoked",
            Self::AccountDeleted => "account-deleted",
            Self::RememberedStolen => "remembered-stolen",
            Self::LoginEnded => "login-ended",
        }
    }

    fn kind(self) -> FlashKind {
        match self {
            Self::LoginRequired
            | Self::RefreshRequired
            | Self::RegisteredWeakPassword
            | Self::PasswordChangedWeak => FlashKind::Info,
            Self::RememberedStolen | Self::LoginEnded => FlashKind::Error,
            _ => FlashKind::Success,
        }
    }

    /// Returns what the message says, unless the application has words of its own for it.
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
            Self::EmailChanged => {
                "Your email address has been changed. Log in with the new one from now on."
            }
            Self::UsernameChanged => "Your username has been changed.",
            Self::SessionRevoked => "That device has been logged out.",
            Self::OthersRevoked => "All other devices have been logged out.",
            Self::AccountDeleted => "Your account has been deleted.",
            Self::LoginEnded => "That login has ended. Please log in again.",
            Self::RememberedStolen => {
                "Somebody else has used the login that this browser remembered, so it has been \
                 ended everywhere. Please log in, and change your password if it was not you."
            }
        }
    }

    /// Returns the message as a page shows it, in these words.
    pub(crate) fn view(self, text: String) -> FlashView {
        FlashView { kind: self.kind(), text }
    }
}

/// The words of an application for our messages.
#[derive(Default)]
pub(crate) struct Words {
    pub(crate) login_message: Option<String>,
    pub(crate) needs_refresh_message: Option<String>,
    pub(crate) localize: Option<Box<Localize>>,
}

/// Says a message in the language of whoever sends a request, if it has words for it.
pub(crate) type Localize = dyn Fn(Flash, &Request<'_>) -> Option<String> + Send + Sync;

impl Words {
    /// Returns the message in the words of the application, or else in ours.
    pub(crate) fn say(&self, flash: Flash, request: &Request<'_>) -> String {
        let localized = self.localize.as_ref().and_then(|localize| localize(flash, request));
        let own = match flash {
            Flash::LoginRequired => self.login_message.clone(),
            Flash::RefreshRequired => self.needs_refresh_message.clone(),
            _ => None,
        };
        localized.or(own).unwrap_or_else(|| flash.text().to_owned())
    }
}
