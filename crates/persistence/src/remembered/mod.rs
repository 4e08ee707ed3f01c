pub(crate) mod entity;
pub(crate) mod row;

use async_trait::async_trait;
use countersign_domain::{
    OffsetDateTime, Record, RememberOutcome, RememberRecords, RememberStep, RememberStore,
    RememberUse, Remembered, RememberedId, Session, StoreError, TokenDigest, User, UserId,
};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DeleteMany, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Select, SelectTwoRequired,
};

use self::entity::{Column, Entity};
use self::row::Series;
use crate::audit::append::append;
use crate::call::{Call, Deadline, transaction};
use crate::database::SqlStore;
use crate::error::{unavailable, unread, unread_two};
use crate::query::these;
use crate::row::{bytes, moment};
use crate::session::{begin, entity as session};
use crate::user::entity as user;
use crate::user::lock::lock;

pub(crate) fn by_series(series: &TokenDigest) -> SelectTwoRequired<Entity, user::Entity> {
    Entity::find().filter(Column::SeriesDigest.eq(bytes(series))).find_both_related(user::Entity)
}

pub(crate) fn newest_first(user: UserId) -> Select<Entity> {
    Entity::find()
        .filter(Column::UserId.eq(user.as_uuid()))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
}

/// Returns at most `limit` remembered logins that have expired.
pub(crate) fn expired(now: OffsetDateTime, limit: u32) -> DeleteMany<Entity> {
    let over = Column::ExpiresAt.lt(moment(now));
    let old = Entity::find().filter(over.clone()).limit(u64::from(limit));
    these(old, Column::Id, over)
}

/// Returns the remembered logins of a user that are too many: the ones that were not used for the longest.
pub(crate) fn beyond(user: UserId, max: u32) -> DeleteMany<Entity> {
    let theirs = Column::UserId.eq(user.as_uuid());
    // An offset must come with a limit, which SQLite and PostgreSQL read as a signed number.
    let old = Entity::find()
        .filter(theirs.clone())
        .order_by_desc(Column::UsedAt)
        .order_by_desc(Column::Id)
        .offset(u64::from(max))
        .limit(i64::MAX.unsigned_abs());
    these(old, Column::Id, theirs)
}

/// A remembered login that is there, of a user who may log in, and what is done about its use.
struct Found {
    step: RememberStep,
    remembered: Remembered,
    user: User,
    session: Option<Session>,
}

async fn find(
    db: &impl ConnectionTrait,
    used: RememberUse<'_>,
) -> Result<Option<Found>, StoreError> {
    let found = by_series(used.series).one(db).await;
    let Some((row, user)) = found.map_err(unread_two::<Entity, user::Entity>)? else {
        return Ok(None);
    };
    let (Series { remembered, secret, previous }, user) = (row.try_into()?, User::try_from(user)?);
    if !user.is_active {
        return Ok(None);
    }
    // Only to the previous secret it matters whether there is a session.
    let session = match previous == Some(*used.secret) {
        true => begin::of_login(remembered.id).one(db).await,
        false => Ok(None),
    };
    let session = session.map_err(unread::<session::Entity>)?;
    let session = session.map(Session::try_from).transpose()?;
    let step = used.step(&remembered, &secret, previous.as_ref(), session.is_some());
    Ok(Some(Found { step, remembered, user, session }))
}

async fn rotate(
    change: &Call,
    used: RememberUse<'_>,
    remembered: &Remembered,
) -> Result<Session, StoreError> {
    let rotation = Entity::update_many()
        .col_expr(Column::PreviousDigest, Expr::value(bytes(used.secret)))
        .col_expr(Column::SecretDigest, Expr::value(bytes(used.next)))
        .col_expr(Column::UsedAt, Expr::value(moment(used.now)))
        .filter(Column::Id.eq(remembered.id.as_uuid()));
    rotation.exec(change).await.map_err(unavailable)?;
    let session = used.session(remembered);
    begin::begin(change, &session, used.begins.token, used.begins.max_per_user).await?;
    Ok(session)
}

#[async_trait]
impl RememberStore for SqlStore {
    async fn peek_remembered(
        &self,
        used: RememberUse<'_>,
    ) -> Result<Option<RememberOutcome>, StoreError> {
        Ok(match find(&self.read(Deadline::of_call()).await?, used).await? {
            None | Some(Found { step: RememberStep::Expired, .. }) => {
                Some(RememberOutcome::Unknown)
            }
            Some(Found { step: RememberStep::Join, remembered, user, session: Some(session) }) => {
                Some(RememberOutcome::Parallel(remembered, user, session))
            }
            Some(_) => None,
        })
    }

    async fn use_remembered(
        &self,
        used: RememberUse<'_>,
        records: RememberRecords<'_>,
    ) -> Result<RememberOutcome, StoreError> {
        // Whoever makes a series up keeps no writer from its work, and neither does a parallel request.
        let until = Deadline::of_call();
        let user = match find(&self.read(until).await?, used).await? {
            None => return Ok(RememberOutcome::Unknown),
            Some(found) => found.user.id,
        };
        // Another may have come first, so what counts is what is found now.
        transaction!(self, until, |change| {
            lock(change, user).await?;
            let Some(Found { step, mut remembered, user, session }) = find(change, used).await?
            else {
                return Ok(RememberOutcome::Unknown);
            };
            let (outcome, record) = match (step, session) {
                (RememberStep::Expired, _) => return Ok(RememberOutcome::Unknown),
                (RememberStep::Join, Some(session)) => {
                    return Ok(RememberOutcome::Parallel(remembered, user, session));
                }
                (RememberStep::Join | RememberStep::Rotate, _) => {
                    remembered.used_at = used.now;
                    let session = rotate(change, used, &remembered).await?;
                    let record = records.resumed.about(user.id);
                    (RememberOutcome::Rotated(remembered, user, session), record)
                }
                (RememberStep::Theft | RememberStep::Move, _) => {
                    let ending = Entity::delete_by_id(remembered.id.as_uuid());
                    ending.exec(change).await.map_err(unavailable)?;
                    match step {
                        RememberStep::Move => {
                            (RememberOutcome::Moved(remembered), records.moved.about(user.id))
                        }
                        _ => (RememberOutcome::Stolen(remembered), records.stolen.about(user.id)),
                    }
                }
            };
            append(change, &record).await?;
            Ok(outcome)
        })
    }

    async fn remembered_of(&self, user: UserId) -> Result<Vec<Remembered>, StoreError> {
        let call = self.read(Deadline::of_call()).await?;
        let rows = newest_first(user).all(&call).await.map_err(unread::<Entity>)?;
        rows.into_iter().map(Remembered::try_from).collect()
    }

    // The foreign key of `sessions` takes the sessions along, here and wherever a row is deleted.
    async fn end_remembered(
        &self,
        user: UserId,
        id: RememberedId,
        record: &Record,
    ) -> Result<bool, StoreError> {
        let ending = &Entity::delete_by_id(id.as_uuid()).filter(Column::UserId.eq(user.as_uuid()));
        transaction!(self, Deadline::of_call(), |change| {
            lock(change, user).await?;
            if ending.clone().exec(change).await.map_err(unavailable)?.rows_affected == 0 {
                return Ok(false);
            }
            append(change, record).await?;
            Ok(true)
        })
    }

    async fn end_series(
        &self,
        series: &TokenDigest,
        record: &Record,
    ) -> Result<Option<UserId>, StoreError> {
        // Whoever makes a series up keeps no writer from its work.
        let until = Deadline::of_call();
        let found = by_series(series).one(&self.read(until).await?).await;
        let found = found.map_err(unread_two::<Entity, user::Entity>)?;
        let Some((row, _)) = found else { return Ok(None) };
        let (id, user) = (row.id, UserId::from_uuid(row.user_id));
        transaction!(self, until, |change| {
            lock(change, user).await?;
            let ending = Entity::delete_by_id(id).exec(change).await.map_err(unavailable)?;
            if ending.rows_affected == 0 {
                return Ok(None);
            }
            append(change, &record.about(user)).await?;
            Ok(Some(user))
        })
    }

    async fn purge_remembered(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.change_rows(expired(now, limit)).await
    }
}
