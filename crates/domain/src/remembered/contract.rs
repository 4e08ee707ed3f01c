//! Remembered logins, and the sessions that belong to them.
#![expect(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a test says that a promise is broken by panicking"
)]

use futures_util::future::join_all;
use time::Duration;

use crate::clock::CLOCK_TOLERANCE;
use crate::contract::fixtures::{
    START, Seed, any_record, grant, insert, is_live, register, renewal, session, token, user,
};
use crate::store::Store;
use crate::{
    Ended, Keep, PasswordHash, Proof, RememberGrant, RememberOutcome, RememberUse, Remembered,
    RememberedId, Session, SessionGrant, TokenDigest, User,
};

/// A login that `ada` is remembered by, with what is recognised of its token.
pub(crate) struct Memory {
    ada: User,
    session: Session,
    session_token: TokenDigest,
    remembered: Remembered,
    pub(crate) series: TokenDigest,
    secret: TokenDigest,
}

/// Saves `ada` and a session of hers in which she asked to be remembered.
async fn ada_remembered(store: &impl Store) -> Memory {
    let ada = user("ada", 1);
    register(store, &ada).await;
    remember(store, ada, 50).await
}

pub(crate) async fn remember(store: &impl Store, ada: User, seed: u8) -> Memory {
    let (mut session, session_token) = session(&ada, START, seed);
    let rng = &mut Seed(seed + 3);
    let (id, end) = (RememberedId::generate(START, rng), START + Duration::days(14));
    let remembered = Remembered::new(id, ada.id, session.client.clone(), START, end);
    session.remembered = Some(remembered.id);
    let (series, secret) = (token(rng), token(rng));
    let grant = RememberGrant { remembered: &remembered, series: &series, secret: &secret };
    let grant = SessionGrant {
        remember: Some(grant),
        ..crate::contract::fixtures::grant(&session, &session_token)
    };
    assert!(
        store.sessions().insert_session(grant, &any_record()).await.expect("the login is saved")
    );
    Memory { ada, session, session_token, remembered, series, secret }
}

impl Memory {
    /// Returns the use of the first secret; the clock of it is the test's.
    fn used(&self) -> RememberUse<'_> {
        let (series, secret) = (&self.series, &self.secret);
        RememberUse { series, secret, next: &self.session_token, now: START, grace_since: START }
    }

    /// Presents `secret` after so many seconds, with ten seconds' grace.
    async fn present(
        &self,
        store: &impl Store,
        secret: &TokenDigest,
        next: &TokenDigest,
        after: i64,
    ) -> RememberOutcome {
        let now = START + Duration::seconds(after);
        let grace_since = now - Duration::seconds(10);
        let used = RememberUse { series: &self.series, secret, next, now, grace_since };
        store.remembered().use_remembered(used, &any_record()).await.expect("the store answers")
    }

    async fn is_known(&self, store: &impl Store) -> bool {
        let all = store.remembered().remembered_of(self.ada.id).await.expect("the store answers");
        all.iter().any(|remembered| remembered.id == self.remembered.id)
    }
}

fn used_at(remembered: &Remembered, after: i64) -> Remembered {
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
        let outcome = memory.present(store, &secret, &next, after).await;
        let rotated = used_at(&memory.remembered, after);
        assert_eq!(outcome, RememberOutcome::Rotated(rotated, memory.ada.clone()));
        secret = next;
    }
}

/// Checks that a browser may show one secret with several pages that it opens at once.
pub async fn a_secret_that_was_replaced_a_moment_ago_is_a_parallel_request(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let (next, other) = (token(&mut Seed(100)), token(&mut Seed(110)));
    memory.present(store, &memory.secret, &next, 60).await;
    let parallel = memory.present(store, &memory.secret, &other, 70).await;
    let stands = used_at(&memory.remembered, 60);
    assert_eq!(parallel, RememberOutcome::Parallel(stands, memory.ada.clone()));
    let outcome = memory.present(store, &next, &other, 80).await;
    assert!(matches!(outcome, RememberOutcome::Rotated(..)), "{outcome:?}");
}

/// Checks that a secret that is shown twice ends the login, since nobody can tell thief from owner.
pub async fn a_secret_that_was_replaced_before_is_a_theft_and_ends_everything(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let (next, other) = (token(&mut Seed(100)), token(&mut Seed(110)));
    memory.present(store, &memory.secret, &next, 60).await;
    let (mut later, later_token) = session(&memory.ada, START, 120);
    later.remembered = Some(memory.remembered.id);
    insert(store, &later, &later_token).await;
    let outcome = memory.present(store, &memory.secret, &other, 71).await;
    assert_eq!(outcome, RememberOutcome::Stolen(used_at(&memory.remembered, 60)));
    assert!(!memory.is_known(store).await);
    assert!(!is_live(store, &memory.session_token).await);
    assert!(!is_live(store, &later_token).await);
    let outcome = memory.present(store, &next, &other, 72).await;
    assert_eq!(outcome, RememberOutcome::Unknown);

    let memory = remember(store, memory.ada, 150).await;
    let outcome = memory.present(store, &other, &next, 1).await;
    assert!(matches!(outcome, RememberOutcome::Stolen(_)), "a made-up secret: {outcome:?}");
}

/// Checks that one of many who show a secret at once replaces it, and the others count as parallel.
pub async fn one_of_many_who_use_a_secret_at_once_replaces_it(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let next: Vec<_> = (0..10).map(|n| token(&mut Seed(100 + n))).collect();
    let uses = next.iter().map(|next| memory.present(store, &memory.secret, next, 60));
    let outcomes = join_all(uses).await;
    let rotated = outcomes.iter().filter(|o| matches!(o, RememberOutcome::Rotated(..)));
    assert_eq!(rotated.count(), 1);
    let parallel = outcomes.iter().filter(|o| matches!(o, RememberOutcome::Parallel(..)));
    assert_eq!(parallel.count(), 9);
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
    let yesterday = START - Duration::DAY;
    let use_it = async |now| {
        let RememberUse { series, secret, next, .. } = memory.used();
        let used = RememberUse { series, secret, next, now, grace_since: now };
        store.remembered().use_remembered(used, &any_record()).await.expect("the store answers")
    };
    assert_eq!(use_it(yesterday).await, RememberOutcome::Unknown);
    let purge = async |now| store.remembered().purge_remembered(now, 10).await.expect("it purges");
    assert_eq!(purge(START - CLOCK_TOLERANCE).await, 0, "clocks differ a little");
    assert_eq!((purge(yesterday).await, purge(yesterday).await), (1, 0));
    assert_eq!(use_it(START).await, RememberOutcome::Unknown);
    assert!(!is_live(store, &memory.session_token).await);
}

/// Checks that a secret is not good until the day on which a wrong clock replaced it.
pub async fn a_secret_that_was_replaced_in_the_future_is_a_theft(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let present = async |now| {
        let RememberUse { series, secret, next, .. } = memory.used();
        let used = RememberUse { series, secret, next, now, grace_since: now - Duration::MINUTE };
        store.remembered().use_remembered(used, &any_record()).await.expect("the store answers")
    };
    let tomorrow = START + Duration::DAY;
    assert!(matches!(present(tomorrow).await, RememberOutcome::Rotated(..)));
    assert!(matches!(present(tomorrow).await, RememberOutcome::Parallel(..)));
    assert!(matches!(present(START + Duration::HOUR).await, RememberOutcome::Stolen(_)));
}
