//! What every capability stands on: the store, the clock, and the one way to change something.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use countersign_domain::{
    AuditEntry, AuthEvent, AuthEventKind, Clock, EmailAddress, Ended, OffsetDateTime, Record,
    SessionId, Store, StoreError, UserId,
};

use crate::caller::Caller;
use crate::config::{AuthConfig, Protection};
use crate::events::{Listeners, log};
use crate::factors::Factors;
use crate::jobs::skew::Skew;
use crate::jobs::trust::Trust;
use crate::metrics::Metrics;
use crate::password::hasher::Hasher;
use crate::password::stand_in::{StandIn, StandIns};
use crate::random::rng;
use crate::session::cache::SessionCache;
use crate::session::seen::Seen;
use crate::throttle::under_way::UnderWay;

/// The parts of the service, which all of its clones share.
pub(crate) struct Core {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: AuthConfig,
    /// Set in place of the configured one.
    pub(crate) protection: OnceLock<Protection>,
    pub(crate) hasher: Hasher,
    pub(crate) listeners: Listeners,
    pub(crate) cache: SessionCache,
    pub(crate) seen: Seen,
    pub(crate) metrics: Metrics,
    pub(crate) skew: Skew,
    pub(crate) trust: Trust,
    pub(crate) stand_ins: StandIns,
    pub(crate) factors: Factors,
    pub(crate) under_way: Arc<UnderWay>,
}

/// What a store answers, as its ports return it.
pub(crate) type Answer<'s, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 's>>;

/// What came of a change.
pub(crate) trait Outcome {
    /// Returns the user who was changed, if anybody was. `meant` is the user whom the change was for, where
    /// that was known before.
    fn changed(&self, meant: Option<UserId>) -> Option<UserId>;
}

/// What either happens or fails.
impl Outcome for () {
    fn changed(&self, meant: Option<UserId>) -> Option<UserId> {
        meant
    }
}

impl Outcome for bool {
    fn changed(&self, meant: Option<UserId>) -> Option<UserId> {
        meant.filter(|_| *self)
    }
}

impl Outcome for Ended {
    fn changed(&self, meant: Option<UserId>) -> Option<UserId> {
        meant.filter(|_| *self != Self::default())
    }
}

impl Outcome for Option<UserId> {
    fn changed(&self, _: Option<UserId>) -> Option<UserId> {
        *self
    }
}

impl Core {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, config: AuthConfig) -> Self {
        let sessions = config.sessions;
        // A session that is used elsewhere meanwhile must not seem idle here.
        let max_staleness = sessions.max_staleness.min(sessions.lifetimes.idle);
        Self {
            trust: Trust::new(&clock),
            store,
            clock,
            protection: OnceLock::new(),
            hasher: Hasher::start(&config.hashing),
            stand_ins: StandIns::new(&config.hashing, &mut rng()),
            listeners: Listeners::default(),
            cache: SessionCache::new(max_staleness),
            seen: Seen::default(),
            metrics: Metrics::default(),
            skew: Skew::default(),
            factors: Factors::default(),
            under_way: Arc::default(),
            config,
        }
    }

    /// Returns what time it is to the service.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// Returns what is computed for an email address that nobody has.
    pub(crate) async fn stand_in(&self, email: &EmailAddress) -> StandIn {
        self.stand_ins.of(email, &*self.store, self.clock.steady()).await
    }

    /// Returns what happens to a session whose token comes from another browser.
    pub(crate) fn protection(&self) -> Protection {
        self.protection.get().copied().unwrap_or(self.config.sessions.protection)
    }

    /// Tells the log, the metrics and the listeners what has happened.
    pub(crate) fn publish(&self, event: &AuthEvent) {
        log(event);
        self.metrics.heard(event);
        self.listeners.tell(event);
    }
}

/// The service as one caller uses it.
#[derive(Clone, Copy)]
pub struct Acting<'a> {
    pub(crate) core: &'a Core,
    pub(crate) caller: &'a Caller,
}

impl<'a> Acting<'a> {
    /// Tells the log and the listeners that something has happened now. For what a framework sees and the
    /// service does not, such as a visitor who was turned away; it is not written into the audit trail.
    pub fn tell(&self, kind: AuthEventKind, user: Option<UserId>, session: Option<SessionId>) {
        self.core.publish(&self.event(kind, user, session));
    }

    fn event(
        &self,
        kind: AuthEventKind,
        user: Option<UserId>,
        session: Option<SessionId>,
    ) -> AuthEvent {
        let mut event = AuthEvent::new(kind, self.caller.actor, self.core.now());
        event.user = user;
        event.session = session;
        event.client = self.caller.client.clone();
        event.request_id.clone_from(&self.caller.request_id);
        event
    }

    /// Returns the record of something that is about to happen.
    pub(crate) fn record(
        &self,
        kind: AuthEventKind,
        user: Option<UserId>,
        session: Option<SessionId>,
    ) -> Record {
        let event = self.event(kind, user, session);
        Record::new(AuditEntry::new(event, &mut rng()))
    }

    /// Changes a user or what belongs to them: saves the change with its record in one transaction, drops
    /// what the cache knows of the user, and tells the listeners if and only if something changed. `user` is
    /// `None` where only the store knows whom the change is for.
    ///
    /// The cache is also cleared when nothing changed, since another process may have made the change
    /// before, and when the outcome stays unknown: the store failed, or nobody waits any longer.
    pub(crate) async fn change<'s, T: Outcome>(
        &self,
        user: Option<UserId>,
        record: &'s Record,
        change: impl FnOnce(&'s dyn Store, &'s Record) -> Answer<'s, T>,
    ) -> Result<T, StoreError>
    where
        'a: 's,
    {
        let core: &'a Core = self.core;
        let under_way = core.cache.change(user);
        let done = change(&*core.store, record).await?;
        let changed = done.changed(user);
        under_way.end(changed.or(user));
        if let Some(user) = changed {
            core.publish(&record.about(user).audit.event);
        }
        Ok(done)
    }

    /// Writes down, and tells, what changes nothing else.
    pub(crate) async fn write_down(&self, records: &[Record]) -> Result<(), StoreError> {
        self.core.store.audit().record(records).await?;
        records.iter().for_each(|record| self.core.publish(&record.audit.event));
        Ok(())
    }
}
