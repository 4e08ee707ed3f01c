use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{PoisonError, RwLock};

use countersign_domain::{
    AuditEntry, AuthEvent, AuthEventKind, Reason, SessionId, StoreError, UserId,
};
use tokio::sync::oneshot;

use crate::{Auth, Caller};

/// Hears of what happens to users and their sessions: what Flask-Login calls signals.
///
/// Each listener hears in the order in which things happen, on a thread of its own: one that is
/// slow, hangs or panics holds up nobody. One that falls more than a thousand events behind misses
/// the newest, which is logged.
pub trait AuthEvents: Send + 'static {
    /// Hears of one event.
    fn on(&self, event: &AuthEvent);
}

/// Writes a line to the log. What was typed is in none: people type passwords as names. The words
/// and the fields are relied upon: `config/fail2ban` looks for them.
fn log(event: &AuthEvent) {
    let kind = event.kind.as_str();
    let reason = event.reason.map(Reason::as_str);
    let user = event.user.map(|id| id.to_string());
    let session = event.session.map(|id| id.to_string());
    let address = event.client.address.map(|address| address.to_string());
    let request_id = event.request_id.as_deref();
    match (event.kind.is_audited(), event.kind.is_refusal()) {
        (false, _) => {
            tracing::debug!(kind, address, user, session, reason, request_id, "authentication");
        }
        (true, true) => {
            tracing::warn!(kind, address, user, session, reason, request_id, "authentication");
        }
        (true, false) => {
            tracing::info!(kind, address, user, session, reason, request_id, "authentication");
        }
    }
}

/// How many events a listener may be behind.
const BACKLOG: usize = 1_000;

/// Those who listen.
#[derive(Default)]
pub(crate) struct Listeners(RwLock<Vec<SyncSender<Message>>>);

enum Message {
    Event(AuthEvent),
    /// Answered when everything before it has been heard.
    Settle(oneshot::Sender<()>),
}

impl Listeners {
    fn add(&self, listener: impl AuthEvents) -> std::io::Result<()> {
        let (sender, messages) = sync_channel(BACKLOG);
        std::thread::Builder::new().name("countersign-events".to_owned()).spawn(move || {
            for message in messages {
                match message {
                    Message::Event(event) => {
                        if catch_unwind(AssertUnwindSafe(|| listener.on(&event))).is_err() {
                            tracing::error!(kind = ?event.kind, "a listener panicked");
                        }
                    }
                    Message::Settle(settled) => {
                        let _nobody_waits_any_more = settled.send(());
                    }
                }
            }
        })?;
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(sender);
        Ok(())
    }

    fn tell(&self, event: &AuthEvent) {
        for listener in self.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if listener.try_send(Message::Event(event.clone())).is_err() {
                tracing::warn!(kind = ?event.kind, "a listener is too far behind and missed this");
            }
        }
    }

    fn ask_to_settle(&self) -> Vec<oneshot::Receiver<()>> {
        let listeners = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let ask = |listener: &SyncSender<Message>| {
            let (settled, is_settled) = oneshot::channel();
            let asked = listener.try_send(Message::Settle(settled));
            asked.ok().map(|()| is_settled)
        };
        listeners.iter().filter_map(ask).collect()
    }
}

impl Auth {
    /// Has `listener` hear of everything that happens from now on.
    ///
    /// # Errors
    ///
    /// When the system gives it no thread.
    pub fn listen(&self, listener: impl AuthEvents) -> std::io::Result<()> {
        self.listeners.add(listener)
    }

    /// Tells the log and the listeners that something has happened now. For what a framework sees
    /// and the service does not, such as a visitor who was turned away; it is not written into the
    /// audit trail.
    pub fn tell(
        &self,
        kind: AuthEventKind,
        user: Option<UserId>,
        session: Option<SessionId>,
        caller: &Caller,
    ) {
        self.publish(&self.event(kind, user, session, caller));
    }

    fn event(
        &self,
        kind: AuthEventKind,
        user: Option<UserId>,
        session: Option<SessionId>,
        caller: &Caller,
    ) -> AuthEvent {
        AuthEvent {
            kind,
            reason: None,
            actor: caller.actor,
            user,
            session,
            client: caller.client.clone(),
            request_id: caller.request_id.clone(),
            at: self.clock.now(),
        }
    }

    /// What a store is to write down about something that is about to happen.
    pub(crate) fn entry(
        &self,
        kind: AuthEventKind,
        user: Option<UserId>,
        session: Option<SessionId>,
        caller: &Caller,
    ) -> AuditEntry {
        AuditEntry::new(self.event(kind, user, session, caller), &mut Self::rng())
    }

    /// Tells the log and the listeners what a store has written down.
    pub(crate) fn publish(&self, event: &AuthEvent) {
        log(event);
        self.metrics.heard(event);
        self.listeners.tell(event);
    }

    /// Writes down, and tells, what nothing else is saved of.
    pub(crate) async fn record(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        self.store.record(entries).await?;
        entries.iter().for_each(|entry| self.publish(&entry.event));
        Ok(())
    }

    /// Waits until every listener has heard of everything so far; for tests, and before a program
    /// ends.
    pub async fn settle(&self) {
        for settled in self.listeners.ask_to_settle() {
            // A listener that is gone has nothing more to hear.
            let _ = settled.await;
        }
    }
}
