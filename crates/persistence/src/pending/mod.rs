pub(crate) mod entity;

use async_trait::async_trait;
use countersign_domain::{
    CLOCK_TOLERANCE, CounterKey, HashDigest, OffsetDateTime, PendingLogin, PendingStore,
    StoreError, TokenDigest, UserId,
};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, DeleteMany, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Select, UpdateMany,
};

use self::entity::{Column, Entity, Model};
use crate::call::{Deadline, transaction};
use crate::database::SqlStore;
use crate::error::{corrupt, unavailable, unread};
use crate::query::these;
use crate::row::{bytes, moment};

const TABLE: &str = "pending_logins";

/// The bytes of a moment in `counted`: microseconds since 1970.
const MOMENT_BYTES: usize = 8;

pub(crate) fn by_token(token: &TokenDigest, now: OffsetDateTime) -> Select<Entity> {
    Entity::find_by_id(bytes(token))
        .filter(Column::ExpiresAt.gt(moment(now)))
        .filter(Column::Tries.lt(most_tries()))
}

fn most_tries() -> i32 {
    i32::try_from(PendingLogin::MAX_TRIES).unwrap_or(i32::MAX)
}

pub(crate) fn newest_first(user: UserId) -> Select<Entity> {
    Entity::find().filter(Column::UserId.eq(user.as_uuid())).order_by_desc(Column::CreatedAt)
}

/// Returns the deletion of the logins of a user that are too many with this one, which stays whatever its
/// time is.
pub(crate) fn beyond(user: UserId, new: &TokenDigest, max: u32) -> DeleteMany<Entity> {
    let others = newest_first(user).filter(Column::TokenDigest.ne(bytes(new)));
    // An offset must come with a limit, which SQLite and PostgreSQL read as a signed number.
    let old = others.offset(u64::from(max.saturating_sub(1))).limit(i64::MAX.unsigned_abs());
    these(old, Column::TokenDigest, Column::UserId.eq(user.as_uuid()))
}

/// Returns the deletion of at most `limit` logins that have expired.
pub(crate) fn expired(now: OffsetDateTime, limit: u32) -> DeleteMany<Entity> {
    let over = Column::ExpiresAt.lt(moment(now));
    let old = Entity::find().filter(over.clone()).limit(u64::from(limit));
    these(old, Column::TokenDigest, over)
}

/// Returns the condition of logins that began in the future.
pub(crate) fn unborn(now: OffsetDateTime) -> Condition {
    // They expire later, so that an index finds them.
    let bound = now.saturating_add(CLOCK_TOLERANCE);
    Condition::all()
        .add(Column::ExpiresAt.gt(moment(bound)))
        .add(Column::CreatedAt.gt(moment(bound)))
}

/// Counts a try, if one is left.
pub(crate) fn one_more_try(token: &TokenDigest, now: OffsetDateTime) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::Tries, Expr::col(Column::Tries).add(1))
        .filter(Column::TokenDigest.eq(bytes(token)))
        .filter(Column::ExpiresAt.gt(moment(now)))
        .filter(Column::Tries.lt(most_tries()))
}

fn row(login: &PendingLogin, token: &TokenDigest) -> Model {
    let counted = login.counted.iter().flat_map(|(key, since)| {
        let micros = i64::try_from(since.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX);
        key.as_bytes().iter().copied().chain(micros.to_be_bytes())
    });
    Model {
        token_digest: bytes(token),
        user_id: login.user_id.as_uuid(),
        methods: login.methods.to_string(),
        password_digest: login.password.map(|digest| digest.as_bytes().to_vec()),
        remember: login.remember,
        counted: counted.collect(),
        tries: 0,
        created_at: moment(login.created_at),
        expires_at: moment(login.expires_at),
    }
}

/// Reads the counters of a login, each with the beginning of its period.
fn counted(saved: &[u8]) -> Option<Vec<(CounterKey, OffsetDateTime)>> {
    let parts = saved.chunks(CounterKey::BYTES + MOMENT_BYTES);
    let read = |part: &[u8]| {
        let (key, micros) = part.split_at_checked(CounterKey::BYTES)?;
        let micros = i128::from(i64::from_be_bytes(micros.try_into().ok()?));
        let since = OffsetDateTime::from_unix_timestamp_nanos(micros * 1_000).ok()?;
        Some((CounterKey::from_bytes(key)?, since))
    };
    parts.map(read).collect()
}

impl TryFrom<Model> for PendingLogin {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let (created_at, expires_at) = (row.created_at.assume_utc(), row.expires_at.assume_utc());
        let mut login = Self::new(UserId::from_uuid(row.user_id), created_at, expires_at);
        login.methods = row.methods.parse().map_err(corrupt(TABLE, "methods"))?;
        let digest =
            |saved: Vec<u8>| HashDigest::from_bytes(&saved).ok_or("it is not 32 bytes long");
        let password = row.password_digest.map(digest).transpose();
        login.password = password.map_err(corrupt(TABLE, "password_digest"))?;
        login.remember = row.remember;
        let counted = counted(&row.counted).ok_or("it is no list of counters");
        login.counted = counted.map_err(corrupt(TABLE, "counted"))?;
        Ok(login)
    }
}

impl SqlStore {
    async fn pending(
        &self,
        token: &TokenDigest,
        now: OffsetDateTime,
    ) -> Result<Option<PendingLogin>, StoreError> {
        let call = self.read(Deadline::of_call()).await?;
        let found = by_token(token, now).one(&call).await.map_err(unread::<Entity>)?;
        let login = found.map(PendingLogin::try_from).transpose()?;
        Ok(login.filter(|login| login.waits(now)))
    }
}

#[async_trait]
impl PendingStore for SqlStore {
    async fn save_pending(
        &self,
        login: &PendingLogin,
        token: &TokenDigest,
    ) -> Result<(), StoreError> {
        let row = &row(login, token).into_active_model();
        transaction!(self, Deadline::of_call(), |change| {
            let insertion = Entity::insert(row.clone()).exec_without_returning(change);
            insertion.await.map_err(unavailable)?;
            let too_many = beyond(login.user_id, token, PendingLogin::MAX_PER_USER);
            too_many.exec(change).await.map_err(unavailable).map(drop)
        })
    }

    async fn pending_by_token(
        &self,
        token: &TokenDigest,
        now: OffsetDateTime,
    ) -> Result<Option<PendingLogin>, StoreError> {
        self.pending(token, now).await
    }

    async fn try_pending(
        &self,
        token: &TokenDigest,
        now: OffsetDateTime,
    ) -> Result<Option<PendingLogin>, StoreError> {
        // A made-up token keeps no writer from its work.
        let Some(login) = self.pending(token, now).await? else { return Ok(None) };
        let is_counted = self.change_rows(one_more_try(token, now)).await? > 0;
        Ok(is_counted.then_some(login))
    }

    async fn end_pending(&self, token: &TokenDigest) -> Result<bool, StoreError> {
        Ok(self.change_rows(Entity::delete_by_id(bytes(token))).await? > 0)
    }

    async fn purge_pending(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        let expired = self.change_rows(expired(now, limit)).await?;
        let rest = limit.saturating_sub(u32::try_from(expired).unwrap_or(u32::MAX));
        Ok(expired
            + self.remove_found::<Entity, Vec<u8>>(Column::TokenDigest, unborn(now), rest).await?)
    }
}
