pub(crate) mod principal;
pub(crate) mod proof;
pub(crate) mod store;

#[cfg(feature = "contract")]
pub(crate) mod contract;
#[cfg(feature = "memory")]
mod memory;

use time::{Duration, OffsetDateTime};

use crate::clock::is_from_future;
use crate::id::uuid_v7_id;
use crate::{Client, Methods, RememberedId, UserId};

uuid_v7_id! {
    /// Names a session to its owner, in the list of their sessions. It opens nothing: that takes
    /// the session's token.
    SessionId
}

/// The time in which a user is logged in on one client, from a login until it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
    /// When the user last proved in it who they are, which makes it fresh; `None` when it began because
    /// they were remembered.
    pub authenticated_at: Option<OffsetDateTime>,
    /// How they proved it; empty when they did not.
    pub methods: Methods,
    /// When it was last used. Written behind: up to a minute late.
    pub last_seen_at: OffsetDateTime,
    /// When it ends, however much it is used.
    pub expires_at: OffsetDateTime,
}

/// How long sessions live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
    /// Returns a session in which its user has proved nothing yet.
    pub fn new(
        id: SessionId,
        user_id: UserId,
        client: Client,
        created_at: OffsetDateTime,
        expires_at: OffsetDateTime,
    ) -> Self {
        Self {
            id,
            user_id,
            client,
            created_at,
            remembered: None,
            authenticated_at: None,
            methods: Methods::default(),
            last_seen_at: created_at,
            expires_at,
        }
    }

    /// Returns whether the session still stands at `now`.
    pub fn is_live(&self, now: OffsetDateTime, lifetimes: &SessionLifetimes) -> bool {
        self.is_live_when_seen(self.last_seen_at, now, lifetimes)
    }

    /// Returns whether the session still stands at `now` if it was last used at `seen`, which is not
    /// written down yet.
    pub fn is_live_when_seen(
        &self,
        seen: OffsetDateTime,
        now: OffsetDateTime,
        lifetimes: &SessionLifetimes,
    ) -> bool {
        if is_from_future(self.created_at, now) || now >= self.expires_at {
            return false;
        }
        // A use that a wrong clock noted must not keep it alive until then.
        let proven = self.authenticated_at.unwrap_or(self.created_at);
        let uses = [self.created_at, proven, self.last_seen_at, seen];
        let last = uses.into_iter().filter(|at| !is_from_future(*at, now)).max();
        last.is_some_and(|last| now < last.saturating_add(lifetimes.idle))
    }

    /// Returns whether the user proved who they are a short while before `now`.
    pub fn is_fresh(&self, now: OffsetDateTime, lifetimes: &SessionLifetimes) -> bool {
        self.authenticated_at.is_some_and(|proven| {
            !is_from_future(proven, now) && now < proven.saturating_add(lifetimes.fresh)
        })
    }
}

#[cfg(test)]
mod tests {
    use getrandom::SysRng;
    use proptest::prelude::{Strategy, prop_assert, proptest};
    use rand_core::UnwrapErr;

    use super::*;
    use crate::clock::CLOCK_TOLERANCE;

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn session() -> Session {
        let rng = &mut UnwrapErr(SysRng);
        let (id, user) = (SessionId::generate(START, rng), UserId::generate(START, rng));
        let end = START + Duration::hours(12);
        let mut session = Session::new(id, user, Client::default(), START, end);
        session.authenticated_at = Some(START);
        session
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

    fn moment() -> impl Strategy<Value = OffsetDateTime> {
        (-200_000_i64..200_000).prop_map(|seconds| START + Duration::seconds(seconds))
    }

    proptest! {
        /// Whatever a wrong clock has written, and whatever time it is now.
        #[test]
        fn no_clock_makes_a_session_live_or_fresh_for_longer(
            began in moment(), proven in moment(), used in moment(), seen in moment(), now in moment(),
        ) {
            let lifetimes = SessionLifetimes::default();
            let mut session = session();
            (session.created_at, session.expires_at) = (began, began + lifetimes.absolute);
            (session.authenticated_at, session.last_seen_at) = (Some(proven), used);
            let tolerated = |at: OffsetDateTime, span| {
                at <= now + CLOCK_TOLERANCE && now < at + span
            };
            if session.is_live_when_seen(seen, now, &lifetimes) {
                prop_assert!(tolerated(began, lifetimes.absolute));
                let uses = [began, proven, used, seen];
                prop_assert!(uses.into_iter().any(|at| tolerated(at, lifetimes.idle)));
            }
            if session.is_fresh(now, &lifetimes) {
                prop_assert!(tolerated(proven, lifetimes.fresh));
            }
        }
    }

    #[test]
    fn a_session_that_began_tomorrow_opens_nothing_today() {
        let (lifetimes, session) = (SessionLifetimes::default(), session());
        let yesterday = START - Duration::DAY;
        assert!(
            !session.is_live(yesterday, &lifetimes) && !session.is_fresh(yesterday, &lifetimes)
        );
        assert!(session.is_live(START - CLOCK_TOLERANCE, &lifetimes), "clocks differ a little");
    }

    #[test]
    fn a_use_that_a_wrong_clock_noted_keeps_no_session_alive() {
        let lifetimes = SessionLifetimes::default();
        let session = Session { last_seen_at: START + Duration::hours(11), ..session() };
        assert!(session.is_live(START + Duration::minutes(29), &lifetimes));
        assert!(!session.is_live(START + Duration::minutes(30), &lifetimes));
    }

    #[test]
    fn a_session_of_somebody_who_was_only_remembered_is_never_fresh() {
        let session = Session { authenticated_at: None, ..session() };
        assert!(!session.is_fresh(START, &SessionLifetimes::default()));
    }
}
