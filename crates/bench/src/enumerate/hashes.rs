//! Counts the password hashes that an attempt costs, inside the service. This needs no clock.

use std::fmt::Debug;

use countersign_auth::{
    Auth, AuthConfig, Authenticated, Caller, Credential, LogIn, LoginState, NewUser,
};
use countersign_domain::SystemClock;
use countersign_domain::memory::MemoryStore;
use serde::Serialize;

use super::people::{self, Kind, PASSWORD, WRONG};
use crate::Outcome;

/// What one attempt with a kind of account cost at a door of the service.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) door: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) hashes: u64,
    /// None for the control, exactly one for all others.
    pub(crate) expected: u64,
}

const STRANGER: &str = "nobody@example.org";

/// Counts the hashes at every door of the service that takes a password.
pub(crate) async fn count() -> Outcome<Vec<Cost>> {
    let store = MemoryStore::default();
    let mut config = AuthConfig::default();
    config.throttle = None;
    let auth = Auth::with(store.clone(), SystemClock, config)?;
    let caller = &Caller::administrator();
    let acting = auth.by(caller);
    let mut costs = Vec::new();
    let mut add = |door, kind: &'static str, hashes, expected| {
        costs.push(Cost { door, kind, hashes, expected });
    };
    for (number, kind) in Kind::ALL.into_iter().enumerate() {
        let address = format!("number{number}@example.org");
        people::make(&auth, &store, kind, &address).await?;
        let attempt = LogIn::new(&address, kind.password());
        let expected = u64::from(kind != Kind::Control);
        add("log_in", kind.name(), refused(&auth, acting.log_in(attempt)).await?, expected);
    }
    for kind in [Kind::Known, Kind::Disabled, Kind::Passwordless] {
        let who = &logged_in(&auth, &store, kind).await?;
        let account = acting.account(who);
        let confirmed = account.reauthenticate(Credential::Password(WRONG));
        add("reauthenticate", kind.name(), refused(&auth, confirmed).await?, 1);
        // A fresh login is enough to set a first password.
        if kind != Kind::Passwordless {
            let changed = account.change_password(Some(WRONG), "seven gulls mauve lantern");
            add("change_password", kind.name(), refused(&auth, changed).await?, 1);
        }
        let deleted = account.delete(Some(Credential::Password(WRONG)));
        add("delete_account", kind.name(), refused(&auth, deleted).await?, 1);
    }
    let new = NewUser::new(STRANGER, "Ada", PASSWORD);
    let before = auth.testing().hashes_computed();
    acting.register(new).await?;
    add("register", "free address", auth.testing().hashes_computed() - before, 1);
    add("register", "taken address", refused(&auth, acting.register(new)).await?, 1);
    costs.sort_by_key(|cost| cost.door);
    Ok(costs)
}

/// Returns how many hashes an attempt costs that must be refused.
async fn refused<T, E>(auth: &Auth, attempt: impl Future<Output = Result<T, E>>) -> Outcome<u64>
where
    E: Debug,
{
    let before = auth.testing().hashes_computed();
    match attempt.await {
        Ok(_) => Err("an attempt succeeded that should have been refused".into()),
        Err(_) => Ok(auth.testing().hashes_computed() - before),
    }
}

/// Logs a user in, and gives the account its special state afterwards where that state prevents a login.
async fn logged_in(auth: &Auth, store: &MemoryStore, kind: Kind) -> Outcome<Authenticated> {
    let caller = &Caller::administrator();
    let address = match kind {
        Kind::Known => "in-known@example.org",
        Kind::Disabled => "in-disabled@example.org",
        _ => "in-passwordless@example.org",
    };
    // A disabled user cannot log in, so the user is disabled after the login.
    let first = if kind == Kind::Disabled { Kind::Known } else { kind };
    let user = people::make(auth, store, first, address).await?.ok_or("there is no user")?;
    let acting = auth.by(caller);
    let Some(LoginState::Complete(begun)) = acting.log_in_user(&user, false).await? else {
        return Err("there is no session".into());
    };
    let who = acting.authenticate(&begun.token).await?.ok_or("the session has ended")?;
    if kind == Kind::Disabled {
        acting.admin().set_active(user.id, false).await?;
    }
    Ok(who)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_attempt_costs_what_is_expected_of_it() {
        let costs = count().await.unwrap();
        let wrong: Vec<_> = costs.iter().filter(|cost| cost.hashes != cost.expected).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(costs.iter().filter(|cost| cost.door == "log_in").count(), Kind::ALL.len());
        assert_eq!(costs.iter().filter(|cost| cost.expected == 0).count(), 1, "the control");
    }
}
