use std::net::IpAddr;

use time::{Duration, OffsetDateTime};

use crate::UserId;
use crate::user::uuid_v7_id;

uuid_v7_id! {
    /// Names a session to its owner, in the list of their sessions. It opens nothing: that takes
    /// the session's token.
    SessionId
}

/// The browser or program that a session was given to, as far as it can be known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Where it connected from.
    pub address: Option<IpAddr>,
    /// What it calls itself; see [`Client::new`].
    pub user_agent: Option<String>,
}

impl Client {
    /// The most bytes of a user agent that are kept.
    pub const MAX_USER_AGENT_BYTES: usize = 255;

    /// A client at `address` that calls itself `user_agent`. Of that, printable ASCII is kept, cut
    /// at [`Client::MAX_USER_AGENT_BYTES`]: the rest has no honest use in it.
    pub fn new(address: Option<IpAddr>, user_agent: Option<&str>) -> Self {
        let printable = |text: &str| {
            let is_printable = |byte: &u8| matches!(byte, b' '..=b'~');
            // Which almost all of them are, and every request has one.
            if text.len() <= Self::MAX_USER_AGENT_BYTES && text.as_bytes().iter().all(is_printable)
            {
                return text.to_owned();
            }
            let kept = text.chars().filter(|c| matches!(c, ' '..='~'));
            kept.take(Self::MAX_USER_AGENT_BYTES).collect::<String>()
        };
        Self { address, user_agent: user_agent.map(printable).filter(|text| !text.is_empty()) }
    }
}

uuid_v7_id! {
    /// Names a remembered login to the service. It opens nothing: that takes its token.
    RememberedId
}

/// That a user asked to be remembered on one client: what begins new sessions there after the old
/// ones have ended, until it ends itself.
///
/// Its token has two halves. The series stays the same and finds it; the secret is replaced each
/// time it is used, so that a stolen one shows: whichever of two bearers comes second brings a
/// secret that has been used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Its name.
    pub id: RememberedId,
    /// Who is remembered.
    pub user_id: UserId,
    /// The client that it was given to.
    pub client: Client,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When it was last used.
    pub used_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

/// That a user is logged in on one client, from a login until it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The session's name.
    pub id: SessionId,
    /// Whose session it is.
    pub user_id: UserId,
    /// The client that it was given to.
    pub client: Client,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// The remembered login that it belongs to; the two end together.
    pub remembered: Option<RememberedId>,
    /// When the user last proved who they are in it, which is what makes it fresh; `None` when it
    /// began because they were remembered.
    pub authenticated_at: Option<OffsetDateTime>,
    /// When it was last used. Written behind: up to a minute late.
    pub last_seen_at: OffsetDateTime,
    /// When it ends, however much it is used.
    pub expires_at: OffsetDateTime,
}

/// How long sessions live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLifetimes {
    /// A session that is not used for so long ends; 30 minutes by default (OWASP Session
    /// Management: 15 to 30 minutes).
    pub idle: Duration,
    /// A session ends after so long whatever happens; 12 hours by default (NIST SP 800-63B-4,
    /// section 2.1.3, asks for a limit and suggests 30 days at the most).
    pub absolute: Duration,
    /// A login counts as fresh for so long; 10 minutes by default (ASVS 7.5.1).
    pub fresh: Duration,
    /// A remembered login ends so long after it began; 14 days by default (NIST SP 800-63B-4,
    /// section 2.1.3: at most 30 days).
    pub remembered: Duration,
}

impl Default for SessionLifetimes {
    fn default() -> Self {
        Self {
            idle: Duration::minutes(30),
            absolute: Duration::hours(12),
            fresh: Duration::minutes(10),
            remembered: Duration::days(14),
        }
    }
}

impl Session {
    /// Whether the session still stands at `now`.
    pub fn is_live(&self, now: OffsetDateTime, lifetimes: &SessionLifetimes) -> bool {
        self.is_live_when_seen(self.last_seen_at, now, lifetimes)
    }

    /// Whether the session still stands at `now` if it was last used at `seen`, which is not
    /// written down yet.
    pub fn is_live_when_seen(
        &self,
        seen: OffsetDateTime,
        now: OffsetDateTime,
        lifetimes: &SessionLifetimes,
    ) -> bool {
        let seen = self.last_seen_at.max(seen);
        now < self.expires_at && now < seen.saturating_add(lifetimes.idle)
    }

    /// Whether the user proved who they are a short while before `now`.
    pub fn is_fresh(&self, now: OffsetDateTime, lifetimes: &SessionLifetimes) -> bool {
        self.authenticated_at.is_some_and(|proven| now < proven.saturating_add(lifetimes.fresh))
    }
}

#[cfg(test)]
mod tests {
    use getrandom::SysRng;
    use rand_core::UnwrapErr;

    use super::*;

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn session() -> Session {
        let rng = &mut UnwrapErr(SysRng);
        Session {
            id: SessionId::generate(START, rng),
            user_id: UserId::generate(START, rng),
            client: Client::default(),
            remembered: None,
            created_at: START,
            authenticated_at: Some(START),
            last_seen_at: START,
            expires_at: START + Duration::hours(12),
        }
    }

    #[test]
    fn a_session_idles_out_unless_it_is_used() {
        let (lifetimes, mut session) = (SessionLifetimes::default(), session());
        let almost = START + Duration::minutes(30) - Duration::microseconds(1);
        assert!(session.is_live(almost, &lifetimes));
        assert!(!session.is_live(START + Duration::minutes(30), &lifetimes));
        session.last_seen_at = almost;
        assert!(session.is_live(START + Duration::minutes(59), &lifetimes));
    }

    #[test]
    fn a_session_ends_for_good_however_much_it_is_used() {
        let (lifetimes, mut session) = (SessionLifetimes::default(), session());
        session.last_seen_at = START + Duration::hours(12) - Duration::SECOND;
        assert!(session.is_live(session.last_seen_at, &lifetimes));
        assert!(!session.is_live(START + Duration::hours(12), &lifetimes));
    }

    #[test]
    fn a_login_is_fresh_for_a_while() {
        let (lifetimes, session) = (SessionLifetimes::default(), session());
        assert!(session.is_fresh(START + Duration::seconds(599), &lifetimes));
        assert!(!session.is_fresh(START + Duration::seconds(600), &lifetimes));
    }

    #[test]
    fn a_session_of_somebody_who_was_only_remembered_is_never_fresh() {
        let session = Session { authenticated_at: None, ..session() };
        assert!(!session.is_fresh(START, &SessionLifetimes::default()));
    }

    #[test]
    fn a_user_agent_is_kept_short_and_printable() {
        let client = Client::new(None, Some("Fire\x1b[31mfox\r\n\u{202E}/1.0"));
        assert_eq!(client.user_agent.as_deref(), Some("Fire[31mfox/1.0"));
        let long = Client::new(None, Some(&"x".repeat(9_000)));
        assert_eq!(long.user_agent.unwrap().len(), Client::MAX_USER_AGENT_BYTES);
        assert_eq!(Client::new(None, Some("\r\n")).user_agent, None);
    }
}
