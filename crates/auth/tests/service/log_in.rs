//! Tests of registering, logging in, and sessions that are not used.

use countersign_auth::domain::memory::MemoryStore;
use countersign_auth::domain::{
    Duration, EmailAddress, EmailError, PasswordError, SecretToken, UsernameError,
};
use countersign_auth::{
    Auth, AuthConfig, BreachFile, InvalidNewUser, LogInError, NewUser, PasswordWeakness,
    RegisterError,
};
use tempfile::TempDir;

use crate::support::{PASSWORD, Service, admin, browser, cheap};

#[tokio::test]
async fn a_user_registers_logs_in_is_recognised_and_logs_out() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    let known = service.authenticate(&begun.token).await.unwrap();
    assert_eq!(known.user.email.as_str(), "ada@example.org");
    assert_eq!(*known.session, begun.session);
    assert!(known.is_fresh);
    service.acting().log_out(&known.session).await.unwrap();
    assert!(service.authenticate(&begun.token).await.is_none());
    service.acting().log_out(&known.session).await.unwrap();
}

#[tokio::test]
async fn registration_says_what_is_wrong_with_every_field_and_saves_nothing() {
    let service = Service::new();
    let new = NewUser::new("ada", " ", "short");
    let error = service.acting().register(new).await.unwrap_err();
    let RegisterError::Invalid(invalid) = error else { panic!("{error}") };
    let expected = InvalidNewUser {
        email: Some(EmailError::Malformed),
        username: Some(UsernameError::Empty),
        password: Some(PasswordError::TooShort { min: 15, got: 5 }),
    };
    assert_eq!(invalid, expected);
    assert_eq!(service.auth.testing().hashes_computed(), 0);
    assert!(service.auth.users().list(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_address_is_registered_once_whoever_tries_and_it_costs_a_hash_each_time() {
    let service = Service::with_ada().await;
    let error = service.register("ADA@Example.org").await.unwrap_err();
    assert!(matches!(error, RegisterError::EmailTaken(None)), "{error}");
    assert_eq!(service.auth.testing().hashes_computed(), 2);
    assert_eq!(service.auth.users().list(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn advice_about_a_weak_password_comes_with_what_sets_it() {
    const WEAK: &str = "london london 2026";
    let service = Service::new();
    let acting = service.acting();
    let new = NewUser::new("ada@example.org", "Ada", WEAK);
    let ada = acting.register(new).await.unwrap();
    assert_eq!(ada.advice.unwrap().weakness, Some(PasswordWeakness::Repeat));
    // Nobody learns from it whether the address was taken.
    let taken = acting.register(new).await.unwrap_err();
    assert!(matches!(taken, RegisterError::EmailTaken(advice) if advice == ada.advice));
    let set = async |password| acting.admin().set_password(&ada.user, password).await.unwrap();
    assert_eq!(set(PASSWORD).await, None);
    let who = service.authenticate(&service.log_in().await.token).await.unwrap();
    let changed = acting.account(&who).change_password(Some(PASSWORD), WEAK).await.unwrap();
    assert_eq!(changed.advice, ada.advice);
    assert_eq!(set(WEAK).await, ada.advice);
}

#[tokio::test]
async fn a_registration_with_a_stolen_password_is_refused_and_counted() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("breached.txt");
    // `printf 'tidal lantern orbit mauve' | sha1sum`
    std::fs::write(&path, "AEB9AD7FD7B80A8D42B390E072B6D691A1D1B38E:3\n").unwrap();
    let mut config = cheap();
    config.breach_file = Some(BreachFile::open(path).unwrap());
    let service = Service::with(config);
    for _ in 0..20 {
        let refused = service.register("ada@example.org").await.unwrap_err();
        let RegisterError::Invalid(invalid) = refused else { panic!("{refused}") };
        assert_eq!(invalid.password, Some(PasswordError::Breached));
    }
    let refused = service.register("ada@example.org").await.unwrap_err();
    assert!(matches!(refused, RegisterError::Throttled(_)), "{refused}");
    assert_eq!(service.auth.testing().hashes_computed(), 0);
}

#[tokio::test]
async fn whoever_cannot_log_in_hears_the_same_at_the_cost_of_one_hash() {
    let service = Service::with_ada().await;
    let disabled = service.register("disabled@example.org").await.unwrap();
    service.admin().set_active(disabled, false).await.unwrap();
    for (email, password) in [
        ("ada@example.org", "wrong"),
        ("nobody@example.org", PASSWORD),
        ("disabled@example.org", PASSWORD),
    ] {
        let before = service.auth.testing().hashes_computed();
        let error = service.try_log_in(email, password).await.unwrap_err();
        assert!(matches!(error, LogInError::WrongCredentials), "{email}: {error}");
        assert_eq!(service.auth.testing().hashes_computed() - before, 1, "{email}");
    }
}

#[tokio::test]
async fn what_can_be_nobodys_is_refused_before_anything_is_hashed_or_looked_up() {
    let service = Service::with_ada().await;
    let before = service.auth.testing().hashes_computed();
    for (email, password) in
        [("", PASSWORD), ("ada", PASSWORD), ("ada@example.org", ""), ("ada@example.org", "a\0b")]
    {
        let error = service.try_log_in(email, password).await.unwrap_err();
        assert!(matches!(error, LogInError::Invalid(_)), "{email:?} {password:?}: {error}");
    }
    let long = "x".repeat(10_000);
    let error = service.try_log_in("ada@example.org", &long).await.unwrap_err();
    assert!(matches!(error, LogInError::Invalid(_)), "{error}");
    assert_eq!(service.auth.testing().hashes_computed(), before);
}

/// Starts a service whose hashes cost more than that of `ada`.
async fn with_an_old_hash() -> Service {
    let store = MemoryStore::default();
    let clock = Service::new().clock;
    let before = Auth::with(store.clone(), clock.clone(), cheap()).unwrap();
    let new = NewUser::new("ada@example.org", "Ada", PASSWORD);
    before.by(&browser()).register(new).await.unwrap();
    let auth = Auth::with(store, clock.clone(), AuthConfig::default()).unwrap();
    Service { auth, clock }
}

#[tokio::test]
async fn an_old_hash_is_made_stronger_at_the_next_login() {
    let service = with_an_old_hash().await;
    for hashes in [2, 1] {
        let before = service.auth.testing().hashes_computed();
        let begun = service.log_in().await;
        assert!(service.authenticate(&begun.token).await.is_some());
        assert_eq!(service.auth.testing().hashes_computed() - before, hashes);
    }
    let email = EmailAddress::parse("ada@example.org").unwrap();
    let hash = service.auth.users().by_email(&email).await.unwrap().unwrap().password_hash.unwrap();
    assert!(hash.as_phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
}

#[tokio::test]
async fn of_many_logins_that_make_a_hash_stronger_at_once_none_is_refused() {
    let service = with_an_old_hash().await;
    let log_in = || service.try_log_in("ada@example.org", PASSWORD);
    let (one, two, three, four) = tokio::join!(log_in(), log_in(), log_in(), log_in());
    for login in [one, two, three, four] {
        login.unwrap();
    }
}

#[tokio::test]
async fn a_session_idles_out_unless_it_is_used() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    for _ in 0..5 {
        service.advance(Duration::minutes(28));
        assert!(service.authenticate(&begun.token).await.is_some());
    }
    service.advance(Duration::minutes(30));
    assert!(service.authenticate(&begun.token).await.is_none());
}

#[tokio::test]
async fn a_session_ends_after_twelve_hours_however_much_it_is_used() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    for _ in 0..(12 * 4 - 1) {
        service.advance(Duration::minutes(15));
        assert!(service.authenticate(&begun.token).await.is_some());
    }
    service.advance(Duration::minutes(15));
    assert!(service.authenticate(&begun.token).await.is_none());
}

#[tokio::test]
async fn a_login_is_fresh_for_ten_minutes() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    service.advance(Duration::minutes(10));
    assert!(!service.authenticate(&begun.token).await.unwrap().is_fresh);
}

#[tokio::test]
async fn a_token_that_was_never_given_out_is_nobodys() {
    let service = Service::with_ada().await;
    let forged = SecretToken::parse(&"A".repeat(SecretToken::CHARS)).unwrap();
    assert!(service.authenticate(&forged).await.is_none());
}

#[tokio::test]
async fn a_user_who_is_shut_out_or_deleted_is_out_at_once() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    service.admin().set_active(begun.user.id, false).await.unwrap();
    assert!(service.authenticate(&begun.token).await.is_none());
    service.admin().set_active(begun.user.id, true).await.unwrap();
    let begun = service.log_in().await;
    assert!(service.admin().delete(begun.user.id).await.unwrap());
    assert!(service.authenticate(&begun.token).await.is_none());
}

#[tokio::test]
async fn a_new_password_ends_every_session_and_the_old_one_opens_nothing() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    service.admin().set_password(&begun.user, "quite another set of words").await.unwrap();
    assert!(service.authenticate(&begun.token).await.is_none());
    assert!(service.try_log_in("ada@example.org", PASSWORD).await.is_err());
    assert!(service.try_log_in("ada@example.org", "quite another set of words").await.is_ok());
}

#[tokio::test]
async fn the_oldest_session_ends_when_a_user_has_too_many() {
    let mut config = cheap();
    config.sessions.max_per_user = 2;
    let service = Service::with(config);
    service.register("ada@example.org").await.unwrap();
    let mut tokens = Vec::new();
    for _ in 0..3 {
        service.advance(Duration::SECOND);
        tokens.push(service.log_in().await.token);
    }
    let mut live = Vec::new();
    for token in &tokens {
        live.push(service.authenticate(token).await.is_some());
    }
    assert_eq!(live, [false, true, true]);
}

#[tokio::test]
async fn sessions_are_listed_and_revoked_by_their_owner() {
    let service = Service::with_ada().await;
    let (one, two) = (service.log_in().await, service.log_in().await);
    let ada = one.user.id;
    assert_eq!(service.acting().sessions(ada).list().await.unwrap().len(), 2);
    assert!(service.auth.by(&admin()).sessions(ada).revoke(one.session.id).await.unwrap());
    assert!(service.authenticate(&one.token).await.is_none());
    assert_eq!(service.auth.by(&admin()).sessions(ada).revoke_all().await.unwrap(), 1);
    assert!(service.authenticate(&two.token).await.is_none());
}

// Release builds accept no cheaper parameters than the minimum, whatever features are compiled in.
#[test]
fn hash_parameters_for_tests_are_refused_by_a_release_build() {
    assert_eq!(cheap().check().is_ok(), cfg!(debug_assertions));
}
