//! Tries are counted before they are made, and settled when their outcome is known.

pub(crate) mod browsers;
pub(crate) mod under_way;

use countersign_domain::throttle::{Count, Counter, OnSuccess, Tally};
use countersign_domain::{
    AuthEventKind, Counted, CounterKey, Duration, EmailAddress, OffsetDateTime, Reason, SessionId,
    StoreError, User, UserId,
};

use tokio::time::Instant;

use self::under_way::Begun;
use crate::caller::Caller;
use crate::core::Acting;

/// How long a try waits for others that are under way from the same place.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// Too many tries have failed. A later one may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many tries; the next one is let in after {retry_after:?}")]
pub struct Throttled {
    /// When to try again; at least a second.
    pub retry_after: std::time::Duration,
}

/// Why a try was not counted, and so not made.
pub(crate) enum NotCounted {
    Throttled(Throttled),
    Store(StoreError),
}

impl From<StoreError> for NotCounted {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A try that is counted, with what it did to each counter.
#[must_use = "a try succeeds, fails or is called off"]
#[derive(Default)]
pub(crate) struct Try {
    counts: Vec<(Counter, Count)>,
    /// Others wait until this is dropped.
    under_way: Option<Begun>,
}

impl Try {
    /// Returns two tries as one, which succeeds or fails.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.counts.extend(other.counts);
        self.under_way = self.under_way.or(other.under_way);
        self
    }

    /// Returns the counters of the try, each with the beginning of its period, to take it back later.
    pub(crate) fn counted(&self) -> Vec<(CounterKey, OffsetDateTime)> {
        self.counts.iter().map(|(counter, count)| (counter.key, count.after.since)).collect()
    }
}

impl Acting<'_> {
    /// Counts a try to prove that one is the owner of `email`, who is `user`, if there is one.
    pub(crate) async fn try_login(
        &self,
        user: Option<&User>,
        email: &EmailAddress,
    ) -> Result<Try, NotCounted> {
        let counters = self.login_counters(user, email).await?;
        self.count(counters, "user_login_refused").await
    }

    /// Counts a code by which somebody wants to complete a login as `user`.
    pub(crate) async fn try_code(&self, user: UserId) -> Result<Try, NotCounted> {
        let Some(policy) = &self.core.config.throttle else { return Ok(Try::default()) };
        self.count(policy.code(user), "user_login_refused").await
    }

    /// Counts a code by which a logged-in user wants to prove who they are: as a code, and as a try.
    pub(crate) async fn try_login_by_code(&self, user: &User) -> Result<Try, NotCounted> {
        let Some(policy) = &self.core.config.throttle else { return Ok(Try::default()) };
        let mut counters = self.login_counters(Some(user), &user.email).await?;
        counters.extend(policy.code(user.id));
        self.count(counters, "user_login_refused").await
    }

    /// Counts a change of what a user is called.
    pub(crate) async fn try_renaming(&self, user: UserId) -> Result<(), NotCounted> {
        let Some(policy) = &self.core.config.throttle else { return Ok(()) };
        self.count(policy.renaming(user), "renaming_refused").await.map(drop)
    }

    /// Counts a try to register.
    pub(crate) async fn try_registration(&self) -> Result<(), NotCounted> {
        let Some(policy) = &self.core.config.throttle else { return Ok(()) };
        let counters = policy.registration(self.caller.client.address);
        self.count(counters, "registration_refused").await.map(drop)
    }

    /// Returns a try that was counted earlier, by what [`Try::counted`] kept of it.
    pub(crate) async fn recall_try(
        &self,
        user: &User,
        counted: &[(CounterKey, OffsetDateTime)],
    ) -> Result<Try, StoreError> {
        let counters = self.login_counters(Some(user), &user.email).await?;
        let recall = |counter: Counter| {
            let (_, since) = counted.iter().find(|(key, _)| *key == counter.key)?;
            // What the counter had counted is not needed to take a try out of its period.
            Some((counter, Count { before: None, after: Tally { tries: 0, since: *since } }))
        };
        let counts = counters.into_iter().filter_map(recall).collect();
        Ok(Try { counts, under_way: None })
    }

    async fn login_counters(
        &self,
        user: Option<&User>,
        email: &EmailAddress,
    ) -> Result<Vec<Counter>, StoreError> {
        let Some(policy) = &self.core.config.throttle else { return Ok(Vec::new()) };
        let browser = self.known_browser(user).await?;
        Ok(policy.login(email, self.caller.client.address, browser.as_ref()))
    }

    /// Counts a try. `kind` is what the log says if it is not let in.
    pub(crate) async fn count(
        &self,
        counters: Vec<Counter>,
        kind: &str,
    ) -> Result<Try, NotCounted> {
        if counters.is_empty() {
            return Ok(Try::default());
        }
        let now = self.core.now();
        match self.count_in_turn(&counters, now).await? {
            Counted::In(counts) => {
                let places = counters.iter().filter(|counter| counter.scope.is_place());
                let places = places.map(|counter| counter.key).collect();
                let under_way = Some(self.core.under_way.begin(places));
                Ok(Try { counts: counters.into_iter().zip(counts).collect(), under_way })
            }
            Counted::Out { counter, until } => {
                let reason = counters.get(counter).map(|counter| counter.scope.reason());
                log_refusal(kind, reason, self.caller);
                self.core.metrics.throttled(reason);
                // Rounded up: a caller who waits as long as they are told is let in.
                let wait = (until - now).max(Duration::SECOND) + Duration::nanoseconds(999_999_999);
                let retry_after =
                    std::time::Duration::from_secs(wait.whole_seconds().unsigned_abs());
                Err(NotCounted::Throttled(Throttled { retry_after }))
            }
        }
    }

    /// Counts a try. Where its place is closed only because of tries that are under way, it waits for them:
    /// they may succeed, and many people may be behind one address.
    async fn count_in_turn(
        &self,
        counters: &[Counter],
        now: OffsetDateTime,
    ) -> Result<Counted, StoreError> {
        let (throttle, under_way) = (self.core.store.throttle(), &self.core.under_way);
        let (mut ended, mut is_again) = (under_way.ended_so_far(), false);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let counted = throttle.count_try(counters, now).await?;
            let Counted::Out { counter, .. } = counted else { return Ok(counted) };
            let place = counters.get(counter).filter(|counter| counter.scope.is_place());
            let Some(place) = place else { return Ok(counted) };
            let has_waited = under_way.wait(place.key, deadline).await;
            // The last one that was under way may have ended just before.
            let has_missed = !is_again && under_way.ended_so_far() != ended;
            if !has_waited && !has_missed {
                return Ok(counted);
            }
            is_again = !has_waited;
            ended = under_way.ended_so_far();
        }
    }

    /// Writes down that a try failed, and which doors it closed.
    pub(crate) async fn failed(
        &self,
        tried: Try,
        why: Reason,
        user: Option<UserId>,
        session: Option<SessionId>,
    ) -> Result<(), StoreError> {
        let record = |kind, reason, user| {
            let mut record = self.record(kind, user, session);
            record.audit.event.reason = Some(reason);
            record
        };
        let mut records = vec![record(AuthEventKind::UserLoginFailed, why, user)];
        let closed = tried.counts.iter().filter(|(counter, count)| {
            let counts_failures = counter.scope.on_success() != OnSuccess::Keep;
            counts_failures && counter.rule.was_closed_by(count.after)
        });
        records.extend(closed.map(|(counter, _)| {
            let user = user.filter(|_| counter.scope.on_success() == OnSuccess::Clear);
            record(AuthEventKind::UserThrottled, counter.scope.reason(), user)
        }));
        self.write_down(&records).await
    }

    /// Takes a try back that was no failure. The person's own counters begin anew, and nobody else's.
    pub(crate) async fn succeeded(&self, tried: Try) {
        let on_success = |wanted| {
            let all = tried.counts.iter().copied();
            all.filter(move |(counter, _)| counter.scope.on_success() == wanted)
        };
        let undo: Vec<_> = on_success(OnSuccess::TakeBack).collect();
        let clear: Vec<_> = on_success(OnSuccess::Clear).map(|(counter, _)| counter.key).collect();
        self.settle_try(&undo, &clear).await;
    }

    /// Takes a try back that was not made after all: there was no room for it before the hashing workers.
    pub(crate) async fn called_off(&self, tried: Try) {
        self.settle_try(&tried.counts, &[]).await;
    }

    async fn settle_try(&self, undo: &[(Counter, Count)], clear: &[CounterKey]) {
        if undo.is_empty() && clear.is_empty() {
            return;
        }
        // What stays counted slows somebody down for a while. That must not undo what they did.
        if let Err(error) = self.core.store.throttle().settle_try(undo, clear).await {
            tracing::warn!(%error, "a try stays counted");
        }
    }

    /// Forgets the failures on the account of a user, wherever they came from, since an administrator has
    /// seen to it. Failures from single addresses are forgotten by themselves within minutes.
    pub(crate) async fn forget_failures(&self, user: UserId) {
        let Some(policy) = &self.core.config.throttle else { return };
        let user = match self.core.store.users().user_by_id(user).await {
            Ok(Some(user)) => user,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, %user, "the failures on an account stay counted");
                return;
            }
        };
        let mut counters = policy.login(&user.email, None, None);
        counters.extend(policy.code(user.id));
        let own = counters.iter().filter(|one| one.scope.on_success() == OnSuccess::Clear);
        let own: Vec<_> = own.map(|counter| counter.key).collect();
        self.settle_try(&[], &own).await;
    }
}

/// Writes a line to the log for every refused try; `config/fail2ban` looks for it. The audit trail says
/// once that a door was closed: somebody who keeps knocking must not fill a table.
fn log_refusal(kind: &str, reason: Option<Reason>, caller: &Caller) {
    let address = caller.client.address.map(|address| address.to_string());
    let reason = reason.as_ref().map(Reason::as_str);
    let request_id = caller.request_id.as_deref();
    tracing::warn!(kind, address, reason, request_id, "authentication");
}
