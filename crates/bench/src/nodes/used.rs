//! Measures what it costs to save that sessions are in use, which a node does once a minute.

use countersign_domain::{Clock, SessionId, Store, SystemClock};
use countersign_persistence::SqlStore;
use tokio::runtime::Runtime;

use crate::Outcome;

use super::costs::Costs;
use super::people::People;

/// Enough sessions to measure processor time, which is counted in hundredths of a second.
const MOST: u32 = 20_000;

/// The number of sessions that a node writes in one transaction.
const BATCH: usize = 500;

/// Measures the cost for each session, over many sessions spread over the table.
pub(super) fn costs(people: &People<'_>) -> Outcome<Costs> {
    let server = people.database.server();
    let ids = format!("SELECT id FROM sessions ORDER BY token_digest LIMIT {MOST}");
    let now = SystemClock.now();
    let ids = people.database.ask(&ids)?;
    let used = ids.lines().map(|id| Some((SessionId::parse(id)?, now)));
    let used = used.collect::<Option<Vec<_>>>().ok_or("a session has no id")?;
    let runtime = Runtime::new()?;
    let database = runtime.block_on(SqlStore::connect(&people.database.url()))?;
    server.settle()?;
    people.database.forget()?;
    let cpu = server.cpu()?;
    for batch in used.chunks(BATCH) {
        runtime.block_on(database.sessions().touch_sessions(batch))?;
    }
    let cpu = server.cpu()?.zip(cpu).map(|(now, then)| now.saturating_sub(then));
    let seen = people.database.seen()?;
    runtime.block_on(database.close());
    let each = |all: f64| all / used.len().max(1) as f64;
    let cpu = cpu.map(|cpu| ("processor of PostgreSQL", each(cpu.as_secs_f64() * 1e6), "µs"));
    let seen = seen.into_iter().flat_map(|seen| {
        [
            ("executing in PostgreSQL", each(seen.micros), "µs"),
            ("write-ahead log", each(seen.wal), "bytes"),
        ]
    });
    Ok(Costs::new(cpu.into_iter().chain(seen)))
}
