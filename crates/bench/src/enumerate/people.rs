//! The accounts that are tried.

use std::collections::BTreeMap;

use countersign_auth::{Auth, AuthConfig, Caller, NewUser};
use countersign_domain::{
    AuditEntry, AuthEvent, AuthEventKind, EmailAddress, Record, Store, User, UserId, Username,
};
use countersign_persistence::SqlStore;
use fastrand::Rng;
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;

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

/// Where hashes have two costs, those who have none get one of them by their address. So there are enough
/// addresses that each cost is met as often as it should.
const STRANGERS: usize = 4_000;
const PASSWORDLESS: usize = 400;

/// The passes of a hash after its cost was raised: twice as many.
pub(crate) const RAISED_PASSES: u32 = 4;

/// The addresses of each kind.
#[derive(Debug)]
pub(crate) struct People(BTreeMap<Kind, Vec<String>>);

impl People {
    /// Creates the accounts in a database that has the schema. All addresses have the same length, and
    /// neither they nor their order depend on the kind.
    ///
    /// Where the cost was `raised`, every other user registers with the cost before that.
    pub(crate) async fn make(url: &str, raised: bool, rng: &mut Rng) -> Outcome<Self> {
        let database = SqlStore::connect(url).await?;
        let before = Auth::new(database.clone());
        let mut config = AuthConfig::default();
        if raised {
            config.hashing.iterations = RAISED_PASSES;
        }
        let after = Auth::with(database.clone(), database.clock(), config)?;
        let (strangers, passwordless) =
            if raised { (STRANGERS, PASSWORDLESS) } else { (OF_EACH_KIND, OF_EACH_KIND) };
        let mut all = Vec::new();
        for (kind, count) in [
            (Kind::Known, OF_EACH_KIND),
            (Kind::Unknown, strangers),
            (Kind::Disabled, OF_EACH_KIND),
            (Kind::Passwordless, passwordless),
        ] {
            let auths = [&before, &after].into_iter().cycle();
            all.extend(auths.take(count).map(|auth| (kind, auth)));
        }
        rng.shuffle(&mut all);
        let mut people: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
        for (kind, auth) in all {
            let name: String = (0..12).map(|_| rng.lowercase()).collect();
            let address = format!("{name}@example.org");
            make(auth, &database, kind, &address).await?;
            people.entry(kind).or_default().push(address);
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
    // Registration needs a password. An account without one comes from another way to log in.
    if kind == Kind::Passwordless {
        let (email, name) = (EmailAddress::parse(address)?, Username::parse("Ada")?);
        let now = auth.now();
        let user = User::new(UserId::generate(now, &mut UnwrapErr(SysRng)), email, name, now);
        store.users().insert_user(&user, &registered(&user, caller)).await?;
        return Ok(Some(user));
    }
    let acting = auth.by(caller);
    let user = acting.register(NewUser::new(address, "Ada", PASSWORD)).await?.user;
    if kind == Kind::Disabled {
        acting.admin().set_active(user.id, false).await?;
    }
    Ok(Some(user))
}

fn registered(user: &User, caller: &Caller) -> Record {
    let mut event = AuthEvent::new(AuthEventKind::UserRegistered, caller.actor, user.created_at);
    event.user = Some(user.id);
    // The salt protects a client address, and there is none here.
    Record::new(AuditEntry { event, salt: [0; 16] })
}
