//! The metrics of databases, for Prometheus. `docs/metrics.md` lists them.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use sea_orm::sqlx::{self, Pool};
use sea_orm::{DatabaseConnection, DatabaseConnectionType, DbBackend};

use crate::database::SqlStore;
use crate::error::ErrorKind;

/// What a pool of connections says of itself.
struct PoolState {
    open: u32,
    idle: usize,
    limit: u32,
}

fn state_of<DB: sqlx::Database>(pool: &Pool<DB>) -> PoolState {
    let limit = pool.options().get_max_connections();
    PoolState { open: pool.size(), idle: pool.num_idle(), limit }
}

fn state(connection: &DatabaseConnection) -> Option<PoolState> {
    match &connection.inner {
        #[cfg(feature = "sqlite")]
        DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
            Some(state_of(connection.get_sqlite_connection_pool()))
        }
        #[cfg(feature = "postgres")]
        DatabaseConnectionType::SqlxPostgresPoolConnection(_) => {
            Some(state_of(connection.get_postgres_connection_pool()))
        }
        #[cfg(feature = "mysql")]
        DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
            Some(state_of(connection.get_mysql_connection_pool()))
        }
        _ => None,
    }
}

/// The pools of a database, asked at each scrape.
struct Pools(Vec<(&'static str, DatabaseConnection)>);

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Collector for Pools {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut errors = encoder.encode_descriptor(
            "countersign_database_errors",
            "Reads and writes that failed by what failed.",
            None,
            MetricType::Counter,
        )?;
        for kind in ErrorKind::ALL {
            let count = ConstCounter::new(kind.count());
            count.encode(errors.encode_family(&[("kind", kind.as_str())])?)?;
        }
        let states = self.0.iter().filter_map(|(name, pool)| Some((*name, state(pool)?)));
        let states: Vec<_> = states.collect();
        if states.is_empty() {
            return Ok(());
        }
        let mut connections = encoder.encode_descriptor(
            "countersign_database_connections",
            "Open connections to the database.",
            None,
            MetricType::Gauge,
        )?;
        for (name, pool) in &states {
            let open = i64::from(pool.open);
            let idle = i64::try_from(pool.idle).unwrap_or(i64::MAX).min(open);
            for (state, count) in [("idle", idle), ("used", open.saturating_sub(idle))] {
                let labels = [("pool", *name), ("state", state)];
                ConstGauge::new(count).encode(connections.encode_family(&labels)?)?;
            }
        }
        let mut limits = encoder.encode_descriptor(
            "countersign_database_connections_limit",
            "How many connections there may be.",
            None,
            MetricType::Gauge,
        )?;
        for (name, pool) in &states {
            let limit = ConstGauge::new(i64::from(pool.limit));
            limit.encode(limits.encode_family(&[("pool", *name)])?)?;
        }
        Ok(())
    }
}

impl SqlStore {
    /// Adds what is counted of this database to `registry`: its connections, and the errors of all
    /// databases of this process.
    pub fn register_metrics(&self, registry: &mut Registry) {
        let pools = if self.reader().get_database_backend() == DbBackend::Sqlite {
            vec![("reader", self.reader().clone()), ("writer", self.writer().clone())]
        } else {
            // A server has one pool for both.
            vec![("writer", self.writer().clone())]
        };
        registry.register_collector(Box::new(Pools(pools)));
    }
}

#[cfg(test)]
mod tests {
    use countersign_domain::contract::any_record;
    use countersign_domain::{Store, StoreError};
    use prometheus_client::encoding::text::encode;
    use sea_orm::{ConnectionTrait, TransactionTrait};
    use tempfile::TempDir;

    use super::*;
    use crate::plan::begin;

    async fn database() -> (SqlStore, TempDir) {
        let dir = TempDir::new().unwrap();
        let url = format!("sqlite://{}?mode=rwc", dir.path().join("test.db").display());
        let database = SqlStore::connect(&url).await.unwrap();
        countersign_migration::up(database.connection()).await.unwrap();
        (database, dir)
    }

    fn scrape(database: &SqlStore) -> String {
        let mut registry = Registry::default();
        database.register_metrics(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    /// The tests of a process share the counts, so that they only ever grow.
    fn errors(database: &SqlStore, kind: &str) -> u64 {
        let text = scrape(database);
        let start = format!("countersign_database_errors_total{{kind=\"{kind}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn a_pool_that_is_used_up_is_seen_and_its_error_is_counted() {
        let (database, _dir) = database().await;
        let before = errors(&database, "no_connection");
        let mut busy = Vec::new();
        for _ in 0..8 {
            busy.push(database.reader().begin().await.unwrap());
        }
        let text = scrape(&database);
        for line in [
            "countersign_database_connections{pool=\"reader\",state=\"used\"} 8",
            "countersign_database_connections{pool=\"reader\",state=\"idle\"} 0",
            "countersign_database_connections{pool=\"writer\",state=\"idle\"} 1",
            "countersign_database_connections_limit{pool=\"reader\"} 8",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
        database.ready().await.unwrap_err();
        assert!(errors(&database, "no_connection") > before);
    }

    #[tokio::test]
    async fn a_table_that_is_gone_is_an_error_of_its_own_kind() {
        let (database, _dir) = database().await;
        let before = errors(&database, "other");
        database.writer().execute_unprepared("DROP TABLE throttle_counters").await.unwrap();
        database.ready().await.unwrap_err();
        assert!(errors(&database, "other") > before);
    }

    #[tokio::test]
    async fn a_database_that_somebody_else_writes_to_is_locked() {
        let (database, dir) = database().await;
        let url = format!("sqlite://{}", dir.path().join("test.db").display());
        let other = SqlStore::connect(&url).await.unwrap();
        let before = errors(&database, "locked");
        let held = begin(&other).await.unwrap();
        // Not to wait for the usual five seconds.
        database.writer().execute_unprepared("PRAGMA busy_timeout = 0").await.unwrap();
        database.audit().record(&[any_record()]).await.unwrap_err();
        assert!(errors(&database, "locked") > before);
        held.rollback().await.unwrap();
        database.audit().record(&[any_record()]).await.unwrap();
    }

    #[tokio::test]
    async fn a_value_that_cannot_be_is_corrupt() {
        let (database, _dir) = database().await;
        let before = errors(&database, "corrupt");
        let error = crate::error::corrupt("users", "email")("no address");
        assert!(matches!(error, StoreError::Corrupt { .. }));
        assert!(errors(&database, "corrupt") > before);
    }
}
