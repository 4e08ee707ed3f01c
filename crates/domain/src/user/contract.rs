//! Users, and what happens to their sessions when they change.
#![expect(
    clippy::missing_panics_doc,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says that a promise is broken by panicking"
)]

use futures_util::future::join_all;
use time::Duration;

use crate::contract::fixtures::{
    START, Seed, ada_logged_in, any_record, email, grant, insert, is_live, record, register,
    renewal, session, token, user,
};
use crate::store::Store;
use crate::{
    AuthEventKind, Basis, Field, HashCount, Keep, KnownBrowser, PasswordHash, PendingLogin,
    Renaming, Session, SessionRenewal, StoreError, TokenDigest, User, UserId, Username,
};

/// Checks that a user reads back as saved, to the microsecond, by id and by email address.
pub async fn a_user_reads_back_as_saved(store: &impl Store) {
    let mut ada = user("ada", 1);
    ada.email = email("Ada.L+x@Bücher.example");
    ada.username = Username::parse("Ada 🦀 Lovelace").expect("a username");
    let mut bob = user("bob", 2);
    bob.password_hash = None;
    bob.is_active = false;
    for user in [&ada, &bob] {
        store.users().insert_user(user, &any_record()).await.expect("the user is saved");
        let by_id = store.users().user_by_id(user.id).await.expect("the store answers");
        assert_eq!(by_id.as_ref(), Some(user));
        let by_email = store.users().user_by_email(&user.email).await.expect("the store answers");
        assert_eq!(by_email.as_ref(), Some(user));
        let found = by_email.expect("just found");
        assert_eq!(found.email.as_str(), user.email.as_str(), "the address is kept as given");
    }
}

/// Checks that the canonical form of an email address is unique.
pub async fn an_email_address_belongs_to_one_user_in_every_spelling(store: &impl Store) {
    let ada = user("ada", 1);
    register(store, &ada).await;
    let mut impostor = user("eve", 2);
    impostor.email = email("ADA@Example.Org");
    let error = store
        .users()
        .insert_user(&impostor, &any_record())
        .await
        .expect_err("the address is taken");
    assert!(matches!(error, StoreError::Taken(Field::Email)), "{error}");
    assert_eq!(store.users().user_by_id(impostor.id).await.expect("the store answers"), None);
    let found = store.users().user_by_email(&impostor.email).await.expect("the store answers");
    assert_eq!(found.map(|user| user.id), Some(ada.id));
    let namesake = User { email: email("ada@example.com"), ..user("ada", 3) };
    register(store, &namesake).await;
}

/// Checks that the first of many gets an address, and the others hear that it is taken.
pub async fn one_of_many_who_register_an_address_at_once_gets_it(store: &impl Store) {
    let rivals: Vec<User> = (1..=20).map(|seed| user("ada", seed)).collect();
    let record = any_record();
    let results =
        join_all(rivals.iter().map(|rival| store.users().insert_user(rival, &record))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for error in results.into_iter().filter_map(Result::err) {
        assert!(matches!(error, StoreError::Taken(Field::Email)), "{error:?}");
    }
    assert_eq!(store.users().list_users(None, 10).await.expect("the store answers").len(), 1);
}

/// Checks that users are listed by id, which is by time, and that a page begins after the last one's end.
pub async fn users_are_listed_in_the_order_they_registered(store: &impl Store) {
    for (seed, name) in [(3, "carol"), (1, "ada"), (2, "bob")] {
        store
            .users()
            .insert_user(&user(name, seed), &any_record())
            .await
            .expect("the user is saved");
    }
    let first = store.users().list_users(None, 2).await.expect("the store answers");
    assert_eq!(first.iter().map(|u| u.username.as_str()).collect::<Vec<_>>(), ["ada", "bob"]);
    let rest = store.users().list_users(Some(first[1].id), 2).await.expect("the store answers");
    assert_eq!(rest.iter().map(|u| u.username.as_str()).collect::<Vec<_>>(), ["carol"]);
    assert!(
        store.users().list_users(Some(rest[0].id), 2).await.expect("the store answers").is_empty()
    );
}

/// Checks that a new password ends all sessions but the one kept.
pub async fn a_new_password_ends_all_sessions_but_the_one_kept(store: &impl Store) {
    let (ada, kept, kept_token) = ada_logged_in(store).await;
    let (other, other_token) = session(&ada, START, 60);
    insert(store, &other, &other_token).await;
    let (new, later) = (PasswordHash::from_phc("$argon2id$new"), START + Duration::HOUR);
    let record = record(AuthEventKind::PasswordChanged, later);
    let next = token(&mut Seed(70));
    let renewed = renewal(&ada, &kept, &next, later);
    let changed = store.users().replace_password(ada.id, &new, Some(renewed), &record).await;
    assert!(changed.expect("the password is changed"));
    assert!(!is_live(store, &kept_token).await, "its token is another one");
    assert!(is_live(store, &next).await);
    assert!(!is_live(store, &other_token).await);
    let ada =
        store.users().user_by_id(ada.id).await.expect("the store answers").expect("ada is there");
    assert_eq!((ada.password_hash, ada.updated_at), (Some(new.clone()), later));
    let again = store.users().replace_password(ada.id, &new, None, &record).await;
    assert!(again.expect("changed again"));
    assert!(!is_live(store, &next).await);
}

/// Checks that of many who change a password which all of them proved, one does.
pub async fn one_of_many_who_change_a_password_at_once_does(store: &impl Store) {
    let (ada, session, _) = ada_logged_in(store).await;
    let tries: Vec<_> = (100..110_u8)
        .map(|n| (PasswordHash::from_phc(format!("$argon2id${n}")), token(&mut Seed(n))))
        .collect();
    let record = &any_record();
    let change = async |(hash, token): &(PasswordHash, TokenDigest)| {
        let renewal = renewal(&ada, &session, token, START);
        let done = store.users().replace_password(ada.id, hash, Some(renewal), record).await;
        done.expect("the store answers")
    };
    let done = join_all(tries.iter().map(change)).await;
    let winners: Vec<_> =
        tries.iter().zip(&done).filter(|(_, done)| **done).map(|(tried, _)| tried).collect();
    assert_eq!(winners.len(), 1);
    let found = store.sessions().session_by_token(&winners[0].1).await.expect("the store answers");
    let (_, ada) = found.expect("the session has the winner's token");
    assert_eq!(ada.password_hash.as_ref(), Some(&winners[0].0));
}

/// Checks that neither the password nor the account of a user changes once their basis is gone.
pub async fn a_user_changes_only_while_their_basis_holds(store: &impl Store) {
    let (ada, session, _) = ada_logged_in(store).await;
    let (new, next) = (PasswordHash::from_phc("$argon2id$new"), token(&mut Seed(60)));
    let (address, name) = (email("eve@example.org"), Username::parse("Eve").expect("a username"));
    let is_done = async |user: &User, session: &Session| {
        let basis = Basis::of(user, session.id);
        let renewal = SessionRenewal { basis, ..renewal(&ada, session, &next, START) };
        let users = store.users();
        let changed = users.replace_password(ada.id, &new, Some(renewal), &any_record()).await;
        let deleted = users.delete_user(ada.id, Some(basis), &any_record()).await;
        let renamed = async |to| {
            let renamed = users.rename_user(ada.id, to, Some(basis), &any_record()).await;
            renamed.expect("the store answers")
        };
        changed.expect("the store answers")
            || deleted.expect("the store answers")
            || renamed(Renaming::Email(&address)).await
            || renamed(Renaming::Username(&name)).await
    };
    let bare = User { password_hash: None, ..ada.clone() };
    assert!(!is_done(&bare, &session).await, "they have a password");
    let (ended, _) = crate::contract::fixtures::session(&ada, START, 80);
    assert!(!is_done(&ada, &ended).await, "there is no such session");
    store.users().set_active(ada.id, false, &any_record()).await.expect("ada is disabled");
    assert!(!is_done(&ada, &session).await, "they are disabled");
    let found = store.users().user_by_id(ada.id).await.expect("the store answers");
    let found = found.expect("ada is there");
    assert_eq!((found.password_hash, found.username), (ada.password_hash, ada.username));
    assert_eq!(found.email, ada.email);
}

/// Checks that another address and another name end nothing, and that the old address is free.
pub async fn a_renamed_user_keeps_all_else(store: &impl Store) {
    let (ada, session, token) = ada_logged_in(store).await;
    let (users, later) = (store.users(), START + Duration::HOUR);
    let (address, name) = (email("Lovelace@Example.Org"), "Lady Lovelace");
    let name = Username::parse(name).expect("a username");
    let basis = Some(Basis::of(&ada, session.id));
    for to in [Renaming::Email(&address), Renaming::Username(&name)] {
        let kind = match to {
            Renaming::Email(_) => AuthEventKind::EmailChanged,
            Renaming::Username(_) => AuthEventKind::UsernameChanged,
        };
        let renamed = users.rename_user(ada.id, to, basis, &record(kind, later)).await;
        assert!(renamed.expect("ada is renamed"));
    }
    let found = users.user_by_email(&address).await.expect("the store answers");
    let found = found.expect("ada has the new address");
    assert_eq!(found.email.as_str(), address.as_str(), "the address is kept as given");
    let expected = User { email: address, username: name, updated_at: later, ..ada.clone() };
    assert_eq!(found, expected);
    assert!(is_live(store, &token).await, "no session ends");
    assert_eq!(users.user_by_email(&ada.email).await.expect("the store answers"), None);
    register(store, &user("ada", 9)).await;
}

/// Checks that another user's address is refused in every spelling, and one's own in none.
pub async fn a_user_gets_no_address_that_another_has(store: &impl Store) {
    let (ada, bob) = (user("ada", 1), user("bob", 2));
    register(store, &ada).await;
    register(store, &bob).await;
    let rename = async |address: &str| {
        let address = email(address);
        let to = Renaming::Email(&address);
        store.users().rename_user(bob.id, to, None, &any_record()).await
    };
    for taken in ["ada@example.org", "ADA@Example.Org"] {
        let error = rename(taken).await.expect_err("the address is taken");
        assert!(matches!(error, StoreError::Taken(Field::Email)), "{error}");
    }
    let found = store.users().user_by_id(bob.id).await.expect("the store answers");
    assert_eq!(found.as_ref(), Some(&bob));
    assert!(rename("BOB@Example.Org").await.expect("it is their own"));
    let found = store.users().user_by_id(bob.id).await.expect("the store answers");
    assert_eq!(found.expect("bob is there").email.as_str(), email("BOB@Example.Org").as_str());
}

/// Checks that the first of many gets an address, and the others hear that it is taken.
pub async fn one_of_many_who_take_an_address_at_once_gets_it(store: &impl Store) {
    let names = ["ada", "bob", "carol", "dan", "eve", "fay"];
    let users: Vec<User> = (1..).zip(names).map(|(seed, name)| user(name, seed)).collect();
    for user in &users {
        register(store, user).await;
    }
    let (address, record) = (email("wanted@example.org"), any_record());
    let to = Renaming::Email(&address);
    let rename = |user: &User| store.users().rename_user(user.id, to, None, &record);
    let results = join_all(users.iter().map(rename)).await;
    let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for error in lost.into_iter().filter_map(Result::err) {
        assert!(matches!(error, StoreError::Taken(Field::Email)), "{error:?}");
    }
}

/// Checks that known browsers are forgotten, and that waiting logins end, with all that belongs to a user.
pub async fn what_belongs_to_a_user_ends_with_their_sessions(store: &impl Store) {
    let browsers = store.browsers().expect("the store keeps browsers");
    let pending = store.pending().expect("the store keeps pending logins");
    let (eve, hash) = (user("eve", 9), PasswordHash::from_phc("$argon2id$new"));
    register(store, &eve).await;
    let end = START + Duration::days(1);
    let know = async |user: UserId, seed| {
        let token = token(&mut Seed(seed));
        let known = KnownBrowser::new(user, token, START, end);
        browsers.save_browser(&known).await.expect("the browser is known");
        pending.save_pending(&PendingLogin::new(user, START, end), &token).await.expect("it waits");
        token
    };
    let is_left = async |token: &TokenDigest| {
        let browser = browsers.browser_by_token(token).await.expect("the store answers");
        let login = pending.pending_by_token(token, START).await.expect("the store answers");
        (browser.is_some(), login.is_some())
    };
    let eves = know(eve.id, 90).await;
    let (ada, session, _) = ada_logged_in(store).await;
    let (users, record) = (store.users(), &any_record());
    for (n, seed) in (0..5_u8).zip([100, 110, 120, 130, 140]) {
        let (kept, other) = (know(ada.id, seed).await, know(ada.id, seed + 1).await);
        let keep = Keep { session: session.id, browser: Some(&kept) };
        let done = match n {
            0 => store.sessions().end_sessions_of(ada.id, Some(keep), record).await.map(drop),
            1 => store.sessions().end_sessions_of(ada.id, None, record).await.map(drop),
            2 => users.replace_password(ada.id, &hash, None, record).await.map(drop),
            3 => users.set_active(ada.id, false, record).await.map(drop),
            _ => users.delete_user(ada.id, None, record).await.map(drop),
        };
        done.expect("the store answers");
        assert_eq!(is_left(&kept).await, (n == 0, false), "{n}");
        assert_eq!(is_left(&other).await, (false, false), "{n}");
    }
    assert_eq!(is_left(&eves).await, (true, true));
}

/// Checks that a rehash ends nothing, and does not undo a new password.
pub async fn an_upgraded_hash_ends_nothing_and_never_undoes_a_new_password(store: &impl Store) {
    let (ada, _, token) = ada_logged_in(store).await;
    let old = ada.password_hash.expect("ada has a password");
    let new = PasswordHash::from_phc("$argon2id$stronger");
    assert!(
        store
            .users()
            .upgrade_password_hash(ada.id, &old, &new)
            .await
            .expect("the hash is replaced")
    );
    assert!(is_live(store, &token).await);
    let late = PasswordHash::from_phc("$argon2id$late");
    assert!(
        !store.users().upgrade_password_hash(ada.id, &old, &late).await.expect("nothing happens")
    );
    let ada =
        store.users().user_by_id(ada.id).await.expect("the store answers").expect("ada is there");
    assert_eq!(ada.password_hash, Some(new));
}

/// Checks that disabling a user ends their sessions, and enabling them brings none back.
pub async fn a_disabled_user_has_no_session_and_gets_none(store: &impl Store) {
    let (ada, _, old_token) = ada_logged_in(store).await;
    assert!(store.users().set_active(ada.id, false, &any_record()).await.expect("ada is disabled"));
    assert!(!is_live(store, &old_token).await);
    let found =
        store.users().user_by_id(ada.id).await.expect("the store answers").expect("ada is there");
    assert!(!found.is_active);
    let (session, token) = session(&ada, START, 60);
    let grant = grant(&session, &token);
    assert!(
        !store
            .sessions()
            .insert_session(grant, &any_record())
            .await
            .expect("the session is refused")
    );
    assert!(store.users().set_active(ada.id, true, &any_record()).await.expect("ada is enabled"));
    assert!(!is_live(store, &old_token).await);
    insert(store, &session, &token).await;
}

/// Checks that nothing of a deleted user is left, and that their email address is free again.
pub async fn a_deleted_user_leaves_nothing(store: &impl Store) {
    let (ada, _, token) = ada_logged_in(store).await;
    assert!(store.users().delete_user(ada.id, None, &any_record()).await.expect("ada is deleted"));
    assert!(!is_live(store, &token).await);
    assert_eq!(store.users().user_by_id(ada.id).await.expect("the store answers"), None);
    assert!(store.sessions().sessions_of(ada.id).await.expect("the store answers").is_empty());
    store
        .users()
        .insert_user(&user("ada", 9), &any_record())
        .await
        .expect("the address is free again");
}

/// Checks that users are counted by what their hashes cost, and that no other hash is counted.
pub async fn users_are_counted_by_what_their_hashes_cost(store: &impl Store) {
    let counts = async || store.users().count_hashes().await.expect("the store answers");
    assert_eq!(counts().await, []);
    let (cheap, dear) = ("$argon2id$v=19$m=19456,t=2,p=1", "$argon2id$v=19$m=65536,t=3,p=4");
    let hashes = [
        Some(format!("{cheap}$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q")),
        Some(format!("{dear}$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q")),
        Some(format!("{dear}$b3RoZXJzYWx0$CTFhFdXPJO1aFaMaO6Mm5Q")),
        Some("$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW".to_owned()),
        Some("$argon2id$broken".to_owned()),
        Some(String::new()),
        None,
    ];
    for (seed, hash) in (1_u8..).zip(hashes) {
        let mut user = user(&format!("user{seed}"), seed);
        user.password_hash = hash.map(PasswordHash::from_phc);
        user.is_active = seed != 3;
        register(store, &user).await;
    }
    let count = |cost: &str, users| HashCount { cost: cost.to_owned(), users };
    assert_eq!(counts().await, [count(dear, 2), count(cheap, 1)]);
}
