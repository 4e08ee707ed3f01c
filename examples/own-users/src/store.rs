//! The four ports. Whether they keep their promises, `tests/store.rs` shows.

use async_trait::async_trait;
use countersign_web::domain::store::{
    Field, RememberOutcome, RememberUse, SessionGrant, SessionRenewal,
};
use countersign_web::domain::{
    EmailAddress, OffsetDateTime, PasswordHash, RememberStore, Remembered, RememberedId, Session,
    SessionId, SessionStore, Store, StoreError, TokenDigest, User, UserId, UserStore,
};
use sea_orm::prelude::{Expr, Uuid};
use sea_orm::sea_query::SelectStatement;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbErr, DeleteMany, EntityTrait,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait, SqlErr, UpdateMany,
};

use crate::Members;
use crate::entity::{member, memory, visit};
use crate::row::{self, address, bytes, moment, unavailable};

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

fn member(id: UserId) -> UpdateMany<member::Entity> {
    member::Entity::update_many().filter(member::Column::Uid.eq(id.as_uuid()))
}

fn visit(id: SessionId) -> UpdateMany<visit::Entity> {
    visit::Entity::update_many().filter(visit::Column::Id.eq(id.as_uuid()))
}

/// Notes that a visit was used, unless it was used later.
fn touched(id: SessionId, at: OffsetDateTime) -> UpdateMany<visit::Entity> {
    let earlier = visit(id).filter(visit::Column::SeenAt.lt(moment(at)));
    earlier.col_expr(visit::Column::SeenAt, Expr::value(moment(at)))
}

fn visits_of(user: UserId) -> DeleteMany<visit::Entity> {
    visit::Entity::delete_many().filter(visit::Column::Member.eq(user.as_uuid()))
}

/// The visits that belong to a memory end with it: their foreign key says so.
fn memories_of(user: UserId) -> DeleteMany<memory::Entity> {
    memory::Entity::delete_many().filter(memory::Column::Member.eq(user.as_uuid()))
}

/// The memory that a visit belongs to, if it belongs to one.
fn memory_of(visit: SessionId) -> SelectStatement {
    visit::Entity::find_by_id(visit.as_uuid())
        .filter(visit::Column::Memory.is_not_null())
        .select_only()
        .column(visit::Column::Memory)
        .into_query()
}

#[async_trait]
impl UserStore for Members {
    async fn insert_user(&self, user: &User) -> Answer<()> {
        let row = member::ActiveModel::from(user);
        let inserted = member::Entity::insert(row).exec_without_returning(&self.0).await;
        inserted.map(drop).map_err(|error: DbErr| match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(what)) if what.contains("mail_key") => {
                StoreError::Taken(Field::Email)
            }
            _ => unavailable(error),
        })
    }

    async fn user_by_id(&self, id: UserId) -> Answer<Option<User>> {
        let found = member::Entity::find().filter(member::Column::Uid.eq(id.as_uuid()));
        found.one(&self.0).await.map_err(unavailable)?.map(User::try_from).transpose()
    }

    async fn user_by_email(&self, email: &EmailAddress) -> Answer<Option<User>> {
        let found = member::Entity::find().filter(member::Column::MailKey.eq(email.canonical()));
        found.one(&self.0).await.map_err(unavailable)?.map(User::try_from).transpose()
    }

    async fn users(&self, after: Option<UserId>, limit: u32) -> Answer<Vec<User>> {
        let after = after.map(|id| member::Column::Uid.gt(id.as_uuid()));
        let page = member::Entity::find().filter(Condition::all().add_option(after));
        let page = page.order_by_asc(member::Column::Uid).limit(u64::from(limit));
        let rows = page.all(&self.0).await.map_err(unavailable)?;
        rows.into_iter().map(User::try_from).collect()
    }

    async fn replace_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        keep: Option<SessionId>,
        now: OffsetDateTime,
    ) -> Answer<bool> {
        let change = self.begin().await?;
        let password = member(id)
            .col_expr(member::Column::Secret, Expr::value(hash.as_phc()))
            .col_expr(member::Column::ChangedAt, Expr::value(moment(now)));
        let is_there = update(password, &change).await?;
        let mut others = visits_of(id);
        if let Some(kept) = keep {
            // It would end with the memory that it belongs to.
            let theirs = visit(kept).filter(visit::Column::Member.eq(id.as_uuid()));
            let alone = theirs.col_expr(visit::Column::Memory, Expr::value(None::<Uuid>));
            update(alone, &change).await?;
            others = others.filter(visit::Column::Id.ne(kept.as_uuid()));
        }
        delete(others, &change).await?;
        delete(memories_of(id), &change).await?;
        commit(change).await?;
        Ok(is_there)
    }

    async fn upgrade_password_hash(
        &self,
        id: UserId,
        from: &PasswordHash,
        to: &PasswordHash,
    ) -> Answer<bool> {
        let unchanged = member(id).filter(member::Column::Secret.eq(from.as_phc()));
        update(unchanged.col_expr(member::Column::Secret, Expr::value(to.as_phc())), &self.0).await
    }

    async fn set_active(&self, id: UserId, active: bool, now: OffsetDateTime) -> Answer<bool> {
        let change = self.begin().await?;
        let welcome = member(id)
            .col_expr(member::Column::IsWelcome, Expr::value(active))
            .col_expr(member::Column::ChangedAt, Expr::value(moment(now)));
        let is_there = update(welcome, &change).await?;
        if !active {
            delete(visits_of(id), &change).await?;
            delete(memories_of(id), &change).await?;
        }
        commit(change).await?;
        Ok(is_there)
    }

    async fn delete_user(&self, id: UserId) -> Answer<bool> {
        // Foreign keys take along what belongs to them.
        let member = member::Entity::delete_many().filter(member::Column::Uid.eq(id.as_uuid()));
        Ok(delete(member, &self.0).await? > 0)
    }
}

#[async_trait]
impl SessionStore for Members {
    async fn insert_session(&self, grant: SessionGrant<'_>) -> Answer<bool> {
        let (session, user) = (grant.session, grant.session.user_id);
        let change = self.begin().await?;
        let owner = member::Entity::find().filter(member::Column::Uid.eq(user.as_uuid()));
        let owner = owner.one(&change).await.map_err(unavailable)?;
        let proof = grant.proof.map(PasswordHash::as_phc);
        let rests = owner.is_some_and(|owner| {
            owner.is_welcome && proof.is_none_or(|hash| owner.secret.as_deref() == Some(hash))
        });
        if !rests {
            return Ok(false);
        }
        if let Some(remember) = grant.remember {
            let row = row::memory(remember).into_active_model();
            let insertion = memory::Entity::insert(row).exec_without_returning(&change);
            insertion.await.map_err(unavailable)?;
        } else if let Some(id) = session.remembered {
            let memory = memory::Entity::find_by_id(id.as_uuid()).one(&change).await;
            if memory.map_err(unavailable)?.is_none_or(|row| row.member != user.as_uuid()) {
                return Ok(false);
            }
        }
        let row = row::visit(session, grant.token).into_active_model();
        let insertion = visit::Entity::insert(row).exec_without_returning(&change);
        insertion.await.map_err(unavailable)?;
        let newest = visit::Entity::find()
            .filter(visit::Column::Member.eq(user.as_uuid()))
            .order_by_desc(visit::Column::BeganAt)
            .order_by_desc(visit::Column::Id)
            .limit(u64::from(grant.max_per_user))
            .select_only()
            .column(visit::Column::Id)
            .into_query();
        let too_many = visits_of(user).filter(visit::Column::Id.not_in_subquery(newest));
        delete(too_many, &change).await?;
        commit(change).await?;
        Ok(true)
    }

    async fn session_by_token(&self, token: &TokenDigest) -> Answer<Option<(Session, User)>> {
        let found = visit::Entity::find()
            .filter(visit::Column::Token.eq(bytes(token)))
            .find_both_related(member::Entity);
        let found = found.one(&self.0).await.map_err(unavailable)?;
        found.map(|(visit, member)| Ok((visit.into(), member.try_into()?))).transpose()
    }

    async fn sessions_of(&self, user: UserId) -> Answer<Vec<Session>> {
        let newest_first = visit::Entity::find()
            .filter(visit::Column::Member.eq(user.as_uuid()))
            .order_by_desc(visit::Column::BeganAt)
            .order_by_desc(visit::Column::Id);
        let rows = newest_first.all(&self.0).await.map_err(unavailable)?;
        Ok(rows.into_iter().map(Session::from).collect())
    }

    async fn touch_sessions(&self, seen: &[(SessionId, OffsetDateTime)]) -> Answer<()> {
        let change = self.begin().await?;
        for (id, at) in seen {
            update(touched(*id, *at), &change).await?;
        }
        commit(change).await
    }

    async fn renew_session(&self, renewal: SessionRenewal<'_>) -> Answer<bool> {
        let (at, client) = (renewal.authenticated_at, renewal.client);
        let renewed = visit(renewal.id)
            .col_expr(visit::Column::Token, Expr::value(bytes(renewal.token)))
            .col_expr(visit::Column::Address, Expr::value(address(client)))
            .col_expr(visit::Column::Browser, Expr::value(client.user_agent.clone()))
            .col_expr(visit::Column::ProvenAt, Expr::value(moment(at)));
        let change = self.begin().await?;
        let stands = update(renewed, &change).await?;
        update(touched(renewal.id, at), &change).await?;
        commit(change).await?;
        Ok(stands)
    }

    async fn end_session(&self, user: UserId, id: SessionId) -> Answer<bool> {
        let change = self.begin().await?;
        let login = memories_of(user).filter(memory::Column::Id.in_subquery(memory_of(id)));
        let ended = delete(login, &change).await?;
        let alone = visits_of(user).filter(visit::Column::Id.eq(id.as_uuid()));
        let ended = ended + delete(alone, &change).await?;
        commit(change).await?;
        Ok(ended > 0)
    }

    async fn end_sessions_of(&self, user: UserId, keep: Option<SessionId>) -> Answer<u64> {
        let (mut visits, mut memories) = (visits_of(user), memories_of(user));
        if let Some(kept) = keep {
            visits = visits.filter(visit::Column::Id.ne(kept.as_uuid()));
            memories = memories.filter(memory::Column::Id.not_in_subquery(memory_of(kept)));
        }
        let change = self.begin().await?;
        let ended = delete(visits, &change).await?;
        delete(memories, &change).await?;
        commit(change).await?;
        Ok(ended)
    }

    async fn purge_sessions(
        &self,
        now: OffsetDateTime,
        idle_since: OffsetDateTime,
        limit: u32,
    ) -> Answer<u64> {
        let over = Condition::any()
            .add(visit::Column::EndsAt.lt(moment(now)))
            .add(visit::Column::SeenAt.lt(moment(idle_since)));
        let dead = visit::Entity::find()
            .filter(over)
            .limit(u64::from(limit))
            .select_only()
            .column(visit::Column::Id)
            .into_query();
        let dead = visit::Entity::delete_many().filter(visit::Column::Id.in_subquery(dead));
        delete(dead, &self.0).await
    }
}

#[async_trait]
impl RememberStore for Members {
    async fn use_remembered(&self, used: RememberUse<'_>) -> Answer<RememberOutcome> {
        let change = self.begin().await?;
        let found = memory::Entity::find()
            .filter(memory::Column::Series.eq(bytes(used.series)))
            .find_both_related(member::Entity);
        let found = found.one(&change).await.map_err(unavailable)?;
        let Some((row, owner)) =
            found.filter(|(row, owner)| moment(used.now) < row.ends_at && owner.is_welcome)
        else {
            return Ok(RememberOutcome::Unknown);
        };
        let shown = |kept: &[u8]| TokenDigest::from_bytes(kept).as_ref() == Some(used.secret);
        let (is_current, id) = (shown(&row.secret), row.id);
        let is_earlier = row.earlier.as_deref().is_some_and(shown);
        let (remembered, owner) = (Remembered::from(row), User::try_from(owner)?);
        if is_current {
            let rotation = memory::Entity::update_many()
                .col_expr(memory::Column::Earlier, Expr::value(bytes(used.secret)))
                .col_expr(memory::Column::Secret, Expr::value(bytes(used.next)))
                .col_expr(memory::Column::UsedAt, Expr::value(moment(used.now)))
                .filter(memory::Column::Id.eq(id));
            update(rotation, &change).await?;
            commit(change).await?;
            let remembered = Remembered { used_at: used.now, ..remembered };
            return Ok(RememberOutcome::Rotated(remembered, owner));
        }
        if is_earlier && remembered.used_at >= used.grace_since {
            return Ok(RememberOutcome::Parallel(remembered, owner));
        }
        let stolen = memory::Entity::delete_many().filter(memory::Column::Id.eq(id));
        delete(stolen, &change).await?;
        commit(change).await?;
        Ok(RememberOutcome::Stolen(remembered))
    }

    async fn remembered_of(&self, user: UserId) -> Answer<Vec<Remembered>> {
        let newest_first = memory::Entity::find()
            .filter(memory::Column::Member.eq(user.as_uuid()))
            .order_by_desc(memory::Column::BeganAt)
            .order_by_desc(memory::Column::Id);
        let rows = newest_first.all(&self.0).await.map_err(unavailable)?;
        Ok(rows.into_iter().map(Remembered::from).collect())
    }

    async fn end_remembered(&self, user: UserId, id: RememberedId) -> Answer<bool> {
        let memory = memories_of(user).filter(memory::Column::Id.eq(id.as_uuid()));
        Ok(delete(memory, &self.0).await? > 0)
    }

    async fn end_series(&self, series: &TokenDigest) -> Answer<bool> {
        let memory = memory::Entity::delete_many();
        let memory = memory.filter(memory::Column::Series.eq(bytes(series)));
        Ok(delete(memory, &self.0).await? > 0)
    }

    async fn purge_remembered(&self, now: OffsetDateTime, limit: u32) -> Answer<u64> {
        let dead = memory::Entity::find()
            .filter(memory::Column::EndsAt.lt(moment(now)))
            .limit(u64::from(limit))
            .select_only()
            .column(memory::Column::Id)
            .into_query();
        let dead = memory::Entity::delete_many().filter(memory::Column::Id.in_subquery(dead));
        delete(dead, &self.0).await
    }
}

#[async_trait]
impl Store for Members {
    async fn ready(&self) -> Answer<()> {
        // Names every column and reads no row.
        member::Entity::find().limit(0).all(&self.0).await.map_err(unavailable)?;
        visit::Entity::find().limit(0).all(&self.0).await.map_err(unavailable)?;
        memory::Entity::find().limit(0).all(&self.0).await.map_err(unavailable)?;
        Ok(())
    }
}
