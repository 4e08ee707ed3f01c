use time::OffsetDateTime;

use crate::word::written_enum;
use crate::{Client, RememberedId, SessionId, UserId};

/// Something that has happened to a user or their sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthEvent {
    /// What happened.
    pub kind: AuthEventKind,
    /// Why it came out so, where there is something to say.
    pub reason: Option<Reason>,
    /// Who did it.
    pub actor: Actor,
    /// To whom it happened, where there is such a user. A name that somebody typed and nobody has is in no
    /// event: people type passwords as names.
    pub user: Option<UserId>,
    /// In which session it happened, where there is one.
    pub session: Option<SessionId>,
    /// Which thing of the user it was about, where it was about one.
    pub subject: Option<Subject>,
    /// The client that asked for it.
    pub client: Client,
    /// The request that asked for it, as the log calls it.
    pub request_id: Option<String>,
    /// When it happened.
    pub at: OffsetDateTime,
}

impl AuthEvent {
    /// Returns an event of which nothing else is known. Other fields are set afterwards.
    pub fn new(kind: AuthEventKind, actor: Actor, at: OffsetDateTime) -> Self {
        Self {
            kind,
            reason: None,
            actor,
            user: None,
            session: None,
            subject: None,
            client: Client::default(),
            request_id: None,
            at,
        }
    }

    /// Returns the user whose sessions or account it may have changed.
    pub fn changed_user(&self) -> Option<UserId> {
        self.user.filter(|_| self.kind.changes_sessions())
    }
}

/// Who did something: what kind of actor, and which user where it was one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// What kind of actor.
    pub kind: ActorKind,
    /// Which user; `None` where nobody had proved who they are, or a program acted.
    pub user: Option<UserId>,
}

impl Actor {
    /// Somebody at the other end of a connection who has not proved who they are.
    pub const VISITOR: Self = Self { kind: ActorKind::Visitor, user: None };
    /// An administrator whom this service does not know as a user.
    pub const ADMINISTRATOR: Self = Self { kind: ActorKind::Administrator, user: None };
    /// Somebody at the program's command line.
    pub const COMMAND_LINE: Self = Self { kind: ActorKind::CommandLine, user: None };
    /// The service itself, in the background.
    pub const SERVICE: Self = Self { kind: ActorKind::Service, user: None };

    /// Returns a user who acted for themselves.
    pub fn user(id: UserId) -> Self {
        Self { kind: ActorKind::User, user: Some(id) }
    }
}

/// The thing that an event was about, such as the session that was ended: its kind and its id, as
/// `session:01955555-5555-7555-8555-555555555555`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(String);

impl Subject {
    /// The most bytes of a subject.
    pub const MAX_BYTES: usize = 160;

    /// Returns a session.
    pub fn session(id: SessionId) -> Self {
        Self(format!("session:{id}"))
    }

    /// Returns a remembered login.
    pub fn remembered(id: RememberedId) -> Self {
        Self(format!("remembered:{id}"))
    }

    /// Returns records of the audit trail.
    pub(crate) fn records(which: &str) -> Self {
        Self(format!("records:{which}"))
    }

    /// Takes a subject as a store kept it, of a kind that this version may not know; `None` unless it is 1 to
    /// [`Subject::MAX_BYTES`] bytes of printable ASCII.
    pub fn from_saved(saved: String) -> Option<Self> {
        let is_printable = saved.bytes().all(|byte| byte.is_ascii_graphic());
        (is_printable && (1..=Self::MAX_BYTES).contains(&saved.len())).then_some(Self(saved))
    }

    /// Returns the subject as it is written down.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

written_enum! {
    /// What has happened.
    AuthEventKind {
        /// Somebody has an account now.
        UserRegistered = "user_registered",
        /// A user logged in.
        UserLoggedIn = "user_logged_in",
        /// A user has taken the first step of a login, and must prove a second factor.
        UserFactorRequired = "user_factor_required",
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
        /// A user has another email address, with which they log in from now on.
        EmailChanged = "email_changed",
        /// A user has another username.
        UsernameChanged = "username_changed",
        /// A user or an administrator ended sessions of a user.
        SessionsRevoked = "sessions_revoked",
        /// An administrator let a user in again.
        UserEnabled = "user_enabled",
        /// An administrator shut a user out.
        UserDisabled = "user_disabled",
        /// An account is gone.
        UserDeleted = "user_deleted",
        /// The addresses of old records of the trail were shortened.
        AuditShortened = "audit_shortened",
        /// Old records of the trail were removed.
        AuditRemoved = "audit_removed",
    }
}

written_enum! {
    /// Why an event came out as it did. Only the trail says so: the person who failed is not told.
    Reason {
        /// There is no such user.
        UnknownUser = "unknown_user",
        /// It is not their password.
        WrongPassword = "wrong_password",
        /// They have no password.
        NoPassword = "no_password",
        /// It is not the code of their second factor.
        WrongCode = "wrong_code",
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
    /// What kind of actor did something.
    ActorKind {
        /// Somebody at the other end of a connection who has not proved who they are.
        Visitor = "visitor",
        /// A user who acted for themselves.
        User = "user",
        /// An administrator, through an application's own code.
        Administrator = "administrator",
        /// Somebody at the program's command line.
        CommandLine = "command_line",
        /// The service itself, in the background.
        Service = "service",
    }
}

impl ActorKind {
    /// Returns whether it acts on accounts other than its own.
    pub fn is_administrative(self) -> bool {
        !matches!(self, Self::Visitor | Self::User)
    }
}

impl AuthEventKind {
    /// Returns whether it is written into the audit trail. A visitor who is sent to the login page is not:
    /// everybody who follows an old link is one.
    pub fn is_audited(self) -> bool {
        !matches!(self, Self::UserUnauthorized | Self::UserNeedsRefresh)
    }

    /// Returns whether it may have changed a session or its user, so that whoever remembers them has to ask
    /// again. What somebody only tries does not: by the time that their own next page takes, they could
    /// tell whether a name exists. A kind of a newer version may.
    pub fn changes_sessions(self) -> bool {
        !matches!(
            self,
            Self::UserRegistered
                | Self::UserFactorRequired
                | Self::UserLoginFailed
                | Self::UserThrottled
                | Self::UserUnauthorized
                | Self::UserNeedsRefresh
                | Self::AuditShortened
                | Self::AuditRemoved
        )
    }

    /// Returns whether somebody was refused something, which an operator may want to look into.
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
        for actor in ActorKind::ALL {
            assert_eq!(actor.as_str().parse(), Ok(*actor));
        }
    }

    #[test]
    fn a_word_of_a_newer_version_is_kept_and_what_is_no_word_is_refused() {
        let newer: AuthEventKind = "identity_linked".parse().unwrap();
        assert_eq!((newer.as_str(), newer.label()), ("identity_linked", "unknown"));
        assert!(!newer.is_known() && newer.is_audited() && !newer.is_refusal());
        assert!(newer.changes_sessions());
        assert_eq!("not a word".parse::<ActorKind>(), Err(crate::UnknownWord));
    }

    #[test]
    fn what_is_only_tried_changes_no_session() {
        use AuthEventKind as Kind;
        // Another browser may have ended a session, and a theft has.
        let ending = [Kind::SessionProtected, Kind::RememberedStolen];
        for kind in Kind::ALL {
            let is_try = kind.is_refusal() && !ending.contains(kind);
            assert!(!(is_try && kind.changes_sessions()), "{kind}");
        }
        assert!(Kind::UserLoggedIn.changes_sessions(), "the oldest session may have ended");
    }

    #[test]
    fn a_subject_names_its_kind_and_reads_back() {
        let id = SessionId::parse("01955555-5555-7555-8555-555555555555").unwrap();
        let subject = Subject::session(id);
        assert_eq!(subject.as_str(), "session:01955555-5555-7555-8555-555555555555");
        assert_eq!(Subject::from_saved(subject.to_string()), Some(subject));
        assert_eq!(Subject::from_saved("a line\nbreak".to_owned()), None);
        assert_eq!(Subject::from_saved(String::new()), None);
    }
}
