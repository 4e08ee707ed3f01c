//! Remembered logins in a file: used by many programs at once, begun whole or not at all, and what
//! is said of a damaged row.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/server.rs"]
mod server;
mod support;

use countersign_domain::contract::{alike, any_record, remember_use};
use countersign_domain::{
    Basis, Client, Keep, RememberGrant, RememberOutcome, Remembered, RememberedId, Session,
    SessionGrant, SessionId, SessionRenewal, Store, StoreError, TokenDigest, User,
};
use countersign_persistence::SqlStore;
use sea_orm::ConnectionTrait;
use server::{Engine, TestDatabase};
use support::{File, START, rng, session, token, user};
use time::Duration;

/// A login that is remembered, with a session.
#[derive(Clone)]
struct Login {
    session: Session,
    token: TokenDigest,
    remembered: Remembered,
    series: TokenDigest,
    secret: TokenDigest,
}

impl Login {
    fn new(user: &User) -> Self {
        let (session, session_token) = session(user, START);
        let (id, end) = (RememberedId::generate(START, &mut rng()), START + Duration::days(14));
        let remembered = Remembered::new(id, user.id, session.client.clone(), START, end);
        let mut session = session;
        session.remembered = Some(remembered.id);
        Self { session, token: session_token, remembered, series: token(), secret: token() }
    }

    async fn save(&self, database: &SqlStore) -> Result<bool, StoreError> {
        let (remembered, series) = (&self.remembered, &self.series);
        let remember = Some(RememberGrant { remembered, series, secret: &self.secret });
        insert(database, &self.session, &self.token, remember).await
    }

    /// Presents the first secret after a minute.
    async fn present(&self, database: &SqlStore) -> Result<RememberOutcome, StoreError> {
        let now = START + Duration::MINUTE;
        let (next, record) = (token(), any_record());
        let secrets = [&self.series, &self.secret, &next];
        let mut used = remember_use(secrets, now, &self.session.client);
        used.begins.id = SessionId::generate(now, &mut rng());
        database.remembered().use_remembered(used, alike(&record)).await
    }
}

async fn insert(
    database: &SqlStore,
    session: &Session,
    token: &TokenDigest,
    remember: Option<RememberGrant<'_>>,
) -> Result<bool, StoreError> {
    let grant = SessionGrant { session, token, proof: None, remember, max_per_user: 9 };
    database.sessions().insert_session(grant, &any_record()).await
}

/// On PostgreSQL two that wait for each other are found out after a second, and one is tried again.
/// Here they are not: both would wait until they are given up.
async fn without_rescue() -> Option<(TestDatabase, SqlStore)> {
    let on = TestDatabase::new(Engine::Postgres).await?;
    let database = SqlStore::connect(&format!("{}%20-cdeadlock_timeout%3D60s", on.url)).await;
    let database = database.unwrap();
    countersign_migration::up(database.connection()).await.unwrap();
    Some((on, database))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_all_that_happens_to_a_login_at_once_no_two_wait_for_each_other() {
    let Some((_on, database)) = without_rescue().await else { return };
    let ada = user("ada");
    database.users().insert_user(&ada, &any_record()).await.unwrap();
    for _ in 0..20 {
        let login = Login::new(&ada);
        assert!(login.save(&database).await.unwrap());
        let resumed = || {
            let (mut session, token) = session(&ada, START);
            session.remembered = Some(login.remembered.id);
            (session, token)
        };
        let (one, other) = (resumed(), resumed());
        let keep = Some(Keep { session: login.session.id, browser: None });
        let entry = any_record();
        let ended = tokio::join!(
            login.present(&database),
            insert(&database, &one.0, &one.1, None),
            login.present(&database),
            insert(&database, &other.0, &other.1, None),
            database.sessions().end_sessions_of(ada.id, keep, &entry),
            database.sessions().end_session(ada.id, login.session.id, None, &entry),
            database.remembered().end_remembered(ada.id, login.remembered.id, None, &entry),
            database.remembered().end_series(&login.series, &entry),
            database.users().set_active(ada.id, true, &entry),
        );
        ended.0.unwrap();
        ended.1.unwrap();
        ended.2.unwrap();
        ended.3.unwrap();
        ended.4.unwrap();
        ended.5.unwrap();
        ended.6.unwrap();
        ended.7.unwrap();
        ended.8.unwrap();
    }
}

async fn with_login(file: &File) -> (SqlStore, User, Login) {
    let (database, ada) = (file.migrated().await, user("ada"));
    database.users().insert_user(&ada, &any_record()).await.unwrap();
    let login = Login::new(&ada);
    assert!(login.save(&database).await.unwrap());
    (database, ada, login)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_programs_replaces_a_secret_and_all_others_came_with_it() {
    let file = File::new();
    let (_database, ada, login) = with_login(&file).await;
    let mut programs = Vec::new();
    for _ in 0..8 {
        programs.push(file.open().await);
    }
    let uses: Vec<_> = programs
        .into_iter()
        .map(|database| {
            let login = login.clone();
            tokio::spawn(async move { login.present(&database).await })
        })
        .collect();
    let mut rotated = 0;
    for used in uses {
        match used.await.unwrap().unwrap() {
            RememberOutcome::Rotated(..) => rotated += 1,
            RememberOutcome::Parallel(..) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(rotated, 1);
    assert_eq!(database_sessions(&file.open().await, &ada).await.len(), 1);
}

#[tokio::test]
async fn what_was_replaced_is_there_after_reopening() {
    let file = File::new();
    let (database, ada, login) = with_login(&file).await;
    login.present(&database).await.unwrap();
    database.close().await;
    let outcome = login.present(&file.open().await).await.unwrap();
    let used_at = START + Duration::MINUTE;
    let mut used = login.remembered;
    used.used_at = used_at;
    let session = database_sessions(&file.open().await, &ada).await.remove(0);
    assert_eq!(outcome, RememberOutcome::Parallel(used, ada, session));
}

async fn database_sessions(database: &SqlStore, user: &User) -> Vec<Session> {
    database.sessions().sessions_of(user.id).await.unwrap()
}

#[tokio::test]
async fn a_login_whose_session_cannot_be_saved_is_not_remembered() {
    let file = File::new();
    let (database, ada, first) = with_login(&file).await;
    let second = Login { token: first.token, ..Login::new(&ada) };
    let error = second.save(&database).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert_eq!(database.remembered().remembered_of(ada.id).await.unwrap(), [first.remembered]);
    assert_eq!(second.present(&database).await.unwrap(), RememberOutcome::Unknown);
}

/// It may end between its use and the session that is to begin by it.
#[tokio::test]
async fn a_session_is_refused_when_the_login_it_belongs_to_has_ended_or_is_not_its_users() {
    let file = File::new();
    let (database, ada, login) = with_login(&file).await;
    let eve = user("eve");
    database.users().insert_user(&eve, &any_record()).await.unwrap();
    let (eves, eves_token) = session(&eve, START);
    let mut eves = eves;
    eves.remembered = login.session.remembered;
    assert!(!insert(&database, &eves, &eves_token, None).await.unwrap());

    let (later, later_token) = session(&ada, START);
    let mut later = later;
    later.remembered = login.session.remembered;
    assert!(
        database
            .remembered()
            .end_remembered(ada.id, login.remembered.id, None, &any_record())
            .await
            .unwrap()
    );
    assert!(!insert(&database, &later, &later_token, None).await.unwrap());
    assert!(database.sessions().sessions_of(ada.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_batch_of_times_is_noted_for_whatever_sessions_are_left() {
    let file = File::new();
    let (database, ada, login) = with_login(&file).await;
    let (gone, (other, other_token)) = (session(&ada, START).0, session(&ada, START));
    insert(&database, &other, &other_token, None).await.unwrap();
    let at = |minutes| START + Duration::minutes(minutes);
    let seen = [(login.session.id, at(2)), (gone.id, at(9)), (other.id, at(3)), (other.id, at(1))];
    database.sessions().touch_sessions(&seen).await.unwrap();
    for (token, minutes) in [(login.token, 2), (other_token, 3)] {
        let (session, _) = database.sessions().session_by_token(&token).await.unwrap().unwrap();
        assert_eq!(session.last_seen_at, at(minutes));
    }
}

#[tokio::test]
async fn a_renewal_never_moves_the_time_of_use_back() {
    let file = File::new();
    let (database, ada, login) = with_login(&file).await;
    let later = START + Duration::minutes(5);
    database.sessions().touch_sessions(&[(login.session.id, later)]).await.unwrap();
    let (client, authenticated_at) = (&Client::default(), START + Duration::MINUTE);
    let new = &token();
    let renewal = SessionRenewal {
        basis: Basis::of(&ada, login.session.id),
        token: new,
        client,
        authenticated_at,
        methods: &countersign_domain::Methods::default(),
    };
    assert!(database.sessions().renew_session(renewal, &any_record()).await.unwrap());
    let (session, _) = database.sessions().session_by_token(new).await.unwrap().unwrap();
    assert_eq!(session.last_seen_at, later);
    assert_eq!(session.authenticated_at, Some(authenticated_at));
    assert_eq!(session.client, Client::default());
}

#[tokio::test]
async fn a_database_without_remembered_logins_is_not_ready() {
    let file = File::new();
    let database = file.migrated().await;
    database.ready().await.unwrap();
    let rename = "ALTER TABLE remembered_logins RENAME COLUMN used_at TO seen_at";
    database.connection().execute_unprepared(rename).await.unwrap();
    assert!(matches!(database.ready().await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_damaged_value_is_named_by_table_and_column() {
    for (table, column, value, listed) in [
        ("remembered_logins", "id", "'not an id'", true),
        ("remembered_logins", "secret_digest", "x'00'", false),
        ("remembered_logins", "secret_digest", "'text'", false),
        ("remembered_logins", "previous_digest", "x''", false),
        ("remembered_logins", "previous_digest", "1.5", true),
        ("remembered_logins", "address", "'localhost'", true),
        ("remembered_logins", "user_agent", "x'00'", true),
        ("remembered_logins", "created_at", "'yesterday'", true),
        ("remembered_logins", "used_at", "''", true),
        ("remembered_logins", "expires_at", "1.5", true),
        ("users", "username", "''", false),
        ("users", "is_active", "'perhaps'", false),
    ] {
        let file = File::new();
        let (database, ada, login) = with_login(&file).await;
        let damage = format!("PRAGMA foreign_keys = OFF; UPDATE {table} SET {column} = {value}");
        database.connection().execute_unprepared(&damage).await.unwrap();
        let mut errors = vec![login.present(&database).await.unwrap_err()];
        if listed {
            errors.push(database.remembered().remembered_of(ada.id).await.unwrap_err());
        }
        for error in errors {
            assert_eq!(error.to_string(), format!("the store holds a corrupt {column} in {table}"));
        }
    }
}
