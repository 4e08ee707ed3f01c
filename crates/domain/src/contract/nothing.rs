//! What is not there.

use super::fixtures::{START, Seed, alike, any_record, remember_use, renewal, session, user};
use crate::store::Store;
use crate::{Ended, PasswordHash, RememberOutcome, RememberedId, Renaming};

/// Checks that asking for what was never saved is no error.
pub async fn what_is_not_there_is_no_error(store: &impl Store) {
    store.ready().await.expect("the store is ready");
    let nobody = user("nobody", 1);
    let (session, token) = session(&nobody, START, 50);
    let hash = PasswordHash::from_phc("$argon2id$x");
    let (id, now) = (nobody.id, START);
    assert_eq!(store.users().user_by_id(id).await.expect("the store answers"), None);
    assert_eq!(store.users().user_by_email(&nobody.email).await.expect("the store answers"), None);
    assert!(store.users().list_users(None, 10).await.expect("the store answers").is_empty());
    assert!(
        !store
            .users()
            .replace_password(id, &hash, None, &any_record())
            .await
            .expect("the store answers")
    );
    assert!(
        !store.users().upgrade_password_hash(id, &hash, &hash).await.expect("the store answers")
    );
    let to = Renaming::Email(&nobody.email);
    let renamed = store.users().rename_user(id, to, None, &any_record()).await;
    assert!(!renamed.expect("the store answers"));
    assert!(!store.users().set_active(id, false, &any_record()).await.expect("the store answers"));
    assert!(!store.users().delete_user(id, None, &any_record()).await.expect("the store answers"));
    assert_eq!(store.sessions().session_by_token(&token).await.expect("the store answers"), None);
    store.sessions().touch_sessions(&[(session.id, now)]).await.expect("the store answers");
    store.sessions().touch_sessions(&[]).await.expect("the store answers");
    let renewal = renewal(&nobody, &session, &token, now);
    let renewed = store.sessions().renew_session(renewal, &any_record()).await;
    assert!(!renewed.expect("the store answers"));
    assert!(store.remembered().remembered_of(id).await.expect("the store answers").is_empty());
    let (used, record) = (remember_use([&token; 3], now, &session.client), any_record());
    let outcome = store.remembered().use_remembered(used, alike(&record)).await;
    assert_eq!(outcome.expect("the store answers"), RememberOutcome::Unknown);
    let outcome = store.remembered().peek_remembered(used).await.expect("the store answers");
    assert_eq!(outcome, Some(RememberOutcome::Unknown));
    let remembered = RememberedId::generate(now, &mut Seed(90));
    assert!(
        !store
            .remembered()
            .end_remembered(id, remembered, None, &any_record())
            .await
            .expect("the store answers")
    );
    let ended = store.remembered().end_series(&token, &any_record()).await;
    assert_eq!(ended.expect("the store answers"), None);
    assert_eq!(store.remembered().purge_remembered(now, 10).await.expect("the store answers"), 0);
    assert!(
        !store
            .sessions()
            .end_session(id, session.id, None, &any_record())
            .await
            .expect("the store answers")
    );
    let ended = store.sessions().end_sessions_of(id, None, &any_record()).await;
    assert_eq!(ended.expect("the store answers"), Ended::default());
}
