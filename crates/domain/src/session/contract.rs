//! Sessions.
#![expect(
    clippy::missing_panics_doc,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says that a promise is broken by panicking"
)]

use time::Duration;

use crate::clock::CLOCK_TOLERANCE;
use crate::contract::fixtures::{
    START, Seed, ada_logged_in, any_record, grant, insert, is_live, register, renewal, session,
    token, user,
};
use crate::store::Store;
use crate::{
    Basis, Client, Ended, Keep, Method, PasswordHash, Proof, Session, SessionGrant, SessionId,
    SessionRenewal,
};

/// Checks that a token finds its session and its user as they were saved.
pub async fn a_session_is_found_by_its_token_with_its_user(store: &impl Store) {
    let (ada, session, token) = ada_logged_in(store).await;
    let found = store.sessions().session_by_token(&token).await.expect("the store answers");
    assert_eq!(found, Some((session.clone(), ada.clone())));
    assert_eq!(store.sessions().sessions_of(ada.id).await.expect("the store answers"), [session]);
}

/// Checks that a session needs an active user and the password that was checked.
pub async fn a_session_is_saved_only_while_what_it_rests_on_holds(store: &impl Store) {
    let ada = user("ada", 1);
    let (session, token) = session(&ada, START, 50);
    let is_saved = async |proof: Option<&Proof>| {
        let grant = SessionGrant { proof, ..grant(&session, &token) };
        let saved = store.sessions().insert_session(grant, &any_record()).await;
        saved.expect("the store answers")
    };
    assert!(!is_saved(None).await, "there is no such user");
    register(store, &ada).await;
    let stale = Proof::password(PasswordHash::from_phc("$argon2id$before"));
    assert!(!is_saved(Some(&stale)).await, "the password has changed");
    assert!(!is_live(store, &token).await);
    let hash = ada.password_hash.clone().expect("ada has a password");
    assert!(is_saved(Some(&Proof::password(hash))).await);
    assert!(is_live(store, &token).await);
}

/// Checks that the newest sessions stay when a user has too many.
pub async fn the_oldest_sessions_end_when_there_are_too_many(store: &impl Store) {
    let ada = user("ada", 1);
    register(store, &ada).await;
    let sessions: Vec<_> = (0..4_u8)
        .map(|n| session(&ada, START + Duration::minutes(n.into()), 50 + 10 * n))
        .collect();
    for (session, token) in &sessions {
        let grant = SessionGrant { max_per_user: 2, ..grant(session, token) };
        let saved = store.sessions().insert_session(grant, &any_record()).await;
        assert!(saved.expect("the session is saved"));
    }
    let left = store.sessions().sessions_of(ada.id).await.expect("the store answers");
    assert_eq!(left, [sessions[3].0.clone(), sessions[2].0.clone()]);
}

/// Checks that a session that begins is not the one that ends, although a wrong clock has made newer ones.
pub async fn a_session_that_begins_outlives_those_of_a_wrong_clock(store: &impl Store) {
    let ada = user("ada", 1);
    register(store, &ada).await;
    let (tomorrow, _) = session(&ada, START + Duration::DAY, 50);
    let (now, token) = session(&ada, START, 60);
    for (session, token) in [(&tomorrow, &session(&ada, START, 70).1), (&now, &token)] {
        let grant = SessionGrant { max_per_user: 1, ..grant(session, token) };
        let saved = store.sessions().insert_session(grant, &any_record()).await;
        assert!(saved.expect("the session is saved"));
    }
    assert_eq!(store.sessions().sessions_of(ada.id).await.expect("the store answers"), [now]);
    assert!(is_live(store, &token).await);
}

/// Checks that sessions are purged that began in the future, and a batch at a time.
pub async fn sessions_from_the_future_are_purged(store: &impl Store) {
    let (ada, _, live_token) = ada_logged_in(store).await;
    for seed in [60, 70, 80] {
        let began = START + CLOCK_TOLERANCE + Duration::seconds(i64::from(seed) - 59);
        let (tomorrow, token) = session(&ada, began, seed);
        insert(store, &tomorrow, &token).await;
    }
    let (soon, soon_token) = session(&ada, START + CLOCK_TOLERANCE, 90);
    insert(store, &soon, &soon_token).await;
    let purge = async |limit| {
        let purged = store.sessions().purge_sessions(START, START - Duration::HOUR, limit).await;
        purged.expect("they are removed")
    };
    assert_eq!([purge(2).await, purge(2).await, purge(2).await], [2, 1, 0]);
    assert!(is_live(store, &live_token).await && is_live(store, &soon_token).await);
}

/// Checks that an earlier use does not replace a later one, in whatever order they are saved.
pub async fn a_session_is_touched_forwards_only(store: &impl Store) {
    let (_, session, token) = ada_logged_in(store).await;
    let later = START + Duration::minutes(5);
    for at in [later, START + Duration::MINUTE] {
        store.sessions().touch_sessions(&[(session.id, at)]).await.expect("the time is noted");
        let found = store.sessions().session_by_token(&token).await.expect("the store answers");
        assert_eq!(found.map(|(session, _)| session.last_seen_at), Some(later));
    }
}

/// Checks that the old token of a renewed session finds nothing.
pub async fn a_renewed_session_has_a_new_token_and_the_old_one_opens_nothing(store: &impl Store) {
    let (ada, session, old) = ada_logged_in(store).await;
    let (new, later) = (token(&mut Seed(60)), START + Duration::HOUR);
    let client = Client::new(None, Some("Another/2.0"));
    let renewal = SessionRenewal {
        client: &client,
        methods: &session.methods.and(&Method::TestFactor.into()),
        ..renewal(&ada, &session, &new, later)
    };
    let replaced = store.sessions().renew_session(renewal, &any_record()).await;
    assert!(replaced.expect("the token is replaced"));
    assert!(!is_live(store, &old).await);
    let found = store.sessions().session_by_token(&new).await.expect("the store answers");
    let renewed = Session {
        client: client.clone(),
        authenticated_at: Some(later),
        methods: "pwd test".parse().expect("methods"),
        last_seen_at: later,
        ..session
    };
    assert_eq!(found.map(|(session, _)| session), Some(renewed));
}

/// Checks that a user ends their own sessions only.
pub async fn a_session_is_ended_by_its_owner_alone(store: &impl Store) {
    let (ada, session, token) = ada_logged_in(store).await;
    let eve = user("eve", 2);
    register(store, &eve).await;
    assert!(
        !store
            .sessions()
            .end_session(eve.id, session.id, None, &any_record())
            .await
            .expect("nothing happens")
    );
    assert!(is_live(store, &token).await);
    assert!(
        store
            .sessions()
            .end_session(ada.id, session.id, None, &any_record())
            .await
            .expect("the session ends")
    );
    assert!(!is_live(store, &token).await);
    assert!(
        !store
            .sessions()
            .end_session(ada.id, session.id, None, &any_record())
            .await
            .expect("it has ended already")
    );
}

/// Checks that all other sessions of a user end, and none of anybody else.
pub async fn all_other_sessions_end_at_once(store: &impl Store) {
    let (ada, kept, kept_token) = ada_logged_in(store).await;
    let eve = user("eve", 2);
    register(store, &eve).await;
    let (eves, eves_token) = session(&eve, START, 60);
    insert(store, &eves, &eves_token).await;
    for seed in [70, 80] {
        let (session, token) = session(&ada, START, seed);
        insert(store, &session, &token).await;
    }
    let end = async |keep: Option<SessionId>| {
        let keep = keep.map(|session| Keep { session, browser: None });
        let ended = store.sessions().end_sessions_of(ada.id, keep, &any_record()).await;
        ended.expect("they end").sessions
    };
    assert_eq!(end(Some(kept.id)).await, 2);
    assert!(is_live(store, &kept_token).await);
    assert_eq!(end(None).await, 1);
    assert!(!is_live(store, &kept_token).await);
    assert!(is_live(store, &eves_token).await);
}

/// Checks that a purge removes expired and idle sessions only, and a batch at a time.
pub async fn only_dead_sessions_are_purged_and_only_so_many(store: &impl Store) {
    let (ada, _, live_token) = ada_logged_in(store).await;
    let now = START + Duration::MINUTE;
    for seed in [60, 70, 80] {
        let (mut dead, token) = session(&ada, START - Duration::DAY, seed);
        if seed == 80 {
            dead.expires_at = now + Duration::DAY; // not expired, but idle
        } else {
            dead.last_seen_at = now;
        }
        insert(store, &dead, &token).await;
    }
    let idle_since = START - Duration::HOUR;
    let purge = async |limit| store.sessions().purge_sessions(now, idle_since, limit).await;
    assert_eq!(purge(2).await.expect("they are removed"), 2);
    assert_eq!(purge(2).await.expect("it is removed"), 1);
    assert_eq!(purge(2).await.expect("none is left"), 0);
    assert!(is_live(store, &live_token).await);
}

/// Checks that a session is renewed only while its user is active and has the password that they proved.
pub async fn a_session_is_renewed_only_while_its_basis_holds(store: &impl Store) {
    let (ada, session, old) = ada_logged_in(store).await;
    let eve = user("eve", 2);
    register(store, &eve).await;
    let new = token(&mut Seed(60));
    let is_renewed = async |basis: Basis<'_>| {
        let renewal = SessionRenewal { basis, ..renewal(&ada, &session, &new, START) };
        store.sessions().renew_session(renewal, &any_record()).await.expect("the store answers")
    };
    let basis = Basis::of(&ada, session.id);
    let another = PasswordHash::from_phc("$argon2id$another");
    assert!(!is_renewed(Basis { password: Some(&another), ..basis }).await, "another password");
    assert!(!is_renewed(Basis { password: None, ..basis }).await, "a password");
    assert!(!is_renewed(Basis::of(&eve, session.id)).await, "another's session");
    assert!(is_live(store, &old).await);
    assert!(is_renewed(basis).await);
    store.users().set_active(ada.id, false, &any_record()).await.expect("ada is disabled");
    assert!(!is_renewed(basis).await, "a disabled user");
}

/// Checks that a session which has ended, or is another's, ends no other.
pub async fn whoever_asks_in_an_ended_session_ends_nothing(store: &impl Store) {
    let (ada, other, other_token) = ada_logged_in(store).await;
    let (ended, ended_token) = session(&ada, START, 60);
    insert(store, &ended, &ended_token).await;
    let sessions = store.sessions();
    let is_ended = sessions.end_session(ada.id, ended.id, None, &any_record()).await;
    assert!(is_ended.expect("it ends"));
    let eve = user("eve", 2);
    register(store, &eve).await;
    let (eves, eves_token) = session(&eve, START, 70);
    insert(store, &eves, &eves_token).await;
    for by in [ended.id, eves.id] {
        let is_ended = sessions.end_session(ada.id, other.id, Some(by), &any_record()).await;
        assert!(!is_ended.expect("the store answers"));
        let keep = Some(Keep { session: by, browser: None });
        let count = sessions.end_sessions_of(ada.id, keep, &any_record()).await;
        assert_eq!(count.expect("the store answers"), Ended::default());
    }
    assert!(is_live(store, &other_token).await && is_live(store, &eves_token).await);
    let is_ended = sessions.end_session(ada.id, other.id, Some(other.id), &any_record()).await;
    assert!(is_ended.expect("a session ends itself"));
}
