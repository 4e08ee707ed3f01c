//! What a store on a server promises besides the contract: it answers in time whatever becomes of the
//! server, and what was given up leaves nothing behind.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/server.rs"]
mod server;
#[expect(dead_code, reason = "each test uses a part")]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use countersign_domain::contract::{alike, any_record, remember_use};
use countersign_domain::{
    RememberGrant, RememberOutcome, Remembered, RememberedId, SessionGrant, SessionId, Store,
    StoreError, User,
};
use countersign_persistence::SqlStore;
use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};
use server::{Engine, TestDatabase};
use support::{START, hash, rng, session, token, user};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A call ends within five seconds; the rest is for a busy machine.
const IN_TIME: Duration = Duration::from_secs(9);

async fn migrated(url: &str) -> SqlStore {
    let database = SqlStore::connect(url).await.unwrap();
    countersign_migration::up(database.connection()).await.unwrap();
    database
}

/// Between a store and its server, and can keep silent as a server does that hangs or has lost its
/// network.
struct Between {
    url: String,
    silent: Arc<AtomicBool>,
}

impl Between {
    async fn new(database: &TestDatabase) -> Self {
        let server = database.engine.server();
        let address = server.rsplit_once('@').unwrap().1.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap().to_string();
        let silent = Arc::new(AtomicBool::new(false));
        let url = database.url.replace(&address, &here);
        let state = Arc::clone(&silent);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&address).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pass(from_client, to_server, Arc::clone(&state)));
                tokio::spawn(pass(from_server, to_client, Arc::clone(&state)));
            }
        });
        Self { url, silent }
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    silent: Arc<AtomicBool>,
) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        while silent.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

async fn in_time<T: std::fmt::Debug>(call: impl Future<Output = Result<T, StoreError>>) {
    let start = Instant::now();
    let error = call.await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(start.elapsed() < IN_TIME, "it took {:?}", start.elapsed());
}

/// A part of what should come at once, and more on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn postgresql_tells_each_store_that_the_trail_has_grown_until_it_is_closed() {
    let Some(on) = TestDatabase::new(Engine::Postgres).await else { return };
    let (one, other) = (migrated(&on.url).await, migrated(&on.url).await);
    let told = async || tokio::time::timeout(AT_ONCE, one.audit().audit_growth()).await;
    told().await.unwrap().unwrap();
    for _ in 0..3 {
        other.audit().record(&[any_record()]).await.unwrap();
        // Whoever wrote it is told, and by giving the record its place tells the others.
        let told_itself = tokio::time::timeout(AT_ONCE, other.audit().audit_growth());
        told_itself.await.unwrap().unwrap();
        other.audit().audit_users(0, 9).await.unwrap();
        told().await.unwrap().unwrap();
    }
    let command = migrated(&on.url).await;
    command.audit().record(&[any_record()]).await.unwrap();
    command.close().await;
    told().await.unwrap().unwrap();
    // Whether it waits or does something else, it lets go.
    let waiting = one.clone();
    let waiting =
        tokio::spawn(async move { while waiting.audit().audit_growth().await.is_ok() {} });
    tokio::time::timeout(AT_ONCE, one.close()).await.unwrap();
    waiting.await.unwrap();

    let idle = migrated(&on.url).await;
    idle.audit().audit_growth().await.unwrap();
    tokio::time::timeout(AT_ONCE, idle.close()).await.unwrap();

    // Nor does somebody who asked and does not listen to the end.
    let held = migrated(&on.url).await;
    held.audit().audit_growth().await.unwrap();
    let mut growth = std::pin::pin!(held.audit().audit_growth());
    tokio::time::timeout(Duration::from_millis(50), growth.as_mut()).await.unwrap_err();
    tokio::time::timeout(AT_ONCE, held.clone().close()).await.unwrap();
}

#[tokio::test]
async fn every_call_ends_in_time_when_the_server_keeps_silent_and_works_when_it_speaks_again() {
    for on in TestDatabase::of_each().await {
        let between = Between::new(&on).await;
        let database =
            migrated(&format!("{}{}max_connections=2", between.url, joint(&between.url))).await;
        let ada = user("ada");
        database.users().insert_user(&ada, &any_record()).await.unwrap();
        between.silent.store(true, Ordering::Relaxed);
        // More than there are connections.
        let (new, entry) = (hash("new"), any_record());
        let (session, token) = session(&ada, START);
        let grant = SessionGrant {
            session: &session,
            token: &token,
            proof: None,
            remember: None,
            max_per_user: 3,
        };
        tokio::join!(
            in_time(database.ready()),
            in_time(database.users().user_by_id(ada.id)),
            in_time(database.sessions().session_by_token(&token)),
            in_time(database.sessions().insert_session(grant, &entry)),
            in_time(database.users().replace_password(ada.id, &new, None, &entry)),
            in_time(database.audit().record(std::slice::from_ref(&entry))),
            in_time(database.sessions().purge_sessions(START, START, 9)),
        );
        between.silent.store(false, Ordering::Relaxed);
        // What the server was asked before may yet be done, so that the locks are waited for.
        let start = Instant::now();
        while database.ready().await.is_err() {
            assert!(start.elapsed() < Duration::from_secs(30), "it does not recover");
        }
        while database.users().set_active(ada.id, false, &entry).await.is_err() {
            assert!(start.elapsed() < Duration::from_secs(30), "it does not recover");
        }
        assert!(!database.users().user_by_id(ada.id).await.unwrap().unwrap().is_active);
    }
}

fn joint(url: &str) -> char {
    if url.contains('?') { '&' } else { '?' }
}

#[tokio::test]
async fn a_connection_that_was_cut_is_replaced() {
    for on in TestDatabase::of_each().await {
        let database = migrated(&format!("{}{}max_connections=1", on.url, joint(&on.url))).await;
        let cut = match on.engine {
            Engine::Postgres => "SELECT pg_terminate_backend(pg_backend_pid())",
            Engine::MariaDb => "KILL CONNECTION_ID()",
        };
        database.connection().execute_unprepared(cut).await.unwrap_err();
        let start = Instant::now();
        while database.ready().await.is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "{:?} is gone", on.engine);
        }
    }
}

#[tokio::test]
async fn whoever_holds_a_lock_for_long_makes_others_unavailable_in_time() {
    for on in TestDatabase::of_each().await {
        let database = migrated(&on.url).await;
        let ada = user("ada");
        database.users().insert_user(&ada, &any_record()).await.unwrap();
        let other = on.connection().await;
        let held = other.begin().await.unwrap();
        held.execute_unprepared("UPDATE users SET username = 'x'").await.unwrap();
        in_time(database.users().set_active(ada.id, false, &any_record())).await;
        assert!(database.users().user_by_id(ada.id).await.unwrap().unwrap().is_active);
        held.rollback().await.unwrap();
        assert!(database.users().set_active(ada.id, false, &any_record()).await.unwrap());
    }
}

/// Whoever gives up, wherever that is, leaves no lock and no half of a change, and what is asked next
/// is answered with its own answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_given_up_half_way_leaves_nothing_behind() {
    for on in TestDatabase::of_each().await {
        let database = migrated(&on.url).await;
        let ada = user("ada");
        database.users().insert_user(&ada, &any_record()).await.unwrap();
        for step in 0..60 {
            let (new, entry) = (hash("new"), any_record());
            let change = database.users().replace_password(ada.id, &new, None, &entry);
            tokio::time::timeout(Duration::from_micros(step * 100), change).await.ok();
            let found: User = database.users().user_by_id(ada.id).await.unwrap().unwrap();
            assert_eq!(found.email, ada.email, "{:?}", on.engine);
        }
        assert!(database.users().set_active(ada.id, false, &any_record()).await.unwrap());
        let records = database.audit().audit_trail(0, 1_000).await.unwrap();
        let ends = database.audit().audit_ends().await.unwrap();
        assert_eq!(records.last().unwrap().link, ends.last, "the chain is whole");
        assert_eq!(records.len() as u64, ends.last.number);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_all_tabs_that_two_nodes_serve_at_once_one_begins_the_session_of_all() {
    for on in TestDatabase::of_each().await {
        let nodes = [migrated(&on.url).await, SqlStore::connect(&on.url).await.unwrap()];
        let ada = user("ada");
        nodes[0].users().insert_user(&ada, &any_record()).await.unwrap();
        let (mut first, first_token) = session(&ada, START);
        let (id, end) =
            (RememberedId::generate(START, &mut rng()), START + time::Duration::days(14));
        let remembered = Remembered::new(id, ada.id, first.client.clone(), START, end);
        first.remembered = Some(id);
        let (series, mut secret) = (token(), token());
        let grant = SessionGrant {
            session: &first,
            token: &first_token,
            proof: None,
            remember: Some(RememberGrant {
                remembered: &remembered,
                series: &series,
                secret: &secret,
            }),
            max_per_user: 20,
        };
        assert!(nodes[0].sessions().insert_session(grant, &any_record()).await.unwrap());
        for round in 1..=5 {
            let now = START + time::Duration::hours(round);
            let tabs = (0..26).map(|n| {
                let (node, client) = (nodes[n % 2].clone(), first.client.clone());
                tokio::spawn(async move {
                    let (next, record) = (token(), any_record());
                    let mut used = remember_use([&series, &secret, &next], now, &client);
                    used.begins.id = SessionId::generate(now, &mut rng());
                    (next, node.remembered().use_remembered(used, alike(&record)).await.unwrap())
                })
            });
            let mut begun = Vec::new();
            for tab in tabs.collect::<Vec<_>>() {
                match tab.await.unwrap() {
                    (next, RememberOutcome::Rotated(_, _, session)) => begun.push((next, session)),
                    (_, RememberOutcome::Parallel(..)) => {}
                    (_, other) => panic!("{other:?}"),
                }
            }
            let [(next, begun)] = &begun[..] else { panic!("{} have begun", begun.len()) };
            let left = nodes[1].sessions().sessions_of(ada.id).await.unwrap();
            assert_eq!(&left[..], std::slice::from_ref(begun));
            secret = *next;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_change_in_different_orders_is_tried_again() {
    for on in TestDatabase::of_each().await {
        let database = migrated(&on.url).await;
        let mut people = Vec::new();
        for n in 0..4 {
            let somebody = user(&format!("user-{n}"));
            database.users().insert_user(&somebody, &any_record()).await.unwrap();
            people.push(somebody);
        }
        let mut all = Vec::new();
        for n in 0..40 {
            let (database, ada) = (database.clone(), people[n % 4].clone());
            all.push(tokio::spawn(async move {
                let entry = any_record();
                let (session, token) = session(&ada, START);
                let grant = SessionGrant {
                    session: &session,
                    token: &token,
                    proof: None,
                    remember: None,
                    max_per_user: 3,
                };
                assert!(database.sessions().insert_session(grant, &any_record()).await.unwrap());
                if n % 3 == 0 {
                    database
                        .users()
                        .replace_password(ada.id, &hash("new"), None, &entry)
                        .await
                        .unwrap();
                } else if n % 3 == 1 {
                    database.sessions().end_sessions_of(ada.id, None, &entry).await.unwrap();
                } else {
                    database
                        .sessions()
                        .end_session(ada.id, session.id, None, &entry)
                        .await
                        .unwrap();
                }
                database.sessions().purge_sessions(START, START, 9).await.unwrap();
            }));
        }
        for one in all {
            one.await.unwrap();
        }
        for ada in people {
            assert!(database.sessions().sessions_of(ada.id).await.unwrap().len() <= 3);
        }
    }
}

#[tokio::test]
async fn statements_are_prepared_once_and_bounded_on_the_server() {
    for on in TestDatabase::of_each().await {
        let database = migrated(&format!("{}{}max_connections=1", on.url, joint(&on.url))).await;
        let ada = user("ada");
        database.users().insert_user(&ada, &any_record()).await.unwrap();
        let backend = database.connection().get_database_backend();
        let ask = async |sql: &str| {
            let row = database.connection().query_one_raw(Statement::from_string(backend, sql));
            row.await.unwrap().unwrap().try_get_by_index::<String>(0).unwrap()
        };
        let prepared = match backend {
            DbBackend::Postgres => "SELECT count(*)::text FROM pg_prepared_statements",
            _ => {
                "SELECT variable_value FROM information_schema.session_status \
                 WHERE variable_name = 'COM_STMT_PREPARE'"
            }
        };
        database.users().user_by_id(ada.id).await.unwrap();
        ask(prepared).await;
        let before = ask(prepared).await;
        for _ in 0..5 {
            database.users().user_by_id(ada.id).await.unwrap();
        }
        assert_eq!(ask(prepared).await, before);
        let settings: &[(&str, &str)] = match backend {
            DbBackend::Postgres => &[
                ("SELECT current_setting('statement_timeout')", "4s"),
                ("SELECT current_setting('lock_timeout')", "3s"),
                ("SELECT current_setting('idle_in_transaction_session_timeout')", "10s"),
                ("SELECT current_setting('transaction_isolation')", "read committed"),
                ("SELECT current_setting('TimeZone')", "UTC"),
            ],
            _ => &[
                ("SELECT CAST(@@max_statement_time AS CHAR)", "4.000000"),
                ("SELECT CAST(@@innodb_lock_wait_timeout AS CHAR)", "3"),
                ("SELECT @@tx_isolation", "READ-COMMITTED"),
                ("SELECT @@time_zone", "+00:00"),
            ],
        };
        for (question, answer) in settings {
            assert_eq!(ask(question).await, *answer, "{question}");
        }
    }
}
