pub(crate) mod entity;

use async_trait::async_trait;
use countersign_domain::{
    BrowserStore, BrowserUse, KnownBrowser, OffsetDateTime, StoreError, TokenDigest, UserId,
};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, DeleteMany, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, Select,
    UpdateMany,
};

use self::entity::{Column, Entity, Model};
use crate::call::{Deadline, transaction};
use crate::database::SqlStore;
use crate::error::{corrupt, unavailable, unread};
use crate::query::these;
use crate::row::{bytes, moment};

pub(crate) fn of_user(user: UserId) -> Select<Entity> {
    Entity::find().filter(Column::UserId.eq(user.as_uuid()))
}

/// Notes that a browser has shown its token, unless it showed it later.
fn touch(used: &BrowserUse) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(moment(used.at)))
        .filter(Column::TokenDigest.eq(bytes(&used.token)))
        .filter(Column::UserId.eq(used.user.as_uuid()))
        .filter(Column::UsedAt.lt(moment(used.at)))
}

/// Notes that a browser has come back, if it was given its token long enough ago.
fn prove(used: &BrowserUse) -> UpdateMany<Entity> {
    let given = used.at.saturating_sub(KnownBrowser::PROVEN_AFTER);
    Entity::update_many()
        .col_expr(Column::IsProven, Expr::value(true))
        .filter(Column::TokenDigest.eq(bytes(&used.token)))
        .filter(Column::UserId.eq(used.user.as_uuid()))
        .filter(Column::CreatedAt.lte(moment(given)))
        .filter(Column::IsProven.eq(false))
}

fn row(browser: &KnownBrowser) -> Model {
    Model {
        token_digest: bytes(&browser.token),
        user_id: browser.user_id.as_uuid(),
        created_at: moment(browser.created_at),
        used_at: moment(browser.used_at),
        is_proven: browser.is_proven,
        expires_at: moment(browser.expires_at),
    }
}

impl TryFrom<Model> for KnownBrowser {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let token = TokenDigest::from_bytes(&row.token_digest).ok_or("it is not 32 bytes long");
        let token = token.map_err(corrupt("known_browsers", "token_digest"))?;
        let (created_at, expires_at) = (row.created_at.assume_utc(), row.expires_at.assume_utc());
        let user = UserId::from_uuid(row.user_id);
        let mut browser = Self::new(user, token, created_at, expires_at);
        browser.used_at = row.used_at.assume_utc();
        browser.is_proven = row.is_proven;
        Ok(browser)
    }
}

/// Returns at most `limit` browsers that have expired.
pub(crate) fn expired(now: OffsetDateTime, limit: u32) -> DeleteMany<Entity> {
    let over = Column::ExpiresAt.lt(moment(now));
    let old = Entity::find().filter(over.clone()).limit(u64::from(limit));
    these(old, Column::TokenDigest, over)
}

#[async_trait]
impl BrowserStore for SqlStore {
    async fn save_browser(&self, browser: &KnownBrowser) -> Result<(), StoreError> {
        let new = &row(browser).into_active_model();
        transaction!(self, Deadline::of_call(), |change| {
            let insertion = Entity::insert(new.clone());
            insertion.exec_without_returning(change).await.map_err(unavailable)?;
            // Where several become known at the same moment, each sees none of the others, and one or two
            // more stay until the next.
            let all = of_user(browser.user_id).all(change).await.map_err(unread::<Entity>)?;
            let all = all.into_iter().map(KnownBrowser::try_from);
            let all = all.collect::<Result<Vec<_>, _>>()?;
            let too_many = KnownBrowser::too_many(&all, &browser.token);
            if too_many.is_empty() {
                return Ok(());
            }
            let gone = Column::TokenDigest.is_in(too_many.iter().map(bytes));
            let removal = Entity::delete_many().filter(gone);
            removal.exec(change).await.map_err(unavailable).map(drop)
        })
    }

    async fn use_browsers(&self, used: &[BrowserUse]) -> Result<(), StoreError> {
        if used.is_empty() {
            return Ok(());
        }
        // In one order, so that of two who note the same browsers one waits for the other.
        let mut used = used.to_vec();
        used.sort_unstable_by_key(|one| *one.token.as_bytes());
        let used = &used;
        transaction!(self, Deadline::of_call(), |change| {
            for one in used {
                touch(one).exec(change).await.map_err(unavailable)?;
                prove(one).exec(change).await.map_err(unavailable)?;
            }
            Ok(())
        })
    }

    async fn browser_by_token(
        &self,
        token: &TokenDigest,
    ) -> Result<Option<KnownBrowser>, StoreError> {
        let call = self.read(Deadline::of_call()).await?;
        let found = Entity::find_by_id(bytes(token)).one(&call).await;
        found.map_err(unread::<Entity>)?.map(KnownBrowser::try_from).transpose()
    }

    async fn purge_browsers(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.change_rows(expired(now, limit)).await
    }
}
