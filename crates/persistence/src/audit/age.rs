//! How old records lose their addresses, and then go.

use std::collections::BTreeMap;

use countersign_domain::{Aged, Ageing, AgeingRule, AuditRecord, Record, StoreError};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::entity::ends;
use super::entity::event::{self, Column, Entity};
use super::oldest_first;
use super::row::{link, queue_row};
use super::seal::{ENDS, ends, lock_end, place};
use crate::call::{Deadline, transaction};
use crate::database::SqlStore;
use crate::error::{unavailable, unread};
use crate::row::address;

/// Returns the last record to which this was done.
fn frontier(what: Ageing, end: &ends::Model) -> i64 {
    match what {
        Ageing::Shorten => end.cut_number.max(end.removed_number),
        Ageing::Remove => end.removed_number,
    }
}

/// Removes the oldest records, up to `last`.
async fn remove(
    transaction: &impl ConnectionTrait,
    rule: AgeingRule,
    last: &event::Model,
) -> Result<(), StoreError> {
    let noted = ends::Entity::update_many()
        .col_expr(ends::Column::RemovedNumber, Expr::value(last.number))
        .col_expr(ends::Column::RemovedHash, Expr::value(last.hash.clone()))
        .col_expr(ends::Column::KeptFor, Expr::value(rule.kept.whole_seconds()))
        .filter(ends::Column::Id.eq(ENDS));
    noted.exec(transaction).await.map_err(unavailable)?;
    let removal = Entity::delete_many().filter(Column::Number.lte(last.number));
    removal.exec(transaction).await.map_err(unavailable).map(drop)
}

/// Shortens the addresses of records, of which `last` is the last.
async fn shorten(
    transaction: &impl ConnectionTrait,
    rule: AgeingRule,
    old: &[event::Model],
    last: &event::Model,
) -> Result<(), StoreError> {
    let noted = ends::Entity::update_many()
        .col_expr(ends::Column::CutNumber, Expr::value(last.number))
        .col_expr(ends::Column::AddressesKeptFor, Expr::value(rule.kept.whole_seconds()))
        .filter(ends::Column::Id.eq(ENDS));
    noted.exec(transaction).await.map_err(unavailable)?;
    let mut numbers_by_network = BTreeMap::<_, Vec<i64>>::new();
    for row in old.iter().filter(|row| row.salt.is_some()) {
        let mut record = AuditRecord::try_from(row.clone())?;
        record.cut();
        numbers_by_network.entry(address(&record.event.client)).or_default().push(row.number);
    }
    for (network, numbers) in numbers_by_network {
        let cutting = Entity::update_many()
            .col_expr(Column::Address, Expr::value(network))
            .col_expr(Column::Salt, Expr::value(None::<Vec<u8>>))
            .filter(Column::Number.is_in(numbers));
        cutting.exec(transaction).await.map_err(unavailable)?;
    }
    Ok(())
}

impl SqlStore {
    pub(super) async fn age(&self, rule: AgeingRule, record: &Record) -> Result<u64, StoreError> {
        let until = Deadline::of_call();
        let call = self.in_order(self.read(until).await?, until).await?;
        let from = frontier(rule.what, &ends(&call, ends::Entity::find_by_id(ENDS)).await?);
        // Most of the time not even the oldest is old, and nobody is kept from their work.
        let mut old = Vec::new();
        for limit in [1, rule.limit] {
            let found = oldest_first(from, limit).all(&call).await;
            old = found.map_err(unread::<Entity>)?;
            old.truncate(rule.count(record.at(), old.iter().map(|row| row.at.assume_utc())));
            if old.is_empty() {
                return Ok(0);
            }
        }
        let (Some(last), Some(youngest)) = (old.last(), old.iter().map(|row| row.at).max()) else {
            return Ok(0);
        };
        let up_to = link("audit_events", last.number, &last.hash)?;
        let aged = Aged { up_to, youngest: youngest.assume_utc(), kept: rule.kept };
        let said = &queue_row(&record.on(aged.subject()));
        // Whoever changes something needs a connection as well.
        drop(call);
        let old = &old;
        transaction!(self, until, |change| {
            let end = lock_end(change).await?;
            if frontier(rule.what, &end) != from {
                // Another process was faster.
                return Ok(0);
            }
            match rule.what {
                Ageing::Shorten => shorten(change, rule, old, last).await?,
                Ageing::Remove => remove(change, rule, last).await?,
            }
            place(change, &end, std::slice::from_ref(said)).await?;
            Ok(old.len() as u64)
        })
    }
}
