//! A site with many users and as many sessions, all of them members for as long as is measured.

use countersign_auth::{Auth, Caller, Registration};
use countersign_domain::{
    Client, Clock, EmailAddress, SecretToken, Session, SessionId, SystemClock, User, UserId,
    Username,
};
use countersign_persistence::Database;
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use tokio::runtime::Runtime;

use crate::Outcome;

pub(crate) const PASSWORD: &str = "tidal lantern orbit mauve";
pub(crate) const WRONG: &str = "copper window seven gulls";

/// The users of a site: the `n`th one has a known address and the `n`th session.
#[derive(Debug)]
pub(crate) struct Population {
    /// What each user's browser shows.
    tokens: Vec<String>,
}

/// The address of the `n`th user.
pub(crate) fn address(n: u64) -> String {
    format!("member{n:06}@example.org")
}

impl Population {
    /// Makes `size` users with a session each in a database whose schema is there. All have one
    /// password and one hash of it: making hashes is not what is measured.
    pub(crate) fn make(url: &str, size: u64) -> Outcome<Self> {
        Runtime::new()?.block_on(async {
            let database = Database::connect(url).await?;
            let hash = hash(&database).await?;
            let mut tokens = Vec::new();
            let (clock, mut rng) = (SystemClock, UnwrapErr(SysRng));
            // Each batch is a transaction, and a line of progress is worth that much time.
            const BATCH: u64 = 10_000;
            for start in (0..size).step_by(BATCH as usize) {
                let (mut users, mut sessions) = (Vec::new(), Vec::new());
                for n in start..size.min(start + BATCH) {
                    let now = clock.now();
                    let (id, token) =
                        (UserId::generate(now, &mut rng), SecretToken::generate(&mut rng));
                    users.push(User {
                        id,
                        email: EmailAddress::parse(&address(n))?,
                        username: Username::parse("Member")?,
                        password_hash: Some(hash.clone()),
                        is_active: true,
                        created_at: now,
                        updated_at: now,
                    });
                    let session = Session {
                        id: SessionId::generate(now, &mut rng),
                        user_id: id,
                        client: Client::new(None, None),
                        created_at: now,
                        remembered: None,
                        authenticated_at: Some(now),
                        last_seen_at: now,
                        expires_at: now + time::Duration::hours(12),
                    };
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

    /// The members' page, asked for by the `n`th user.
    pub(crate) fn members_page(&self, n: u64) -> Vec<u8> {
        let token = self.tokens.get((n % self.size().max(1)) as usize);
        let token = token.map_or("", String::as_str);
        format!("GET /blogs HTTP/1.1\r\nHost: localhost\r\nCookie: session={token}\r\n\r\n")
            .into_bytes()
    }
}

/// The hash of [`PASSWORD`], as the service makes it.
async fn hash(database: &Database) -> Outcome<countersign_domain::PasswordHash> {
    let auth = Auth::new(database.clone());
    let caller = &Caller::administrator();
    let (email, username) = ("hash@example.org", "Hash");
    let user = auth.register(Registration { email, username, password: PASSWORD, caller }).await?;
    Ok(user.password_hash.ok_or("a user who registered has no password")?)
}
