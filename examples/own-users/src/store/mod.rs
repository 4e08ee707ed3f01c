//! The implementations of the ports. `tests/store.rs` checks them.

mod remembered;
mod sessions;
mod users;

use std::sync::Arc;

use async_trait::async_trait;
use countersign_web::SqlStore;
use countersign_web::domain::{
    AuditStore, Basis, BrowserStore, Clock, Duration, Keep, OffsetDateTime, PasswordHash,
    PendingStore, Record, RememberStore, SessionId, SessionStore, SiteStore, Store, StoreError,
    ThrottleStore, UserId, UserStore,
};
use sea_orm::prelude::Expr;
use sea_orm::sea_query::SelectStatement;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DeleteMany, EntityTrait, QueryFilter,
    QuerySelect, QueryTrait, UpdateMany,
};

use crate::Members;
use crate::entity::{member, memory, visit};
use crate::row::{moment, unavailable};

type Answer<T> = Result<T, StoreError>;

async fn update<E: EntityTrait>(change: UpdateMany<E>, db: &impl ConnectionTrait) -> Answer<bool> {
    Ok(change.exec(db).await.map_err(unavailable)?.rows_affected > 0)
}

async fn delete<E: EntityTrait>(rows: DeleteMany<E>, db: &impl ConnectionTrait) -> Answer<u64> {
    Ok(rows.exec(db).await.map_err(unavailable)?.rows_affected)
}

async fn commit(change: DatabaseTransaction) -> Answer<()> {
    change.commit().await.map_err(unavailable)
}

/// Commits a change together with its record in the audit trail, so that either both are saved or neither.
async fn record_and_commit(change: DatabaseTransaction, record: &Record) -> Answer<()> {
    SqlStore::append(&change, record).await?;
    commit(change).await
}

fn the_member(id: UserId) -> UpdateMany<member::Entity> {
    member::Entity::update_many().filter(member::Column::Uid.eq(id.as_uuid()))
}

fn the_visit(id: SessionId) -> UpdateMany<visit::Entity> {
    visit::Entity::update_many().filter(visit::Column::Id.eq(id.as_uuid()))
}

/// Saves that a visit was used, unless it was already used later.
fn touched(id: SessionId, at: OffsetDateTime) -> UpdateMany<visit::Entity> {
    let earlier = the_visit(id).filter(visit::Column::SeenAt.lt(moment(at)));
    earlier.col_expr(visit::Column::SeenAt, Expr::value(moment(at)))
}

fn visits_of(user: UserId) -> DeleteMany<visit::Entity> {
    visit::Entity::delete_many().filter(visit::Column::Member.eq(user.as_uuid()))
}

/// Returns the query that deletes the memories of a user. The foreign key of visits deletes theirs as well.
fn memories_of(user: UserId) -> DeleteMany<memory::Entity> {
    memory::Entity::delete_many().filter(memory::Column::Member.eq(user.as_uuid()))
}

/// Returns the memory that a visit belongs to, if any.
fn memory_of(visit: SessionId) -> SelectStatement {
    visit::Entity::find_by_id(visit.as_uuid())
        .filter(visit::Column::Memory.is_not_null())
        .select_only()
        .column(visit::Column::Memory)
        .into_query()
}

/// Ends all that belongs to a member, except what is kept. Returns how many visits and memories ended.
async fn end_all(
    change: &DatabaseTransaction,
    user: UserId,
    keep: Option<Keep<'_>>,
) -> Answer<(u64, u64)> {
    let (mut visits, mut memories) = (visits_of(user), memories_of(user));
    if let Some(kept) = keep.map(|keep| keep.session) {
        visits = visits.filter(visit::Column::Id.ne(kept.as_uuid()));
        memories = memories.filter(memory::Column::Id.not_in_subquery(memory_of(kept)));
    }
    let ended = (delete(visits, change).await?, delete(memories, change).await?);
    SqlStore::forget(change, user, keep.and_then(|keep| keep.browser)).await?;
    Ok(ended)
}

/// Returns whether a change may be made: the visit in which the member asks, if any, has not ended.
async fn may(change: &DatabaseTransaction, user: UserId, by: Option<SessionId>) -> Answer<bool> {
    let Some(by) = by else { return Ok(true) };
    let visit = visit::Entity::find_by_id(by.as_uuid()).one(change).await.map_err(unavailable)?;
    Ok(visit.is_some_and(|visit| visit.member == user.as_uuid()))
}

/// Returns whether what a change rests on holds.
async fn holds(change: &DatabaseTransaction, basis: Basis<'_>) -> Answer<bool> {
    let member = member::Entity::find().filter(member::Column::Uid.eq(basis.user.as_uuid()));
    let member = member.one(change).await.map_err(unavailable)?;
    let password = basis.password.map(PasswordHash::as_phc);
    let is_same =
        member.is_some_and(|member| member.is_welcome && member.secret.as_deref() == password);
    Ok(is_same && may(change, basis.user, Some(basis.session)).await?)
}

#[async_trait]
impl Store for Members {
    fn users(&self) -> &dyn UserStore {
        self
    }

    fn sessions(&self) -> &dyn SessionStore {
        self
    }

    fn remembered(&self) -> &dyn RememberStore {
        self
    }

    fn throttle(&self) -> &dyn ThrottleStore {
        self.tables.throttle()
    }

    fn audit(&self) -> &dyn AuditStore {
        self.tables.audit()
    }

    fn browsers(&self) -> Option<&dyn BrowserStore> {
        self.tables.browsers()
    }

    fn pending(&self) -> Option<&dyn PendingStore> {
        self.tables.pending()
    }

    fn site(&self) -> Option<&dyn SiteStore> {
        self.tables.site()
    }

    async fn ready(&self) -> Answer<()> {
        // This query names every column, but reads no row.
        member::Entity::find().limit(0).all(&self.db).await.map_err(unavailable)?;
        visit::Entity::find().limit(0).all(&self.db).await.map_err(unavailable)?;
        memory::Entity::find().limit(0).all(&self.db).await.map_err(unavailable)?;
        self.tables.ready().await
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.tables.clock()
    }

    async fn read_clock(&self) -> Answer<Option<Duration>> {
        self.tables.read_clock().await
    }
}
