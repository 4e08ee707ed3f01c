use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{PoisonError, RwLock};

use countersign_domain::{AuthEvent, Reason};
use tokio::sync::oneshot;

/// Hears of what happens to users and their sessions: what Flask-Login calls signals.
///
/// Each listener hears events in the order in which they happen, on a thread of its own. A listener that is
/// slow, hangs or panics delays nobody else. A listener that is more than a thousand events behind misses
/// the newest ones, and the log says so.
pub trait AuthEvents: Send + 'static {
    /// Hears of one event.
    fn on(&self, event: &AuthEvent);
}

/// Writes a line to the log. No line holds what somebody typed: people type passwords as names.
/// `config/fail2ban` relies on the words and the fields.
pub(crate) fn log(event: &AuthEvent) {
    let kind = event.kind.as_str();
    let reason = event.reason.as_ref().map(Reason::as_str);
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

/// The number of events that a listener may be behind.
const BACKLOG: usize = 1_000;

/// All listeners.
#[derive(Default)]
pub(crate) struct Listeners(RwLock<Vec<SyncSender<Message>>>);

enum Message {
    Event(Box<AuthEvent>),
    /// Answered when everything before it has been heard.
    Settle(oneshot::Sender<()>),
}

impl Listeners {
    pub(crate) fn add(&self, listener: impl AuthEvents) -> std::io::Result<()> {
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

    pub(crate) fn tell(&self, event: &AuthEvent) {
        for listener in self.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if listener.try_send(Message::Event(Box::new(event.clone()))).is_err() {
                tracing::warn!(kind = ?event.kind, "a listener is too far behind and missed this");
            }
        }
    }

    /// Waits until every listener has heard all events so far.
    pub(crate) async fn settle(&self) {
        for settled in self.ask_to_settle() {
            // A listener that is gone has nothing more to hear.
            let _ = settled.await;
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
