//! Remembered logins, and the sessions that belong to them.
#![expect(
    clippy::missing_panics_doc,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says that a promise is broken by panicking"
)]

use time::Duration;

use crate::clock::CLOCK_TOLERANCE;
use crate::contract::fixtures::{
    START, Seed, alike, any_record, grant, insert, is_live, register, remember_use, renewal,
    session, token, user,
};
use crate::store::Store;
use crate::{
    Ended, Keep, PasswordHash, Proof, RememberGrant, RememberOutcome, RememberUse, Remembered,
    RememberedId, Session, SessionGrant, TokenDigest, User,
};

/// A login that `ada` is remembered by, with what is recognised of its token.
pub(crate) struct Memory {
    pub(crate) ada: User,
    pub(crate) session: Session,
    pub(crate) session_token: TokenDigest,
    pub(crate) remembered: Remembered,
    pub(crate) series: TokenDigest,
    pub(crate) secret: TokenDigest,
}

/// Saves `ada` and a session of hers in which she asked to be remembered.
pub(crate) async fn ada_remembered(store: &impl Store) -> Memory {
    let ada = user("ada", 1);
    register(store, &ada).await;
    remember(store, ada, 50).await
}

pub(crate) async fn remember(store: &impl Store, ada: User, seed: u8) -> Memory {
    remember_at_most(store, ada, seed, 20).await
}

async fn remember_at_most(store: &impl Store, ada: User, seed: u8, max_per_user: u32) -> Memory {
    let (mut session, session_token) = session(&ada, START, seed);
    let rng = &mut Seed(seed + 3);
    let (id, end) = (RememberedId::generate(START, rng), START + Duration::days(14));
    let remembered = Remembered::new(id, ada.id, session.client.clone(), START, end);
    session.remembered = Some(remembered.id);
    let (series, secret) = (token(rng), token(rng));
    let grant = RememberGrant { remembered: &remembered, series: &series, secret: &secret };
    let grant = SessionGrant {
        remember: Some(grant),
        max_per_user,
        ..crate::contract::fixtures::grant(&session, &session_token)
    };
    assert!(
        store.sessions().insert_session(grant, &any_record()).await.expect("the login is saved")
    );
    Memory { ada, session, session_token, remembered, series, secret }
}

impl Memory {
    /// Returns the use of `secret` after so many seconds.
    pub(crate) fn using<'a>(
        &'a self,
        secret: &'a TokenDigest,
        next: &'a TokenDigest,
        after: i64,
    ) -> RememberUse<'a> {
        let now = START + Duration::seconds(after);
        remember_use([&self.series, secret, next], now, &self.session.client)
    }

    /// Presents `secret` after so many seconds, with ten seconds' grace.
    pub(crate) async fn present(
        &self,
        store: &impl Store,
        secret: &TokenDigest,
        next: &TokenDigest,
        after: i64,
    ) -> RememberOutcome {
        let (used, record) = (self.using(secret, next, after), any_record());
        store.remembered().use_remembered(used, alike(&record)).await.expect("the store answers")
    }

    pub(crate) async fn is_known(&self, store: &impl Store) -> bool {
        let all = store.remembered().remembered_of(self.ada.id).await.expect("the store answers");
        all.iter().any(|remembered| remembered.id == self.remembered.id)
    }

    /// Returns the sessions of the user.
    pub(crate) async fn sessions(&self, store: &impl Store) -> Vec<Session> {
        store.sessions().sessions_of(self.ada.id).await.expect("the store answers")
    }
}

/// Returns the session that has begun; the test fails if none has.
#[track_caller]
pub(crate) fn begun(outcome: RememberOutcome) -> Session {
    match outcome {
        RememberOutcome::Rotated(_, _, session) => session,
        other => panic!("no session has begun: {other:?}"),
    }
}

pub(crate) fn used_at(remembered: &Remembered, after: i64) -> Remembered {
    Remembered { used_at: START + Duration::seconds(after), ..remembered.clone() }
}

/// Checks that a session and its remembered login are saved together or not at all.
pub async fn a_remembered_login_begins_with_a_session_or_not_at_all(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let all = store.remembered().remembered_of(memory.ada.id).await.expect("the store answers");
    assert_eq!(all, std::slice::from_ref(&memory.remembered));
    let found =
        store.sessions().session_by_token(&memory.session_token).await.expect("the store answers");
    assert_eq!(found.map(|(session, _)| session), Some(memory.session.clone()));
    let (refused, token) = session(&memory.ada, START, 70);
    let id = RememberedId::generate(START, &mut Seed(80));
    let remembered = Remembered { id, ..memory.remembered.clone() };
    let grant = RememberGrant { remembered: &remembered, series: &token, secret: &token };
    let stale = Proof::password(PasswordHash::from_phc("$argon2id$before"));
    let grant = SessionGrant {
        proof: Some(&stale),
        remember: Some(grant),
        ..crate::contract::fixtures::grant(&refused, &token)
    };
    assert!(
        !store
            .sessions()
            .insert_session(grant, &any_record())
            .await
            .expect("the password has changed")
    );
    assert_eq!(
        store.remembered().remembered_of(memory.ada.id).await.expect("the store answers").len(),
        1
    );
}

/// Checks that no session begins after its remembered login has ended.
pub async fn a_session_is_refused_when_its_remembered_login_has_ended(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let (mut late, token) = session(&memory.ada, START, 120);
    late.remembered = Some(memory.remembered.id);
    let new = PasswordHash::from_phc("$argon2id$new");
    let changed = store.users().replace_password(memory.ada.id, &new, None, &any_record()).await;
    assert!(changed.expect("the password is changed"));
    let grant = grant(&late, &token);
    assert!(
        !store
            .sessions()
            .insert_session(grant, &any_record())
            .await
            .expect("the session is refused")
    );
    assert!(!is_live(store, &token).await);
}

/// Checks that each secret is good for one use, and the next one after it.
pub async fn a_used_secret_is_replaced(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let mut secret = memory.secret;
    for n in 1..=3_u8 {
        let (next, after) = (token(&mut Seed(100 + n)), 3_600 * i64::from(n));
        let used = memory.using(&secret, &next, after);
        let outcome = memory.present(store, &secret, &next, after).await;
        let rotated = used_at(&memory.remembered, after);
        let session = used.session(&rotated);
        assert_eq!(session.remembered, Some(rotated.id));
        assert_eq!((session.authenticated_at, session.created_at), (None, used.now));
        let expected = RememberOutcome::Rotated(rotated, memory.ada.clone(), session.clone());
        assert_eq!(outcome, expected);
        let found = store.sessions().session_by_token(&next).await.expect("the store answers");
        assert_eq!(found.map(|(session, _)| session), Some(session));
        secret = next;
    }
}

/// Checks that a remembered login has one session, however it began.
pub async fn a_session_takes_the_place_of_the_earlier_one_of_its_login(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let (other, other_token) = session(&memory.ada, START, 90);
    insert(store, &other, &other_token).await;
    let next = token(&mut Seed(100));
    let resumed = begun(memory.present(store, &memory.secret, &next, 60).await);
    assert!(!is_live(store, &memory.session_token).await);
    assert!(is_live(store, &other_token).await, "it is on another device");
    let (mut later, later_token) = session(&memory.ada, START + Duration::HOUR, 120);
    later.remembered = Some(memory.remembered.id);
    insert(store, &later, &later_token).await;
    assert!(!is_live(store, &next).await);
    assert_eq!(memory.sessions(store).await, [later, other]);
    assert_eq!(resumed.remembered, Some(memory.remembered.id));
    // It does not outlive its login.
    let (last, day) = (token(&mut Seed(110)), 24 * 60 * 60);
    let resumed = begun(memory.present(store, &next, &last, 14 * day - 60).await);
    assert_eq!(resumed.expires_at, memory.remembered.expires_at);
}

/// Checks that a user is remembered on so many clients, and that those in use stay.
pub async fn the_least_used_logins_end_when_there_are_too_many(store: &impl Store) {
    let (ada, eve) = (user("ada", 1), user("eve", 2));
    register(store, &ada).await;
    register(store, &eve).await;
    let eves = remember(store, eve, 200).await;
    let mut all = Vec::new();
    for seed in [50, 70, 90] {
        all.push(remember_at_most(store, ada.clone(), seed, 3).await);
    }
    // The oldest is in use.
    let next = token(&mut Seed(150));
    begun(all[0].present(store, &all[0].secret, &next, 60).await);
    let newest = remember_at_most(store, ada, 170, 3).await;
    assert!(all[0].is_known(store).await && newest.is_known(store).await);
    let known = [all[1].is_known(store).await, all[2].is_known(store).await];
    assert_eq!(known.iter().filter(|known| **known).count(), 1, "{known:?}");
    assert_eq!(newest.sessions(store).await.len(), 3, "a session ends with its login");
    assert!(eves.is_known(store).await);
}

/// Checks that neither an expired login nor that of a disabled user is good.
pub async fn an_expired_or_disabled_login_is_not_remembered(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let next = token(&mut Seed(100));
    let fortnight = 14 * 24 * 60 * 60;
    let outcome = memory.present(store, &memory.secret, &next, fortnight).await;
    assert_eq!(outcome, RememberOutcome::Unknown);
    assert!(
        store
            .users()
            .set_active(memory.ada.id, false, &any_record())
            .await
            .expect("ada is disabled")
    );
    assert!(!memory.is_known(store).await);
    assert!(
        store.users().set_active(memory.ada.id, true, &any_record()).await.expect("ada is enabled")
    );
    let outcome = memory.present(store, &memory.secret, &next, 60).await;
    assert_eq!(outcome, RememberOutcome::Unknown);
}

/// Checks that a logout also ends the remembered login of the session.
pub async fn a_remembered_login_ends_with_any_of_its_sessions(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let (mut later, later_token) = session(&memory.ada, START, 120);
    later.remembered = Some(memory.remembered.id);
    insert(store, &later, &later_token).await;
    assert!(
        store
            .sessions()
            .end_session(memory.ada.id, later.id, None, &any_record())
            .await
            .expect("the session ends")
    );
    assert!(!memory.is_known(store).await);
    assert!(!is_live(store, &memory.session_token).await);
}

/// Checks that a new password also ends the remembered login of the session that is kept.
pub async fn a_new_password_ends_all_remembered_logins(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let new = PasswordHash::from_phc("$argon2id$new");
    let next = token(&mut Seed(60));
    let kept = renewal(&memory.ada, &memory.session, &next, START);
    let changed =
        store.users().replace_password(memory.ada.id, &new, Some(kept), &any_record()).await;
    assert!(changed.expect("it is changed"));
    assert!(!memory.is_known(store).await);
    assert!(!is_live(store, &memory.session_token).await);
    let found = store.sessions().session_by_token(&next).await.expect("the store answers");
    let (session, _) = found.expect("the session is kept");
    assert_eq!(session, Session { remembered: None, ..memory.session.clone() });
}

/// Checks that ending the other sessions keeps the remembered login of the one kept, and no other.
pub async fn ending_the_other_sessions_keeps_the_login_of_the_one_kept(store: &impl Store) {
    let kept = ada_remembered(store).await;
    let other = remember(store, kept.ada.clone(), 80).await;
    let keep = Keep { session: kept.session.id, browser: None };
    let ended = store.sessions().end_sessions_of(kept.ada.id, Some(keep), &any_record()).await;
    assert_eq!(ended.expect("it ends"), Ended { sessions: 1, remembered: 1 });
    assert!(kept.is_known(store).await);
    assert!(is_live(store, &kept.session_token).await);
    assert!(!other.is_known(store).await);
    store.sessions().end_sessions_of(kept.ada.id, None, &any_record()).await.expect("they end");
    assert!(!kept.is_known(store).await);
}

/// Checks that a user ends their own remembered logins only.
pub async fn remembered_logins_are_listed_and_ended_by_their_owner_alone(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let eve = user("eve", 2);
    register(store, &eve).await;
    assert!(store.remembered().remembered_of(eve.id).await.expect("the store answers").is_empty());
    let id = memory.remembered.id;
    assert!(
        !store
            .remembered()
            .end_remembered(eve.id, id, None, &any_record())
            .await
            .expect("nothing happens")
    );
    assert!(memory.is_known(store).await);
    assert!(
        store
            .remembered()
            .end_remembered(memory.ada.id, id, None, &any_record())
            .await
            .expect("it ends")
    );
    assert!(!memory.is_known(store).await);
    assert!(!is_live(store, &memory.session_token).await);

    let memory = remember(store, memory.ada, 90).await;
    let ended = store.remembered().end_series(&memory.series, &any_record()).await;
    assert_eq!(ended.expect("it ends"), Some(memory.ada.id));
    assert!(!memory.is_known(store).await);
    assert!(!is_live(store, &memory.session_token).await);
}

/// Checks that a purge removes expired logins only, and a batch at a time.
pub async fn only_expired_logins_are_purged_and_only_so_many(store: &impl Store) {
    let ada = user("ada", 1);
    register(store, &ada).await;
    for seed in [50, 80, 110] {
        remember(store, ada.clone(), seed).await;
    }
    let purge = async |days, limit| {
        store.remembered().purge_remembered(START + Duration::days(days), limit).await
    };
    assert_eq!(purge(13, 10).await.expect("none has expired"), 0);
    assert_eq!(purge(15, 2).await.expect("they are removed"), 2);
    assert_eq!(purge(15, 2).await.expect("it is removed"), 1);
}

/// Checks that a login that a wrong clock began in the future is unknown until it is removed.
pub async fn a_remembered_login_from_the_future_is_unknown_and_purged(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let (day, next) = (Duration::DAY.whole_seconds(), token(&mut Seed(90)));
    assert_eq!(memory.present(store, &memory.secret, &next, -day).await, RememberOutcome::Unknown);
    let peeked = memory.using(&memory.secret, &next, -day);
    let peeked = store.remembered().peek_remembered(peeked).await.expect("the store answers");
    assert_eq!(peeked, Some(RememberOutcome::Unknown));
    let purge = async |now| store.remembered().purge_remembered(now, 10).await.expect("it purges");
    assert_eq!(purge(START - CLOCK_TOLERANCE).await, 0, "clocks differ a little");
    let yesterday = START - Duration::DAY;
    assert_eq!((purge(yesterday).await, purge(yesterday).await), (1, 0));
    assert_eq!(memory.present(store, &memory.secret, &next, 0).await, RememberOutcome::Unknown);
    assert!(!is_live(store, &memory.session_token).await);
}

/// Checks that no request joins another until the day on which a wrong clock said that it came.
pub async fn a_secret_that_was_replaced_in_the_future_joins_nothing(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let day = Duration::DAY.whole_seconds();
    let next = [90, 100, 110].map(|seed| token(&mut Seed(seed)));
    let rotated = memory.present(store, &memory.secret, &next[0], day).await;
    assert!(matches!(rotated, RememberOutcome::Rotated(..)), "{rotated:?}");
    let joined = memory.present(store, &memory.secret, &next[1], day).await;
    assert!(matches!(joined, RememberOutcome::Parallel(..)), "{joined:?}");
    // Its answer may have been lost.
    let rotated = memory.present(store, &memory.secret, &next[1], 3_600).await;
    assert!(matches!(rotated, RememberOutcome::Rotated(..)), "{rotated:?}");
    let stolen = memory.present(store, &next[0], &next[2], 3_601).await;
    assert!(matches!(stolen, RememberOutcome::Stolen(_)), "{stolen:?}");
}
