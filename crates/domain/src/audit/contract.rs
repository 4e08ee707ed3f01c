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
    START, Seed, ada_logged_in, alike, any_record, insert, record, register, remember_use, renewal,
    session, token, user,
};
use crate::remembered::contract::remember;
use crate::store::Store;
use crate::{
    Actor, Aged, Ageing, AgeingRule, AuditFilter, AuditRecord, AuthEventKind, ChainLink, Client,
    Ended, Keep, PasswordHash, Reason, Record, Renaming, StoreError, Subject, User, UserId,
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
    let expected = records.iter().map(|record| (record.link, record.event.changed_user()));
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
    let used = remember_use([&token; 3], START, &session.client);
    store.remembered().use_remembered(used, alike(record)).await.expect("nothing is done");
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

fn day(n: i64) -> Record {
    record(AuthEventKind::UserLoggedIn, START + Duration::days(n))
}

/// Ages the trail at the end of a day.
async fn age(store: &impl Store, what: Ageing, on: i64, kept: i64, limit: u32) -> u64 {
    let rule = AgeingRule { what, kept: Duration::days(kept), limit };
    let now = START + Duration::days(on) + Duration::hours(12);
    let record = rule.record(now, &mut Seed(70));
    store.audit().age_audit(rule, &record).await.expect("it ages")
}

/// Returns what the last record says of ageing.
fn told(records: &[AuditRecord]) -> (AuthEventKind, Option<Aged>) {
    let last = records.last().expect("there is one");
    assert_eq!((last.event.user, last.event.actor), (None, Actor::SERVICE));
    (last.event.kind, Aged::of(last))
}

/// Checks that old addresses are shortened and old records removed while the chain stays whole, and that
/// the trail says so.
pub async fn an_old_trail_loses_addresses_and_then_records(store: &impl Store) {
    use {Ageing::Remove, Ageing::Shorten};
    store.audit().record(&[day(0), day(1), day(2), day(3)]).await.expect("they are written");
    let whole = trail(store).await;
    let aged = |last: usize, kept| {
        let AuditRecord { link: up_to, event, .. } = &whole[last];
        Some(Aged { up_to: *up_to, youngest: event.at, kept: Duration::days(kept) })
    };
    assert_eq!(age(store, Shorten, 1, 1, 9).await, 1);
    let cut = trail(store).await;
    assert_eq!(cut[0].event.client.address, whole[0].event.client.address.map(network));
    assert_eq!((cut[0].salt, &cut[1..4]), (None, &whole[1..]));
    assert_eq!(told(&cut), (AuthEventKind::AuditShortened, aged(0, 1)));
    assert_eq!(age(store, Shorten, 1, 1, 9).await, 0, "nothing else is old");
    assert_eq!(age(store, Shorten, 3, 1, 1).await, 1);
    assert_eq!(age(store, Remove, 3, 2, 1).await, 1);
    assert_eq!(age(store, Remove, 4, 2, 9).await, 2);
    let left = trail(store).await;
    assert_eq!(left[0], whole[3]);
    assert_eq!(told(&left), (AuthEventKind::AuditRemoved, aged(2, 2)));
    assert_eq!(store.audit().audit_ends().await.expect("it has ends").removed, whole[2].link);
    assert_eq!(trail(store).await.len(), 5, "each time one record was added");
    store.audit().record(&[day(5)]).await.expect("it goes on");
    assert_eq!(age(store, Remove, 5, 2, 0).await, 0, "none may be touched");
    assert_eq!(trail(store).await.len(), 6);
}

/// Checks that a record with a wrong time takes no young one along.
pub async fn a_young_record_keeps_those_after_it(store: &impl Store) {
    store.audit().record(&[day(0), day(40), day(1), day(39)]).await.expect("they are written");
    for what in [Ageing::Shorten, Ageing::Remove] {
        assert_eq!(age(store, what, 10, 3, 9).await, 1);
    }
    assert_eq!(age(store, Ageing::Remove, 11, 3, 9).await, 0);
    let left = trail(store).await;
    let moments: Vec<_> = left.iter().take(3).map(|record| record.event.at).collect();
    assert_eq!(moments, [40, 1, 39].map(|n| START + Duration::days(n)));
    assert_eq!(left[1].salt, Some(day(1).audit.salt));
}
