//! The accounts that are tried.

use std::collections::BTreeMap;

use countersign_auth::{Auth, Caller, NewUser};
use countersign_domain::{AuditEntry, AuthEvent, AuthEventKind, Record, Store, User};
use countersign_persistence::SqlStore;
use fastrand::Rng;

use crate::Outcome;

/// A kind of account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An ordinary account, with which all others are compared.
    Known,
    Unknown,
    Disabled,
    Passwordless,
    /// A known account with a password that is refused before it is hashed.
    Control,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Known, Self::Unknown, Self::Disabled, Self::Passwordless, Self::Control];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Known => "known, wrong password",
            Self::Unknown => "unknown address",
            Self::Disabled => "disabled",
            Self::Passwordless => "without a password",
            Self::Control => "control: password too long",
        }
    }

    /// Returns a password that belongs to no account.
    pub(crate) fn password(self) -> &'static str {
        match self {
            Self::Control => TOO_LONG,
            _ => WRONG,
        }
    }
}

pub(crate) const PASSWORD: &str = "tidal lantern orbit mauve";
pub(crate) const WRONG: &str = "copper window seven gulls";
const TOO_LONG: &str = match std::str::from_utf8(&[b'x'; 200]) {
    Ok(text) => text,
    Err(_) => "",
};

/// Enough accounts that no single address, or its place in the database, decides the result for its kind.
const OF_EACH_KIND: usize = 16;

/// The addresses of each kind.
#[derive(Debug)]
pub(crate) struct People(BTreeMap<Kind, Vec<String>>);

impl People {
    /// Creates the accounts in a database that has the schema. All addresses have the same length, and
    /// neither they nor their order depend on the kind.
    pub(crate) async fn make(url: &str, rng: &mut Rng) -> Outcome<Self> {
        let database = SqlStore::connect(url).await?;
        let auth = Auth::new(database.clone());
        let mut kinds = [Kind::Known, Kind::Unknown, Kind::Disabled, Kind::Passwordless];
        let mut people: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
        for _ in 0..OF_EACH_KIND {
            rng.shuffle(&mut kinds);
            for kind in kinds {
                let name: String = (0..12).map(|_| rng.lowercase()).collect();
                let address = format!("{name}@example.org");
                make(&auth, &database, kind, &address).await?;
                people.entry(kind).or_default().push(address);
            }
        }
        if let Some(known) = people.get(&Kind::Known).cloned() {
            people.insert(Kind::Control, known);
        }
        database.close().await;
        Ok(Self(people))
    }

    pub(crate) fn one(&self, kind: Kind, rng: &mut Rng) -> Outcome<&str> {
        let address = self.0.get(&kind).and_then(|addresses| rng.choice(addresses));
        Ok(address.ok_or("there is no account of this kind")?)
    }
}

/// Creates an account of this kind. Returns `None` for the unknown kind, which has no account.
pub(crate) async fn make(
    auth: &Auth,
    store: &impl Store,
    kind: Kind,
    address: &str,
) -> Outcome<Option<User>> {
    if kind == Kind::Unknown {
        return Ok(None);
    }
    let caller = &Caller::administrator();
    let acting = auth.by(caller);
    let mut user = acting.register(NewUser::new(address, "Ada", PASSWORD)).await?.user;
    match kind {
        Kind::Disabled => {
            acting.admin().set_active(user.id, false).await?;
        }
        // Registration needs a password. An account without one comes from another way to log in.
        Kind::Passwordless => {
            acting.admin().delete(user.id).await?;
            user.password_hash = None;
            store.users().insert_user(&user, &registered(&user, caller)).await?;
            return Ok(Some(user));
        }
        _ => {}
    }
    Ok(Some(user))
}

fn registered(user: &User, caller: &Caller) -> Record {
    let mut event = AuthEvent::new(AuthEventKind::UserRegistered, caller.actor, user.created_at);
    event.user = Some(user.id);
    // The salt protects a client address, and there is none here.
    Record::new(AuditEntry { event, salt: [0; 16] })
}
