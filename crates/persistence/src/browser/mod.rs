pub(crate) mod entity;

use async_trait::async_trait;
use countersign_domain::{
    BrowserStore, KnownBrowser, OffsetDateTime, StoreError, TokenDigest, UserId,
};
use sea_orm::{
    ColumnTrait, DeleteMany, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    Select,
};

use self::entity::{Column, Entity, Model};
use crate::call::{Deadline, transaction};
use crate::database::SqlStore;
use crate::error::{unavailable, unread};
use crate::query::these;
use crate::row::{bytes, moment};

pub(crate) fn newest_first(user: UserId) -> Select<Entity> {
    Entity::find().filter(Column::UserId.eq(user.as_uuid())).order_by_desc(Column::CreatedAt)
}

/// Returns the browsers of a user that are too many. Where several become known at the same moment, each sees
/// none of the others, and one or two more stay until the next.
pub(crate) fn beyond(user: UserId, max: u32) -> DeleteMany<Entity> {
    // An offset must come with a limit, which SQLite and PostgreSQL read as a signed number.
    let old = newest_first(user).offset(u64::from(max)).limit(i64::MAX.unsigned_abs());
    let theirs = Column::UserId.eq(user.as_uuid());
    these(old, Column::TokenDigest, theirs)
}

/// Returns at most `limit` browsers that have expired.
pub(crate) fn expired(now: OffsetDateTime, limit: u32) -> DeleteMany<Entity> {
    let over = Column::ExpiresAt.lt(moment(now));
    let old = Entity::find().filter(over.clone()).limit(u64::from(limit));
    these(old, Column::TokenDigest, over)
}

#[async_trait]
impl BrowserStore for SqlStore {
    async fn save_browser(
        &self,
        browser: &KnownBrowser,
        max_per_user: u32,
    ) -> Result<(), StoreError> {
        let row = Model {
            token_digest: bytes(&browser.token),
            user_id: browser.user_id.as_uuid(),
            created_at: moment(browser.created_at),
            expires_at: moment(browser.expires_at),
        };
        let row = &row.into_active_model();
        transaction!(self, Deadline::of_call(), |change| {
            let insertion = Entity::insert(row.clone());
            insertion.exec_without_returning(change).await.map_err(unavailable)?;
            let too_many = beyond(browser.user_id, max_per_user);
            too_many.exec(change).await.map_err(unavailable).map(drop)
        })
    }

    async fn browser_by_token(
        &self,
        token: &TokenDigest,
    ) -> Result<Option<KnownBrowser>, StoreError> {
        let call = self.read(Deadline::of_call()).await?;
        let found = Entity::find_by_id(bytes(token)).one(&call).await;
        let found = found.map_err(unread::<Entity>)?;
        Ok(found.map(|row| {
            let (created_at, expires_at) =
                (row.created_at.assume_utc(), row.expires_at.assume_utc());
            KnownBrowser::new(UserId::from_uuid(row.user_id), *token, created_at, expires_at)
        }))
    }

    async fn purge_browsers(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.change_rows(expired(now, limit)).await
    }
}
