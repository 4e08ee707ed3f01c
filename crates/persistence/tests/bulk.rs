//! What was saved in bulk is found by the store.
#![cfg(feature = "bulk")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use countersign_domain::{
    Client, Clock, Duration, EmailAddress, SecretToken, Session, SessionId, Store, StoreError,
    SystemClock, User, UserId, Username,
};
use countersign_persistence::SqlStore;
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;

async fn database() -> SqlStore {
    let database = SqlStore::connect("sqlite::memory:").await.unwrap();
    countersign_migration::up(database.connection()).await.unwrap();
    database
}

/// A user with a session, and the token of that.
fn member(n: u32) -> (User, Session, SecretToken) {
    let (mut rng, now) = (UnwrapErr(SysRng), SystemClock.now());
    let id = UserId::generate(now, &mut rng);
    let email = EmailAddress::parse(&format!("member{n}@example.org")).unwrap();
    let user = User::new(id, email, Username::parse("Member").unwrap(), now);
    let (session, client) =
        (SessionId::generate(now, &mut rng), Client::new(None, Some("Firefox")));
    let mut session = Session::new(session, id, client, now, now + Duration::HOUR);
    session.authenticated_at = Some(now);
    (user, session, SecretToken::generate(&mut rng))
}

#[tokio::test]
async fn users_and_sessions_saved_in_bulk_are_those_that_the_store_finds() {
    let database = database().await;
    // More than go into one statement.
    let members: Vec<_> = (0..2_500).map(member).collect();
    let users: Vec<_> = members.iter().map(|(user, ..)| user.clone()).collect();
    let sessions = members.iter().map(|(_, session, token)| (session.clone(), token.digest()));
    database.insert_all(&users, &sessions.collect::<Vec<_>>()).await.unwrap();
    for (user, session, token) in members.iter().step_by(499) {
        let found = database.sessions().session_by_token(&token.digest()).await.unwrap();
        assert_eq!(found, Some((session.clone(), user.clone())));
        assert_eq!(database.users().user_by_email(&user.email).await.unwrap().as_ref(), Some(user));
    }
}

#[tokio::test]
async fn of_a_bulk_with_somebody_who_is_there_already_nothing_is_saved() {
    let database = database().await;
    let (ada, ..) = member(1);
    database.insert_all(std::slice::from_ref(&ada), &[]).await.unwrap();
    let (bob, ..) = member(2);
    let error = database.insert_all(&[bob.clone(), ada], &[]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert_eq!(database.users().user_by_email(&bob.email).await.unwrap(), None);
}
