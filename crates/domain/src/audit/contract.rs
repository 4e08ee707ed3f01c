//! The audit trail.
#![expect(
    clippy::missing_panics_doc,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says that a promise is broken by panicking"
)]

use futures_util::future::join_all;
use time::Duration;

use crate::client::network;
use crate::contract::fixtures::{
    START, Seed, ada_logged_in, any_record, insert, record, register, renewal, session, token, user,
};
use crate::remembered::contract::remember;
use crate::store::Store;
use crate::{
    Actor, AuditFilter, AuditRecord, AuthEventKind, ChainLink, Client, Ended, Keep, PasswordHash,
    Reason, Record, RememberUse, Renaming, StoreError, Subject, User, UserId,
};

/// Returns the whole trail, the oldest first, after it has checked the chain.
async fn trail(store: &impl Store) -> Vec<AuditRecord> {
    let ends = store.audit().audit_ends().await.expect("the trail has ends");
    let records = store.audit().audit_trail(ends.removed.number, 10_000).await.expect("it is read");
    let mut at = ends.removed;
    for record in &records {
        record.check(at).expect("the chain is whole");
        at = record.link;
    }
    assert_eq!(at, ends.last);
    let subjects =
        store.audit().audit_users(ends.removed.number, 10_000).await.expect("it is read");
    let expected = records.iter().map(|record| (record.link, record.event.user));
    assert_eq!(subjects, expected.collect::<Vec<_>>());
    records
}

async fn kinds(store: &impl Store) -> Vec<AuthEventKind> {
    trail(store).await.iter().map(|record| record.event.kind).collect()
}

fn about(user: UserId, kind: AuthEventKind) -> Record {
    record(kind, START).about(user)
}

/// Checks that a record keeps every field, and follows the record before it.
pub async fn a_record_reads_back_as_written(store: &impl Store) {
    assert_eq!(store.audit().audit_ends().await.expect("it has ends").last, ChainLink::default());
    let ada = user("ada", 1);
    let (session, _) = session(&ada, START, 50);
    let mut full = record(AuthEventKind::UserThrottled, START).about(ada.id);
    full.audit.event.actor = Actor::user(ada.id);
    full.audit.event.session = Some(session.id);
    full.audit.event.subject = Some(Subject::session(session.id));
    full.audit.event.reason = Some(Reason::Account);
    let mut bare = record(AuthEventKind::UserLoginFailed, START + Duration::MICROSECOND);
    bare.audit.event.client = Client::default();
    bare.audit.event.request_id = None;
    store.audit().record(&[full.clone(), bare.clone()]).await.expect("both are written");
    store.audit().record(&[]).await.expect("nothing is written");
    let records = trail(store).await;
    let events: Vec<_> = records.iter().map(|record| record.event.clone()).collect();
    assert_eq!(events, [full.audit.event, bare.audit.event]);
    assert_eq!(records[0].salt, Some(full.audit.salt));
    let numbers: Vec<_> = records.iter().map(|record| record.link.number).collect();
    assert_eq!(numbers, [1, 2]);
}

/// Checks that every change writes its record, and no other.
pub async fn what_is_done_is_recorded_with_it(store: &impl Store) {
    use AuthEventKind as Kind;
    let (ada, session, old) = ada_logged_in(store).await;
    assert_eq!(kinds(store).await, [any_record().audit.event.kind; 2]);
    let before = trail(store).await.len();
    let told = |kind| about(ada.id, kind);
    let new = PasswordHash::from_phc("$argon2id$new");
    let record = told(Kind::PasswordChanged);
    let (first, second) = (token(&mut Seed(60)), token(&mut Seed(61)));
    let once = renewal(&ada, &session, &first, START);
    let changed = store.users().replace_password(ada.id, &new, Some(once), &record).await;
    assert!(changed.expect("it is changed"));
    let ada = User { password_hash: Some(new), ..ada };
    let (to, renamed) = (Renaming::Username(&ada.username), told(Kind::UsernameChanged));
    let renamed = store.users().rename_user(ada.id, to, None, &renamed).await;
    assert!(renamed.expect("it is changed"));
    let (again, confirmed) =
        (renewal(&ada, &session, &second, START), told(Kind::UserLoginConfirmed));
    let renewed = store.sessions().renew_session(again, &confirmed).await;
    assert!(renewed.expect("it is renewed"));
    let logged_out = told(Kind::UserLoggedOut);
    let ended = store.sessions().end_session(ada.id, session.id, None, &logged_out).await;
    assert!(ended.expect("it ends"));
    insert(store, &session, &old).await;
    store
        .sessions()
        .end_sessions_of(ada.id, None, &told(Kind::SessionsRevoked))
        .await
        .expect("they end");
    let memory = remember(store, ada.clone(), 90).await;
    let ended = store.remembered().end_series(&memory.series, &any_record()).await;
    assert!(ended.expect("it ends").is_some());
    assert_eq!(trail(store).await.last().and_then(|record| record.event.user), Some(ada.id));
    store
        .users()
        .set_active(ada.id, false, &told(Kind::UserDisabled))
        .await
        .expect("ada is disabled");
    let deleted = store.users().delete_user(ada.id, None, &told(Kind::UserDeleted)).await;
    assert!(deleted.expect("ada is deleted"));
    let since = kinds(store).await.split_off(before);
    let expected = [
        Kind::PasswordChanged,
        Kind::UsernameChanged,
        Kind::UserLoginConfirmed,
        Kind::UserLoggedOut,
        any_record().audit.event.kind,
        Kind::SessionsRevoked,
        any_record().audit.event.kind,
        any_record().audit.event.kind,
        Kind::UserDisabled,
        Kind::UserDeleted,
    ];
    assert_eq!(since, expected);
}

/// Checks that a change that did not happen writes no record.
pub async fn what_is_not_done_is_not_recorded(store: &impl Store) {
    let (ada, session, token) = ada_logged_in(store).await;
    let eve = user("eve", 2).id;
    let before = trail(store).await.len();
    let mut twin = ada.clone();
    twin.id = user("ada", 3).id;
    let taken = store.users().insert_user(&twin, &any_record()).await.expect_err("it is taken");
    assert!(matches!(taken, StoreError::Taken(_)), "{taken:?}");
    let hash = PasswordHash::from_phc("$argon2id$x");
    let record = &any_record();
    register(store, &user("bob", 4)).await;
    let before = before + 1;
    let to = Renaming::Email(&ada.email);
    let taken = store.users().rename_user(user("bob", 4).id, to, None, record).await;
    assert!(matches!(taken.expect_err("it is taken"), StoreError::Taken(_)));
    assert!(!store.users().rename_user(eve, to, None, record).await.expect("nothing is done"));
    assert!(
        !store.users().replace_password(eve, &hash, None, record).await.expect("nothing is done")
    );
    assert!(!store.users().set_active(eve, false, record).await.expect("nothing is done"));
    assert!(!store.users().delete_user(eve, None, record).await.expect("nothing is done"));
    let ended = store.sessions().end_session(eve, session.id, None, record).await;
    assert!(!ended.expect("nothing is done"));
    let keep = Keep { session: session.id, browser: None };
    let ended = store.sessions().end_sessions_of(ada.id, Some(keep), record).await;
    assert_eq!(ended.expect("there are no others"), Ended::default());
    let used = RememberUse {
        series: &token,
        secret: &token,
        next: &token,
        now: START,
        grace_since: START,
    };
    store.remembered().use_remembered(used, record).await.expect("nothing is done");
    assert_eq!(trail(store).await.len(), before);
}

/// Checks that records that are written at once still form one chain.
pub async fn the_chain_is_whole_however_many_write_at_once(store: &impl Store) {
    let records: Vec<_> = (0..20)
        .map(|n| record(AuthEventKind::UserLoginFailed, START + Duration::seconds(n)))
        .collect();
    let written = join_all(records.chunks(2).map(|two| store.audit().record(two))).await;
    assert!(written.iter().all(Result::is_ok));
    assert_eq!(trail(store).await.len(), 20);
}

/// Checks that records are found by user, kind, time and place, the newest first.
pub async fn records_are_found_by_what_is_asked_for(store: &impl Store) {
    let (ada, eve) = (user("ada", 1).id, user("eve", 2).id);
    let at = |user, kind, seconds| {
        let mut record = about(user, kind);
        record.audit.event.at += Duration::seconds(seconds);
        record
    };
    let (failed, out) = (AuthEventKind::UserLoginFailed, AuthEventKind::UserLoggedOut);
    let all = [at(ada, failed, 0), at(eve, failed, 1), at(ada, out, 2), at(ada, failed, 3)];
    store.audit().record(&all).await.expect("they are written");
    let find = async |filter, limit| {
        let found = store.audit().audit_records(filter, limit).await.expect("the trail is read");
        found.iter().map(|record| record.link.number).collect::<Vec<_>>()
    };
    let any = AuditFilter::default();
    assert_eq!(find(any, 9).await, [4, 3, 2, 1]);
    assert_eq!(find(any, 2).await, [4, 3]);
    assert_eq!(find(AuditFilter { user: Some(ada), ..any }, 9).await, [4, 3, 1]);
    assert_eq!(find(AuditFilter { kind: Some(failed), ..any }, 9).await, [4, 2, 1]);
    let since = Some(START + Duration::seconds(2));
    assert_eq!(find(AuditFilter { since, ..any }, 9).await, [4, 3]);
    assert_eq!(find(AuditFilter { before: Some(3), user: Some(ada), ..any }, 9).await, [1]);
}

/// Checks that a word is kept that only a newer node knows.
pub async fn a_word_of_a_newer_version_is_kept(store: &impl Store) {
    let ada = user("ada", 1);
    let word = |written: &str| written.parse().expect("a word");
    let mut newer = record(word("identity_linked"), START).about(ada.id);
    newer.audit.event.reason = Some("new_network".parse().expect("a word"));
    newer.audit.event.actor.kind = "provider".parse().expect("a word");
    newer.audit.event.subject = Subject::from_saved("identity:42".to_owned());
    store.audit().record(std::slice::from_ref(&newer)).await.expect("it is written");
    let found = trail(store).await;
    assert_eq!(found[0].event, newer.audit.event);
    let filter = AuditFilter { kind: Some(word("identity_linked")), ..AuditFilter::default() };
    let listed = store.audit().audit_records(filter, 9).await.expect("the trail is read");
    assert_eq!(listed, found);
}

/// Checks that old addresses are cut and old records removed while the chain stays whole.
pub async fn an_old_trail_loses_addresses_and_then_records(store: &impl Store) {
    let day = |n| record(AuthEventKind::UserLoggedIn, START + Duration::days(n));
    store.audit().record(&[day(0), day(1), day(2), day(3)]).await.expect("they are written");
    let whole = trail(store).await;
    let (first, later) = (START + Duration::days(1), START + Duration::days(3));
    assert_eq!(store.audit().age_audit(first, START, 9).await.expect("it ages"), (1, 0));
    let cut = trail(store).await;
    assert_eq!(cut[0].event.client.address, whole[0].event.client.address.map(network));
    assert_eq!((cut[0].salt, &cut[1..]), (None, &whole[1..]));
    assert_eq!(store.audit().age_audit(later, first, 1).await.expect("it ages"), (1, 1));
    assert_eq!(store.audit().age_audit(later, later, 9).await.expect("it ages"), (1, 2));
    let left = trail(store).await;
    assert_eq!(left, whole[3..]);
    assert_eq!(store.audit().audit_ends().await.expect("it has ends").removed, whole[2].link);
    assert_eq!(store.audit().age_audit(later, later, 9).await.expect("nothing is left"), (0, 0));
    store.audit().record(&[day(4)]).await.expect("it goes on");
    assert_eq!(trail(store).await.len(), 2);
}

/// Checks that a record from a wrong clock does not keep those after it from ageing.
pub async fn a_record_from_the_future_ages_with_its_neighbours(store: &impl Store) {
    let day = |n| record(AuthEventKind::UserLoggedIn, START + Duration::days(n));
    store.audit().record(&[day(0), day(900), day(1), day(5)]).await.expect("they are written");
    let (cut, removed) = (START + Duration::days(3), START + Duration::days(2));
    assert_eq!(store.audit().age_audit(cut, START, 9).await.expect("it ages"), (3, 0));
    assert_eq!(store.audit().age_audit(cut, removed, 9).await.expect("it ages"), (0, 3));
    assert_eq!(trail(store).await.len(), 1);
}
