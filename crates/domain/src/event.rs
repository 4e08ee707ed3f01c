use std::str::FromStr;

use time::OffsetDateTime;

use crate::{Client, SessionId, UserId};

/// Something that has happened to a user or their sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthEvent {
    /// What.
    pub kind: AuthEventKind,
    /// Why it came out so, where there is something to say.
    pub reason: Option<Reason>,
    /// Whose doing it was.
    pub actor: Actor,
    /// To whom, where there is such a user. A name that somebody typed and nobody has is in no event:
    /// people type passwords as names.
    pub user: Option<UserId>,
    /// In which session, where there is one.
    pub session: Option<SessionId>,
    /// From where.
    pub client: Client,
    /// The request that it happened in, as the log calls it.
    pub request_id: Option<String>,
    /// When.
    pub at: OffsetDateTime,
}

/// Texts that are written down stay what they are: a trail is read years later.
macro_rules! written_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// As it is written down.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(written: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|one| one.as_str() == written).ok_or(UnknownWord)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

/// A word that is none of those that events are written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no event is written with this word")]
pub struct UnknownWord;

written_enum! {
    /// What has happened.
    AuthEventKind {
        /// Somebody has an account now.
        UserRegistered = "user_registered",
        /// A user logged in.
        UserLoggedIn = "user_logged_in",
        /// Somebody tried to log in and may not, or a logged-in user did not know their password.
        UserLoginFailed = "user_login_failed",
        /// So many tries have failed that further ones are slowed down.
        UserThrottled = "user_throttled",
        /// A user logged out.
        UserLoggedOut = "user_logged_out",
        /// A logged-in user proved once more who they are.
        UserLoginConfirmed = "user_login_confirmed",
        /// A session began because the user had asked to be remembered.
        UserRemembered = "user_remembered",
        /// An anonymous visitor asked for what is only for members.
        UserUnauthorized = "user_unauthorized",
        /// A user asked for what needs a fresh login, and theirs was not.
        UserNeedsRefresh = "user_needs_refresh",
        /// A session's token came from another browser than it was given to.
        SessionProtected = "session_protected",
        /// A remembered login was presented with a secret that had been used: it was stolen from
        /// one of two bearers. It and its sessions have ended.
        RememberedStolen = "remembered_stolen",
        /// A user has a new password; their other sessions have ended.
        PasswordChanged = "password_changed",
        /// A user or an administrator ended sessions of a user.
        SessionsRevoked = "sessions_revoked",
        /// An administrator let a user in again.
        UserEnabled = "user_enabled",
        /// An administrator shut a user out.
        UserDisabled = "user_disabled",
        /// An account is gone.
        UserDeleted = "user_deleted",
    }
}

written_enum! {
    /// Why an event came out as it did. Only the trail says it: whoever failed is not told.
    Reason {
        /// There is no such user.
        UnknownUser = "unknown_user",
        /// It is not their password.
        WrongPassword = "wrong_password",
        /// They have no password.
        NoPassword = "no_password",
        /// An administrator has shut them out.
        Disabled = "disabled",
        /// Their password, or whether they may log in, changed while they logged in.
        Superseded = "superseded",
        /// Too many tries on one account from one place.
        AccountFromAddress = "account_from_address",
        /// Too many tries on one account from everywhere.
        Account = "account",
        /// Too many tries in a browser that its user is known to use.
        KnownBrowser = "known_browser",
        /// Too many tries from one address.
        Address = "address",
        /// Too many tries from one network.
        Network = "network",
        /// Too many tries on the whole site.
        Site = "site",
    }
}

written_enum! {
    /// Whose doing an event was.
    Actor {
        /// Somebody's at the other end of a connection: a user's, or a visitor's.
        Visitor = "visitor",
        /// Somebody's who may use the program's commands, or the calls behind them.
        Administrator = "administrator",
    }
}

impl AuthEventKind {
    /// Whether it belongs into the audit trail. A visitor who is shown the way to the login page
    /// does not: everybody who follows an old link is one.
    pub fn is_audited(self) -> bool {
        !matches!(self, Self::UserUnauthorized | Self::UserNeedsRefresh)
    }

    /// Whether somebody was kept from something, which an operator may want to look into.
    pub fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::UserLoginFailed
                | Self::UserThrottled
                | Self::UserUnauthorized
                | Self::UserNeedsRefresh
                | Self::SessionProtected
                | Self::RememberedStolen
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for kind in AuthEventKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
        for reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(*reason));
        }
        for actor in Actor::ALL {
            assert_eq!(actor.as_str().parse(), Ok(*actor));
        }
        assert_eq!("nobody".parse::<Actor>(), Err(UnknownWord));
    }
}
