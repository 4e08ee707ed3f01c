use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use countersign_domain::{
    Duration, OffsetDateTime, Session, TokenDigest, User, UserId, is_from_future,
};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use quick_cache::sync::Cache;

/// The number of sessions that are kept. One takes about a kilobyte, all of them about 10 MiB.
const MOST: usize = 10_000;

/// The number of counters that all users share. Users who share one are read anew together, which costs a
/// little and harms nobody.
const SHARES: usize = 1_024;

/// The store's recent answers about tokens, so that not every request asks the store.
///
/// Changes are numbered. An answer is good while no change of its user has a higher number than the last
/// change before the store was asked: an answer that a change overtook on its way is never used. A change
/// gets its number when it is done, so a caller who is told that a session has ended can rely on it.
pub(crate) struct SessionCache {
    /// Kept apart from the unknown tokens: made-up tokens drive out nobody's session.
    known: Cache<[u8; 32], Arc<Known>>,
    unknown: Cache<[u8; 32], Asked>,
    /// How long an answer is good: another process may change what this one has read.
    max_staleness: Duration,
    changes: AtomicU64,
    last_of_user: Box<[AtomicU64]>,
    last_of_everybody: AtomicU64,
    start: Instant,
    /// Until when the answers are trusted, in microseconds after `start`. It is for ever until somebody
    /// begins to follow what other processes do.
    trusted_until: AtomicU64,
    trusted: Gauge,
    answers: Family<[(&'static str, &'static str); 1], Counter>,
    from_memory: Counter,
    from_store: Counter,
}

/// A session and its user, as the store knew them.
pub(crate) struct Known {
    pub(crate) user: Arc<User>,
    pub(crate) session: Arc<Session>,
    asked: Asked,
    /// In microseconds since 1970. Later than the session says if it was used meanwhile.
    last_seen: AtomicI64,
}

/// When the store was asked.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    at: Moment,
    last_change: u64,
}

/// A moment by two clocks: the one that the service goes by, which may be set back, and one that only moves
/// on.
#[derive(Clone, Copy)]
struct Moment {
    time: OffsetDateTime,
    instant: Instant,
}

/// What is known about a token.
pub(crate) enum Answer {
    Session(Arc<Known>),
    Nobody,
    /// The store has to be asked. Its answer is kept with this.
    Ask(Asked),
}

/// A change that is under way. Dropped before its outcome is known, it counts as done.
pub(crate) struct Change<'a> {
    cache: &'a SessionCache,
    user: Option<UserId>,
    is_known: bool,
}

impl Change<'_> {
    /// Ends the change, in which `user` was changed, or nobody.
    pub(crate) fn end(mut self, user: Option<UserId>) {
        self.is_known = true;
        if let Some(user) = user {
            self.cache.changed(user);
        }
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        match self.user {
            _ if self.is_known => {}
            Some(user) => self.cache.changed(user),
            None => self.cache.all_changed(),
        }
    }
}

impl SessionCache {
    pub(crate) fn new(max_staleness: Duration) -> Self {
        let answers = Family::default();
        let from = |source| answers.get_or_create_owned(&[("source", source)]);
        let (from_memory, from_store) = (from("memory"), from("store"));
        let trusted = Gauge::default();
        trusted.set(1);
        Self {
            start: Instant::now(),
            trusted_until: AtomicU64::new(u64::MAX),
            trusted,
            known: Cache::new(MOST),
            unknown: Cache::new(MOST),
            max_staleness,
            changes: AtomicU64::new(0),
            last_of_user: std::iter::repeat_with(AtomicU64::default).take(SHARES).collect(),
            last_of_everybody: AtomicU64::new(0),
            answers,
            from_memory,
            from_store,
        }
    }

    pub(crate) fn register_metrics(&self, registry: &mut Registry) {
        let help = "Session tokens that were looked up by where the answer came from";
        registry.register("countersign_session_lookups", help, self.answers.clone());
        let help =
            "0 while what other processes do cannot be followed, and each lookup asks the store";
        registry.register("countersign_session_cache_trusted", help, self.trusted.clone());
    }

    /// Looks up whose token it is, as far as is known at `now`.
    pub(crate) fn look_up(&self, token: &TokenDigest, now: OffsetDateTime) -> Answer {
        let answer = self.known_at(token, now);
        match answer {
            Answer::Ask(_) => self.from_store.inc(),
            Answer::Session(_) | Answer::Nobody => self.from_memory.inc(),
        };
        answer
    }

    fn known_at(&self, token: &TokenDigest, time: OffsetDateTime) -> Answer {
        let now = Moment { time, instant: Instant::now() };
        if !self.is_trusted(now.instant) {
            return self.ask(now);
        }
        if let Some(known) = self.known.get(token.as_bytes())
            && self.is_recent(known.asked.at, now)
            && self.last_change_of(known.user.id) <= known.asked.last_change
        {
            return Answer::Session(known);
        }
        // No change of a user gives an unknown token an owner: tokens are drawn anew.
        if let Some(asked) = self.unknown.get(token.as_bytes())
            && self.is_recent(asked.at, now)
            && self.last_of_everybody.load(Ordering::SeqCst) <= asked.last_change
        {
            return Answer::Nobody;
        }
        self.ask(now)
    }

    fn ask(&self, now: Moment) -> Answer {
        Answer::Ask(Asked { at: now, last_change: self.changes.load(Ordering::SeqCst) })
    }

    fn is_recent(&self, at: Moment, now: Moment) -> bool {
        at.time <= now.time
            && now.time - at.time < self.max_staleness
            && now.instant.duration_since(at.instant) < self.max_staleness
    }

    /// Returns how long an answer is good.
    pub(crate) fn max_staleness(&self) -> Duration {
        self.max_staleness
    }

    /// Trusts recent answers for the time of `lease` from `since` on, when the changes of other processes
    /// had been read.
    pub(crate) fn trust(&self, since: Instant, lease: std::time::Duration) {
        self.trusted_until.store(self.micros_at(since + lease), Ordering::Release);
        self.trusted.set(1);
    }

    /// Stops trusting recent answers: the store is asked for each token.
    pub(crate) fn distrust(&self) {
        self.trusted_until.store(0, Ordering::Release);
        self.trusted.set(0);
    }

    fn is_trusted(&self, now: Instant) -> bool {
        self.micros_at(now) < self.trusted_until.load(Ordering::Acquire)
    }

    fn micros_at(&self, instant: Instant) -> u64 {
        let elapsed = instant.saturating_duration_since(self.start);
        elapsed.as_micros().try_into().unwrap_or(u64::MAX)
    }

    /// Keeps what the store answered.
    pub(crate) fn keep(
        &self,
        token: &TokenDigest,
        asked: Asked,
        found: Option<(Session, User)>,
    ) -> Option<Arc<Known>> {
        let known = found.map(|(session, user)| {
            let last_seen = AtomicI64::new(micros(session.last_seen_at));
            Arc::new(Known { user: Arc::new(user), session: Arc::new(session), asked, last_seen })
        });
        if self.max_staleness.is_positive() {
            match &known {
                Some(known) => self.known.insert(*token.as_bytes(), Arc::clone(known)),
                None => self.unknown.insert(*token.as_bytes(), asked),
            }
        }
        known
    }

    /// Begins a change of a user or their sessions; of anybody, where it is not known of whom.
    pub(crate) fn change(&self, user: Option<UserId>) -> Change<'_> {
        Change { cache: self, user, is_known: false }
    }

    /// Notes that a user or their sessions have changed.
    pub(crate) fn changed(&self, user: UserId) {
        let number = self.next_change();
        if let Some(last) = self.share_of(user) {
            last.fetch_max(number, Ordering::SeqCst);
        }
    }

    /// Notes that anybody's sessions may have changed.
    pub(crate) fn all_changed(&self) {
        self.last_of_everybody.fetch_max(self.next_change(), Ordering::SeqCst);
    }

    fn next_change(&self) -> u64 {
        self.changes.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn last_change_of(&self, user: UserId) -> u64 {
        let own = self.share_of(user).map_or(u64::MAX, |last| last.load(Ordering::SeqCst));
        own.max(self.last_of_everybody.load(Ordering::SeqCst))
    }

    fn share_of(&self, user: UserId) -> Option<&AtomicU64> {
        // The end of an id is random.
        let [.., high, low] = user.as_uuid().into_bytes();
        self.last_of_user.get(usize::from(u16::from_be_bytes([high, low])) % SHARES)
    }
}

impl Known {
    /// Returns when the session was last used, as far as this process knows.
    pub(crate) fn last_seen_at(&self) -> OffsetDateTime {
        let used = Duration::microseconds(self.last_seen.load(Ordering::Relaxed));
        OffsetDateTime::UNIX_EPOCH.saturating_add(used)
    }

    /// Notes that the session was used.
    pub(crate) fn seen(&self, at: OffsetDateTime) {
        if is_from_future(self.last_seen_at(), at) {
            // A wrong clock noted it.
            self.last_seen.store(micros(at), Ordering::Relaxed);
        }
        self.last_seen.fetch_max(micros(at), Ordering::Relaxed);
    }
}

/// Times are saved to the microsecond.
fn micros(at: OffsetDateTime) -> i64 {
    at.unix_timestamp().saturating_mul(1_000_000).saturating_add(i64::from(at.microsecond()))
}
