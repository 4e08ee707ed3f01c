//! What a presented secret comes to: a use, a parallel request, a lost answer, a theft.
#![expect(
    clippy::missing_panics_doc,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says that a promise is broken by panicking"
)]

use futures_util::future::join_all;
use time::Duration;

use crate::contract::fixtures::{START, Seed, alike, any_record, grant, is_live, session, token};
use crate::remembered::contract::{ada_remembered, begun, remember, used_at};
use crate::store::Store;
use crate::{Client, RememberOutcome, RememberUse, SessionGrant};

/// Checks that a browser may show one secret with several pages that it opens at once.
pub async fn a_secret_that_was_replaced_a_moment_ago_is_a_parallel_request(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let (next, other) = (token(&mut Seed(100)), token(&mut Seed(110)));
    let first = begun(memory.present(store, &memory.secret, &next, 60).await);
    let parallel = memory.present(store, &memory.secret, &other, 70).await;
    let stands = used_at(&memory.remembered, 60);
    let expected = RememberOutcome::Parallel(stands, memory.ada.clone(), first);
    assert_eq!(parallel, expected);
    assert!(is_live(store, &next).await && !is_live(store, &other).await);
    begun(memory.present(store, &next, &other, 80).await);
}

/// Checks that the session of a parallel request is begun anew if it has ended meanwhile.
pub async fn a_parallel_request_whose_session_has_ended_begins_another(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let (next, other) = (token(&mut Seed(100)), token(&mut Seed(110)));
    begun(memory.present(store, &memory.secret, &next, 60).await);
    let (newest, newest_token) = session(&memory.ada, START + Duration::hours(1), 90);
    let alone = SessionGrant { max_per_user: 1, ..grant(&newest, &newest_token) };
    let saved = store.sessions().insert_session(alone, &any_record()).await;
    assert!(saved.expect("the store answers") && !is_live(store, &next).await);
    begun(memory.present(store, &memory.secret, &other, 65).await);
    assert!(is_live(store, &other).await);
}

/// Checks that the old secret is good until its successor was presented: the answer with it may be lost.
pub async fn a_lost_answer_is_no_theft(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let lost: Vec<_> = (0..3).map(|n| token(&mut Seed(100 + 10 * n))).collect();
    for (n, next) in (1..).zip(&lost) {
        begun(memory.present(store, &memory.secret, next, 3_600 * n).await);
        assert_eq!(memory.sessions(store).await.len(), 1);
    }
    // The last answer has arrived.
    let next = token(&mut Seed(150));
    begun(memory.present(store, &lost[2], &next, 4 * 3_600).await);
    assert!(memory.is_known(store).await);
    let outcome = memory.present(store, &memory.secret, &lost[0], 4 * 3_600 + 1).await;
    assert_eq!(outcome, RememberOutcome::Stolen(used_at(&memory.remembered, 4 * 3_600)));
}

/// Checks that a copy of a secret is noticed as soon as both who have it have come back, whoever was first.
pub async fn a_copy_shows_when_both_have_used_a_secret(store: &impl Store) {
    let mut memory = ada_remembered(store).await;
    for (round, first_returns) in (0_u8..).zip([true, false]) {
        let tokens = [0, 10, 20].map(|n| token(&mut Seed(100 + 40 * round + n)));
        let [first, second, next] = &tokens;
        begun(memory.present(store, &memory.secret, first, 60).await);
        begun(memory.present(store, &memory.secret, second, 120).await);
        if !first_returns {
            begun(memory.present(store, second, next, 180).await);
        }
        let outcome = memory.present(store, first, next, 240).await;
        assert!(matches!(outcome, RememberOutcome::Stolen(_)), "{outcome:?}");
        assert!(!memory.is_known(store).await && memory.sessions(store).await.is_empty());
        memory = remember(store, memory.ada, 60).await;
    }
}

/// Checks that a secret that is shown after its successor ends the login, since nobody can tell thief from
/// owner.
pub async fn a_secret_whose_successor_was_presented_is_a_theft_and_ends_everything(
    store: &impl Store,
) {
    let memory = ada_remembered(store).await;
    let [next, other, last] = [100, 110, 120].map(|seed| token(&mut Seed(seed)));
    begun(memory.present(store, &memory.secret, &next, 60).await);
    begun(memory.present(store, &next, &other, 61).await);
    let outcome = memory.present(store, &memory.secret, &last, 62).await;
    assert_eq!(outcome, RememberOutcome::Stolen(used_at(&memory.remembered, 61)));
    assert!(!memory.is_known(store).await);
    for token in [&memory.session_token, &next, &other, &last] {
        assert!(!is_live(store, token).await);
    }
    let outcome = memory.present(store, &other, &last, 72).await;
    assert_eq!(outcome, RememberOutcome::Unknown);

    let memory = remember(store, memory.ada, 150).await;
    let outcome = memory.present(store, &other, &next, 1).await;
    assert!(matches!(outcome, RememberOutcome::Stolen(_)), "a made-up secret: {outcome:?}");
}

/// Checks that a login that is bound to its browser ends when another one presents it.
pub async fn a_login_that_is_bound_ends_in_another_browser(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let [next, other] = [100, 110].map(|seed| token(&mut Seed(seed)));
    let elsewhere = Client::new(Some([198, 51, 100, 7].into()), Some("Another/2.0"));
    let record = any_record();
    let present = async |used: RememberUse<'_>| {
        let outcome = store.remembered().use_remembered(used, alike(&record)).await;
        outcome.expect("the store answers")
    };
    let moved = RememberUse { client: &elsewhere, ..memory.using(&memory.secret, &next, 60) };
    let session = begun(present(moved).await);
    assert_eq!(session.client, elsewhere, "it is not bound");
    let home = RememberUse { is_bound: true, ..memory.using(&next, &other, 120) };
    begun(present(home).await);
    let moved = RememberUse { client: &elsewhere, ..memory.using(&other, &next, 180) };
    let outcome = present(RememberUse { is_bound: true, ..moved }).await;
    assert_eq!(outcome, RememberOutcome::Moved(used_at(&memory.remembered, 120)));
    assert!(!memory.is_known(store).await && !is_live(store, &other).await);
}

/// Checks that a store tells a use that changes nothing from one that changes something.
pub async fn a_use_that_changes_nothing_is_told_beforehand(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let [next, other] = [100, 110].map(|seed| token(&mut Seed(seed)));
    let peek = async |used: RememberUse<'_>| {
        store.remembered().peek_remembered(used).await.expect("the store answers")
    };
    assert_eq!(peek(memory.using(&memory.secret, &next, 60)).await, None);
    let session = begun(memory.present(store, &memory.secret, &next, 60).await);
    let parallel = memory.using(&memory.secret, &other, 70);
    let stands = used_at(&memory.remembered, 60);
    let expected = RememberOutcome::Parallel(stands, memory.ada.clone(), session);
    assert_eq!(peek(parallel).await, Some(expected));
    assert_eq!(peek(memory.using(&memory.secret, &other, 71)).await, None, "a lost answer");
    assert_eq!(peek(memory.using(&other, &other, 71)).await, None, "a theft");
    let fortnight = 14 * 24 * 60 * 60;
    let late = memory.using(&next, &other, fortnight);
    assert_eq!(peek(late).await, Some(RememberOutcome::Unknown));
}

/// Checks that of many who show a secret at once one replaces it, and that all of them have one session.
pub async fn one_of_many_who_use_a_secret_at_once_replaces_it(store: &impl Store) {
    let memory = ada_remembered(store).await;
    let next: Vec<_> = (0..10).map(|n| token(&mut Seed(100 + n))).collect();
    let uses = next.iter().map(|next| memory.present(store, &memory.secret, next, 60));
    let outcomes = join_all(uses).await;
    let rotated = outcomes.iter().filter(|o| matches!(o, RememberOutcome::Rotated(..)));
    assert_eq!(rotated.count(), 1);
    let sessions = memory.sessions(store).await;
    assert_eq!(sessions.len(), 1);
    for outcome in outcomes {
        let (RememberOutcome::Rotated(_, _, session) | RememberOutcome::Parallel(_, _, session)) =
            outcome
        else {
            panic!("neither: {outcome:?}")
        };
        assert_eq!(session, sessions[0]);
    }
}
