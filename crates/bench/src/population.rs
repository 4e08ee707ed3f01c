//! The users of a site, each with a session that lasts longer than the measurement.

use countersign_auth::{Auth, Caller, NewUser};
use countersign_domain::{
    Client, Clock, EmailAddress, Method, SecretToken, Session, SessionId, SystemClock, User,
    UserId, Username,
};
use countersign_persistence::SqlStore;
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use tokio::runtime::Runtime;

use crate::Outcome;

pub(crate) const PASSWORD: &str = "tidal lantern orbit mauve";
pub(crate) const WRONG: &str = "copper window seven gulls";

/// The users of a site. The `n`th user has the address [`address`]`(n)` and the `n`th session.
#[derive(Debug)]
pub(crate) struct Population {
    /// The session token of each user.
    tokens: Vec<String>,
}

/// Returns the email address of the `n`th user.
pub(crate) fn address(n: u64) -> String {
    format!("member{n:06}@example.org")
}

impl Population {
    /// Creates `size` users, each with a session, in a database that has the schema. All have the same
    /// password and the same hash, since the time to make hashes is not measured here.
    pub(crate) fn make(url: &str, size: u64) -> Outcome<Self> {
        Runtime::new()?.block_on(async {
            let database = SqlStore::connect(url).await?;
            let hash = hash(&database).await?;
            let mut tokens = Vec::new();
            let (clock, mut rng) = (SystemClock, UnwrapErr(SysRng));
            // The number of users in one transaction.
            const BATCH: u64 = 10_000;
            for start in (0..size).step_by(BATCH as usize) {
                let (mut users, mut sessions) = (Vec::new(), Vec::new());
                for n in start..size.min(start + BATCH) {
                    let now = clock.now();
                    let (id, token) =
                        (UserId::generate(now, &mut rng), SecretToken::generate(&mut rng));
                    let (email, name) =
                        (EmailAddress::parse(&address(n))?, Username::parse("Member")?);
                    let mut user = User::new(id, email, name, now);
                    user.password_hash = Some(hash.clone());
                    users.push(user);
                    let (session, client) =
                        (SessionId::generate(now, &mut rng), Client::new(None, None));
                    let ends = now + time::Duration::hours(12);
                    let mut session = Session::new(session, id, client, now, ends);
                    session.authenticated_at = Some(now);
                    session.methods = Method::Password.into();
                    sessions.push((session, token.digest()));
                    tokens.push(token.expose().to_string());
                }
                database.insert_all(&users, &sessions).await?;
            }
            database.close().await;
            Ok(Self { tokens })
        })
    }

    pub(crate) fn size(&self) -> u64 {
        self.tokens.len() as u64
    }

    /// Returns a request for the members' page by the `n`th user.
    pub(crate) fn members_page(&self, n: u64) -> Vec<u8> {
        let token = self.tokens.get((n % self.size().max(1)) as usize);
        let token = token.map_or("", String::as_str);
        format!("GET /blogs HTTP/1.1\r\nHost: localhost\r\nCookie: session={token}\r\n\r\n")
            .into_bytes()
    }
}

/// Registers a user, and returns the hash of [`PASSWORD`] that the service made.
async fn hash(database: &SqlStore) -> Outcome<countersign_domain::PasswordHash> {
    let auth = Auth::new(database.clone());
    let caller = &Caller::administrator();
    let new = NewUser::new("hash@example.org", "Hash", PASSWORD);
    let registered = auth.by(caller).register(new).await?;
    Ok(registered.user.password_hash.ok_or("a user who registered has no password")?)
}
