//! How many sessions are live.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use countersign_domain::SessionGrant;
use countersign_domain::contract::any_record;
use countersign_domain::{SessionLifetimes, Store};
use support::{File, START, session, user};
use time::Duration;

#[tokio::test]
async fn sessions_are_counted_as_long_as_they_are_live() {
    let file = File::new();
    let database = file.migrated().await;
    let ada = user("ada");
    database.users().insert_user(&ada, &any_record()).await.unwrap();
    let mut sessions = Vec::new();
    for minute in 0..5 {
        let at = START + Duration::minutes(minute);
        let (session, token) = session(&ada, at);
        let grant = SessionGrant {
            session: &session,
            token: &token,
            proof: None,
            remember: None,
            max_per_user: 9,
        };
        assert!(database.sessions().insert_session(grant, &any_record()).await.unwrap());
        sessions.push(session);
    }
    // Each lives for an hour; one of them is used until its end.
    let used = START + Duration::minutes(59);
    database.sessions().touch_sessions(&[(sessions.last().unwrap().id, used)]).await.unwrap();
    sessions.last_mut().unwrap().last_seen_at = used;
    for idle in [Duration::minutes(30), Duration::hours(2)] {
        let mut lifetimes = SessionLifetimes::default();
        lifetimes.idle = idle;
        for minute in 59..70 {
            let now = START + Duration::minutes(minute);
            let live = sessions.iter().filter(|one| one.is_live(now, &lifetimes)).count();
            let counted = database.live_sessions(now, now - idle).await.unwrap();
            assert_eq!(counted, live as u64, "after {minute} minutes, idle {idle}");
        }
    }
}
