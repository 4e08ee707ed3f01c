pub(crate) mod entity;

use std::collections::HashMap;

use async_trait::async_trait;
use countersign_domain::throttle::{Count, Counter, Tally, closed};
use countersign_domain::{
    CLOCK_TOLERANCE, Counted, CounterKey, OffsetDateTime, StoreError, ThrottleStore,
};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, DeleteMany, EntityTrait, IntoActiveModel,
    QueryFilter, QuerySelect, Select,
};

use self::entity::{Column, Entity, Model};
use crate::call::{Call, Deadline, transaction};
use crate::database::SqlStore;
use crate::error::{corrupt, unavailable, unread};
use crate::query::these;
use crate::row::moment;

pub(crate) fn by_keys(keys: &[CounterKey]) -> Select<Entity> {
    Entity::find().filter(Column::Key.is_in(keys.iter().map(|key| key.as_bytes().to_vec())))
}

/// Returns at most `limit` counters that have nothing to remember.
pub(crate) fn forgotten(now: OffsetDateTime, limit: u32) -> DeleteMany<Entity> {
    let over = Column::ForgottenAt.lte(moment(now));
    let old = Entity::find().filter(over.clone()).limit(u64::from(limit));
    these(old, Column::Key, over)
}

/// Returns the condition of counters that began to count in the future.
pub(crate) fn unborn(now: OffsetDateTime) -> Condition {
    // They are forgotten later, so that an index finds them.
    let bound = now.saturating_add(CLOCK_TOLERANCE);
    Condition::all().add(Column::ForgottenAt.gt(moment(bound))).add(Column::Since.gt(moment(bound)))
}

/// Keeps everybody else from these counters until the transaction ends. A row that is not there
/// cannot be locked, so that each gets one, and all in one order: of two that want the same counters,
/// one waits for the other at the first. On SQLite nobody else writes anyway.
async fn lock(change: &Call, keys: &[CounterKey]) -> Result<(), StoreError> {
    if keys.is_empty() || change.get_database_backend() == DbBackend::Sqlite {
        return Ok(());
    }
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys.dedup();
    let nothing = moment(OffsetDateTime::UNIX_EPOCH);
    let empty = |key: &CounterKey| {
        let key = key.as_bytes().to_vec();
        Model { key, tries: 0, since: nothing, forgotten_at: nothing }.into_active_model()
    };
    let as_it_was = [(Column::Key, Expr::col((Entity, Column::Key)))];
    let locking = Entity::insert_many(keys.iter().map(empty))
        .on_conflict(OnConflict::column(Column::Key).values(as_it_was).to_owned())
        .exec_without_returning(change);
    locking.await.map_err(unavailable).map(drop)
}

/// Returns what each of the counters has counted. One that remembers nothing was made to be locked.
async fn tallies(
    db: &impl ConnectionTrait,
    counters: &[Counter],
) -> Result<Vec<Option<Tally>>, StoreError> {
    let keys: Vec<_> = counters.iter().map(|counter| counter.key).collect();
    let rows = by_keys(&keys).all(db).await.map_err(unread::<Entity>)?;
    let found: HashMap<_, _> = rows.into_iter().map(|row| (row.key.clone(), row)).collect();
    let tally = |key: &CounterKey| {
        let row = found.get(key.as_bytes().as_slice());
        let Some(row) = row.filter(|row| row.since < row.forgotten_at) else { return Ok(None) };
        let tries = row.tries.try_into().map_err(corrupt("throttle_counters", "tries"))?;
        Ok(Some(Tally { tries, since: row.since.assume_utc() }))
    };
    keys.iter().map(tally).collect()
}

fn row(counter: &Counter, tally: Tally) -> Model {
    Model {
        key: counter.key.as_bytes().to_vec(),
        tries: tally.tries.try_into().unwrap_or(i32::MAX),
        since: moment(tally.since),
        forgotten_at: moment(counter.rule.forgets_at(tally)),
    }
}

async fn save(
    transaction: &impl ConnectionTrait,
    rows: impl IntoIterator<Item = Model>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = rows.into_iter().map(IntoActiveModel::into_active_model).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let replaced = [Column::Tries, Column::Since, Column::ForgottenAt];
    let saving = Entity::insert_many(rows)
        .on_conflict(OnConflict::column(Column::Key).update_columns(replaced).to_owned())
        .exec_without_returning(transaction);
    saving.await.map_err(unavailable).map(drop)
}

#[async_trait]
impl ThrottleStore for SqlStore {
    async fn count_try(
        &self,
        counters: &[Counter],
        now: OffsetDateTime,
    ) -> Result<Counted, StoreError> {
        if counters.is_empty() {
            return Ok(Counted::In(Vec::new()));
        }
        // Whoever knocks at a closed door keeps no writer from its work.
        let until = Deadline::of_call();
        let found = tallies(&self.read(until).await?, counters).await?;
        if let Some((counter, until)) = closed(counters, &found, now) {
            return Ok(Counted::Out { counter, until });
        }
        // Others may have come first, so what counts is what is found now.
        let keys = &counters.iter().map(|counter| counter.key).collect::<Vec<_>>();
        transaction!(self, until, |change| {
            lock(change, keys).await?;
            let found = tallies(change, counters).await?;
            if let Some((counter, until)) = closed(counters, &found, now) {
                return Ok(Counted::Out { counter, until });
            }
            let counted = counters.iter().zip(found);
            let counted: Vec<_> = counted
                .map(|(counter, before)| Count { before, after: counter.rule.count(before, now) })
                .collect();
            let rows = counters.iter().zip(&counted);
            save(change, rows.map(|(counter, count)| row(counter, count.after))).await?;
            Ok(Counted::In(counted))
        })
    }

    async fn settle_try(
        &self,
        undo: &[(Counter, Count)],
        clear: &[CounterKey],
    ) -> Result<(), StoreError> {
        let counters = &undo.iter().map(|(counter, _)| *counter).collect::<Vec<_>>();
        let undone = counters.iter().map(|counter| counter.key);
        let keys = &undone.chain(clear.iter().copied()).collect::<Vec<_>>();
        transaction!(self, Deadline::of_call(), |change| {
            lock(change, keys).await?;
            let found = tallies(change, counters).await?;
            let (mut rows, mut gone) = (Vec::new(), clear.to_vec());
            for ((counter, count), current) in undo.iter().zip(found) {
                match counter.rule.undo(current, *count) {
                    Some(tally) => rows.push(row(counter, tally)),
                    None => gone.push(counter.key),
                }
            }
            save(change, rows).await?;
            let gone = gone.iter().map(|key| key.as_bytes().to_vec());
            let removal = Entity::delete_many().filter(Column::Key.is_in(gone));
            removal.exec(change).await.map_err(unavailable).map(drop)
        })
    }

    async fn purge_counters(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        let forgotten = self.change_rows(forgotten(now, limit)).await?;
        let rest = limit.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX));
        Ok(forgotten + self.remove_found::<Entity, Vec<u8>>(Column::Key, unborn(now), rest).await?)
    }
}
