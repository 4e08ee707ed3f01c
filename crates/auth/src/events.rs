use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{PoisonError, RwLock};

use countersign_domain::{Client, OffsetDateTime, SessionId, UserId};
use tokio::sync::oneshot;

use crate::Auth;

/// Hears of what happens to users and their sessions: what Flask-Login calls signals.
///
/// Each listener hears in the order in which things happen, on a thread of its own: one that is
/// slow, hangs or panics holds up nobody. One that falls more than a thousand events behind misses
/// the newest, which is logged.
pub trait AuthEvents: Send + 'static {
    /// Hears of one event.
    fn on(&self, event: &AuthEvent);
}

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthEvent {
    /// What.
    pub kind: AuthEventKind,
    /// To whom, where that is known. Nobody is named who only claimed to be somebody.
    pub user: Option<UserId>,
    /// In which session, where there is one.
    pub session: Option<SessionId>,
    /// From where.
    pub client: Client,
    /// When.
    pub at: OffsetDateTime,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthEventKind {
    /// Somebody has an account now.
    UserRegistered,
    /// A user logged in with their password.
    UserLoggedIn,
    /// Somebody tried to log in and may not, or a logged-in user did not know their password.
    UserLoginFailed,
    /// A user logged out.
    UserLoggedOut,
    /// A logged-in user proved once more who they are.
    UserLoginConfirmed,
    /// A session began because the user had asked to be remembered.
    UserRemembered,
    /// An anonymous visitor asked for what is only for members.
    UserUnauthorized,
    /// A user asked for what needs a fresh login, and theirs was not.
    UserNeedsRefresh,
    /// A session's token came from another browser than it was given to.
    SessionProtected,
    /// A remembered login was presented with a secret that had been used: it was stolen from one of
    /// two bearers. It and its sessions have ended.
    RememberedStolen,
    /// A user has a new password; their other sessions have ended.
    PasswordChanged,
    /// A user or an administrator ended sessions of a user.
    SessionsRevoked,
    /// An administrator let a user in again.
    UserEnabled,
    /// An administrator shut a user out.
    UserDisabled,
    /// An account is gone.
    UserDeleted,
}

impl AuthEvent {
    /// Writes a line to the log. What was typed is in none: people type passwords as names.
    fn log(&self) {
        let kind = tracing::field::debug(self.kind);
        let user = self.user.map(|id| id.to_string());
        let session = self.session.map(|id| id.to_string());
        let address = self.client.address.map(|address| address.to_string());
        match self.kind {
            // Every visitor who follows a link to a members' page.
            AuthEventKind::UserUnauthorized | AuthEventKind::UserNeedsRefresh => {
                tracing::debug!(kind, user, session, address, "authentication");
            }
            AuthEventKind::UserLoginFailed
            | AuthEventKind::SessionProtected
            | AuthEventKind::RememberedStolen => {
                tracing::warn!(kind, user, session, address, "authentication");
            }
            _ => tracing::info!(kind, user, session, address, "authentication"),
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

    /// Tells the listeners that something has happened now. For what a framework sees and the
    /// service does not, such as a visitor who was turned away.
    pub fn tell(
        &self,
        kind: AuthEventKind,
        user: Option<UserId>,
        session: Option<SessionId>,
        client: &Client,
    ) {
        let (client, at) = (client.clone(), self.clock.now());
        let event = AuthEvent { kind, user, session, client, at };
        event.log();
        self.listeners.tell(&event);
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
