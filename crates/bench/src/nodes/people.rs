//! Any number of users and sessions, which the database server generates.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::client::{Connection, post};
use crate::population::{PASSWORD, address};
use crate::report::Figure;
use crate::site::Site;
use crate::{Outcome, note};

use super::server::{Database, Server};

const SESSIONS_EACH: u64 = 10;

/// The number of rows in one transaction, after each of which a line of progress is printed.
const BATCH: u64 = 1_000_000;

/// A stride that is coprime to every power of ten, so that it visits each user once.
const STRIDE: u64 = 7_919;

/// The users and sessions in a database.
///
/// The `n`th session has the token `n` and belongs to the user `n % users`. The number of users is even.
/// Users with an even number log in. Requests with a session use those of the other users, since a login may
/// end the oldest session of its user and make the site forget the oldest browser.
pub(super) struct People<'a> {
    pub(super) database: Database<'a>,
    pub(super) sessions: u64,
    users: u64,
    next: AtomicU64,
    next_client: AtomicU64,
}

impl<'a> People<'a> {
    /// Creates users, each with a known browser and sessions, while all indexes are in place. All have the
    /// same password and the same hash. A node that `start` starts on the database makes that hash.
    pub(super) fn make(
        server: &'a Server,
        sessions: u64,
        start: impl FnOnce(&str) -> Outcome<Site>,
    ) -> Outcome<Self> {
        note(&format!("making {sessions} sessions"));
        let database = server.database(sessions)?;
        let node = start(&database.url())?;
        let first = [("email", "hash@example.org"), ("username", "Hash"), ("password", PASSWORD)];
        let registered =
            Connection::open(node.address)?.send(&post("/register", &[], &first))?.0.status;
        drop(node);
        if registered != 303 {
            return Err(format!("the first registration was answered {registered}").into());
        }
        let users = (sessions / SESSIONS_EACH).next_multiple_of(2).max(2);
        for start in (0..users).step_by(BATCH as usize) {
            let end = users.min(start + BATCH);
            database.ask(&insert_users(start, end))?;
            database.ask(&insert_browsers(start, end))?;
        }
        for start in (0..sessions).step_by(BATCH as usize) {
            let end = sessions.min(start + BATCH);
            database.ask(&insert_sessions(start, end, users, sessions))?;
            note(&format!("{end} of {sessions} sessions"));
        }
        database.ask("VACUUM ANALYZE")?;
        let (next, next_client) = Default::default();
        Ok(Self { database, sessions, users, next, next_client })
    }

    /// Returns how many bytes a row takes, with and without its share of the indexes.
    pub(super) fn size(&self, table: &str, one: &str) -> Outcome<Vec<Figure>> {
        let size = |of: &str| -> Outcome<f64> {
            let bytes = format!("SELECT {of}('{table}')::float8 / count(*) FROM {table}");
            Ok(self.database.ask(&bytes)?.trim().parse()?)
        };
        let what = format!("{} sessions: size of {one}", self.sessions);
        let whole = Figure::new(&what, size("pg_total_relation_size")?, "bytes");
        let row = size("pg_relation_size")?;
        Ok(vec![whole, Figure::new(&format!("{what}, without indexes"), row, "bytes")])
    }

    /// Returns the token of the next session, going round at most `most` of them.
    pub(super) fn any_token(&self, most: u64) -> String {
        token(2 * self.any(most.min(self.sessions / 2)) + 1)
    }

    pub(super) fn any_address(&self) -> String {
        address(2 * self.any(self.users / 2))
    }

    /// Returns the email address of a user and the token of their known browser.
    pub(super) fn anybody_known(&self) -> (String, String) {
        let number = 2 * self.any(self.users / 2) + 1;
        (address(number), token(number))
    }

    pub(super) fn new_address(&self) -> String {
        format!("newcomer{}@example.org", self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns a client address that was not used before, in a network of its own.
    pub(super) fn any_client(&self) -> String {
        let [.., a, b, c] = self.next_client.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        format!("{}.{b}.{c}.1", 11 + a % 100)
    }

    fn any(&self, of: u64) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed).wrapping_mul(STRIDE) % of.max(1)
    }
}

/// Returns 256 bits that end with this number, in base64url: six bits for each character, and two padding
/// bits at the end.
fn token(n: u64) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut token = "A".repeat(32);
    for place in (0..11).rev() {
        let six = (u128::from(n) << 2) >> (6 * place) & 63;
        let character = ALPHABET.get(six as usize).copied().unwrap_or(b'A');
        token.push(char::from(character));
    }
    token
}

/// Returns an SQL expression of a UUID version 7, from one of milliseconds and one of 32 hexadecimal digits.
fn uuid(millis: &str, digits: &str) -> String {
    format!(
        "(lpad(to_hex({millis}), 12, '0') || '7' || substr({digits}, 1, 3) || '8' || \
         substr({digits}, 4, 15))::uuid"
    )
}

/// Returns an SQL expression of the id of the user with this number. One user registered each millisecond.
fn user(number: &str) -> String {
    uuid(&format!("1760000000000 + {number}"), &format!("md5('user ' || {number})"))
}

fn insert_users(start: u64, end: u64) -> String {
    let id = user("n");
    format!(
        "INSERT INTO users (id, email, email_canonical, username, password_hash, is_active, \
         created_at, updated_at) SELECT {id}, a, a, 'Member', (SELECT password_hash FROM users \
         WHERE email_canonical = 'hash@example.org'), true, t, t \
         FROM generate_series({start}::bigint, {end} - 1) n, LATERAL (SELECT \
         'member' || lpad(n::text, greatest(6, length(n::text)), '0') || '@example.org' a, \
         to_timestamp(1760000000 + n / 1000.0) AT TIME ZONE 'UTC' t) one"
    )
}

/// Inserts a known browser for each user. Its token is the number of the user.
fn insert_browsers(start: u64, end: u64) -> String {
    let user = user("n");
    format!(
        "INSERT INTO known_browsers (token_digest, user_id, created_at, used_at, is_proven, \
         expires_at) SELECT sha256(decode(lpad(to_hex(n), 64, '0'), 'hex')), {user}, \
         now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', true, (now() + interval '365 days') AT TIME ZONE 'UTC' \
         FROM generate_series({start}::bigint, {end} - 1) n"
    )
}

/// Inserts sessions of the last hours. Each was used within the last half hour by a current browser.
fn insert_sessions(start: u64, end: u64, users: u64, of: u64) -> String {
    let id = uuid("(extract(epoch FROM t) * 1000)::bigint", "md5('session ' || n)");
    let user = user("u");
    let mut insert = format!(
        "INSERT INTO sessions (id, user_id, token_digest, address, user_agent, created_at, \
         authenticated_at, methods, last_seen_at, expires_at) SELECT {id}, {user}, \
         sha256(decode(lpad(to_hex(n), 64, '0'), 'hex')), '203.0.113.' || n % 256, \
         'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
         Chrome/140.0.0.0 Safari/537.36', "
    );
    // Writing to a string does not fail.
    let _ = write!(
        insert,
        "t AT TIME ZONE 'UTC', t AT TIME ZONE 'UTC', 'password', \
         (now() - random() * interval '25 minutes') AT TIME ZONE 'UTC', \
         (t + interval '30 days') AT TIME ZONE 'UTC' \
         FROM generate_series({start}::bigint, {end} - 1) n, LATERAL (SELECT n % {users} u, \
         now() - ({of} - n) * interval '3 milliseconds' t) one"
    );
    insert
}

#[cfg(test)]
mod tests {
    use countersign_domain::SecretToken;

    use super::*;

    #[test]
    fn a_number_is_written_as_a_token() {
        for n in [0, 1, 63, 64, 10_000_000, u64::MAX] {
            let parsed = SecretToken::parse(&token(n)).unwrap();
            assert_eq!(parsed.expose().as_str(), token(n));
        }
        assert!(token(1).ends_with("AAE") && token(63).ends_with("AAD8"), "{}", token(63));
    }
}
