use async_trait::async_trait;
use countersign_web::domain::{
    CLOCK_TOLERANCE, Ended, Keep, OffsetDateTime, PasswordHash, Proof, Record, Session,
    SessionGrant, SessionId, SessionRenewal, SessionStore, TokenDigest, User, UserId,
};
use sea_orm::prelude::{Expr, Uuid};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};

use super::{Answer, commit, delete, end_all, holds, may, memories_of, memory_of};
use super::{record_and_commit, the_visit, touched, update, visits_of};
use crate::Members;
use crate::entity::{member, memory, visit};
use crate::row::{self, address, bytes, moment, unavailable};

/// Gives a visit its new token.
pub(super) async fn renew(change: &DatabaseTransaction, renewal: SessionRenewal<'_>) -> Answer<()> {
    let (id, at, client) = (renewal.basis.session, renewal.authenticated_at, renewal.client);
    let renewed = the_visit(id)
        .col_expr(visit::Column::Token, Expr::value(bytes(renewal.token)))
        .col_expr(visit::Column::Address, Expr::value(address(client)))
        .col_expr(visit::Column::Browser, Expr::value(client.user_agent.clone()))
        .col_expr(visit::Column::Methods, Expr::value(renewal.methods.to_string()))
        .col_expr(visit::Column::ProvenAt, Expr::value(moment(at)));
    update(renewed, change).await?;
    update(touched(id, at), change).await.map(drop)
}

/// Makes a visit belong to no memory.
pub(super) async fn unremember(change: &DatabaseTransaction, id: SessionId) -> Answer<()> {
    let alone = the_visit(id).col_expr(visit::Column::Memory, Expr::value(None::<Uuid>));
    update(alone, change).await.map(drop)
}

/// Saves a visit in place of the earlier one of its memory, and ends those of its member that are too many.
pub(super) async fn enter(
    change: &impl ConnectionTrait,
    session: &Session,
    token: &TokenDigest,
    max_per_user: u32,
) -> Answer<()> {
    let user = session.user_id;
    if let Some(memory) = session.remembered {
        let earlier = visits_of(user).filter(visit::Column::Memory.eq(memory.as_uuid()));
        delete(earlier, change).await?;
    }
    let row = row::visit(session, token).into_active_model();
    visit::Entity::insert(row).exec_without_returning(change).await.map_err(unavailable)?;
    // The new one stays, also where a wrong clock has begun others in the future.
    let others = visit::Column::Id.ne(session.id.as_uuid());
    let newest = visit::Entity::find()
        .filter(visit::Column::Member.eq(user.as_uuid()))
        .filter(others.clone())
        .order_by_desc(visit::Column::BeganAt)
        .order_by_desc(visit::Column::Id)
        .limit(u64::from(max_per_user.saturating_sub(1)))
        .select_only()
        .column(visit::Column::Id)
        .into_query();
    let too_many = visits_of(user).filter(others);
    delete(too_many.filter(visit::Column::Id.not_in_subquery(newest)), change).await?;
    Ok(())
}

#[async_trait]
impl SessionStore for Members {
    async fn insert_session(&self, grant: SessionGrant<'_>, record: &Record) -> Answer<bool> {
        let (session, user) = (grant.session, grant.session.user_id);
        let change = self.begin().await?;
        let owner = member::Entity::find().filter(member::Column::Uid.eq(user.as_uuid()));
        let owner = owner.one(&change).await.map_err(unavailable)?;
        let proof = grant.proof.and_then(Proof::password_hash).map(PasswordHash::as_phc);
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
            let in_use = memory::Entity::find()
                .filter(memory::Column::Member.eq(user.as_uuid()))
                .order_by_desc(memory::Column::UsedAt)
                .order_by_desc(memory::Column::Id)
                .limit(u64::from(grant.max_per_user))
                .select_only()
                .column(memory::Column::Id)
                .into_query();
            let too_many = memories_of(user).filter(memory::Column::Id.not_in_subquery(in_use));
            delete(too_many, &change).await?;
        } else if let Some(id) = session.remembered {
            let memory = memory::Entity::find_by_id(id.as_uuid()).one(&change).await;
            if memory.map_err(unavailable)?.is_none_or(|row| row.member != user.as_uuid()) {
                return Ok(false);
            }
        }
        enter(&change, session, grant.token, grant.max_per_user).await?;
        record_and_commit(change, record).await?;
        Ok(true)
    }

    async fn session_by_token(&self, token: &TokenDigest) -> Answer<Option<(Session, User)>> {
        let found = visit::Entity::find()
            .filter(visit::Column::Token.eq(bytes(token)))
            .find_both_related(member::Entity);
        let found = found.one(&self.db).await.map_err(unavailable)?;
        found.map(|(visit, member)| Ok((visit.try_into()?, member.try_into()?))).transpose()
    }

    async fn sessions_of(&self, user: UserId) -> Answer<Vec<Session>> {
        let newest_first = visit::Entity::find()
            .filter(visit::Column::Member.eq(user.as_uuid()))
            .order_by_desc(visit::Column::BeganAt)
            .order_by_desc(visit::Column::Id);
        let rows = newest_first.all(&self.db).await.map_err(unavailable)?;
        rows.into_iter().map(Session::try_from).collect()
    }

    async fn touch_sessions(&self, seen: &[(SessionId, OffsetDateTime)]) -> Answer<()> {
        let change = self.begin().await?;
        for (id, at) in seen {
            update(touched(*id, *at), &change).await?;
        }
        commit(change).await
    }

    async fn renew_session(&self, renewal: SessionRenewal<'_>, record: &Record) -> Answer<bool> {
        let change = self.begin().await?;
        if !holds(&change, renewal.basis).await? {
            return Ok(false);
        }
        renew(&change, renewal).await?;
        record_and_commit(change, record).await?;
        Ok(true)
    }

    async fn end_session(
        &self,
        user: UserId,
        id: SessionId,
        by: Option<SessionId>,
        record: &Record,
    ) -> Answer<bool> {
        let change = self.begin().await?;
        if !may(&change, user, by).await? {
            return Ok(false);
        }
        let login = memories_of(user).filter(memory::Column::Id.in_subquery(memory_of(id)));
        let ended = delete(login, &change).await?;
        let alone = visits_of(user).filter(visit::Column::Id.eq(id.as_uuid()));
        let ended = ended + delete(alone, &change).await?;
        if ended == 0 {
            return Ok(false);
        }
        record_and_commit(change, record).await?;
        Ok(true)
    }

    async fn end_sessions_of(
        &self,
        user: UserId,
        keep: Option<Keep<'_>>,
        record: &Record,
    ) -> Answer<Ended> {
        let change = self.begin().await?;
        if !may(&change, user, keep.map(|keep| keep.session)).await? {
            return Ok(Ended::default());
        }
        let (sessions, remembered) = end_all(&change, user, keep).await?;
        let ended = Ended { sessions, remembered };
        match ended == Ended::default() {
            // Known browsers were forgotten all the same.
            true => commit(change).await?,
            false => record_and_commit(change, record).await?,
        }
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
            .add(visit::Column::SeenAt.lt(moment(idle_since)))
            .add(visit::Column::BeganAt.gt(moment(now + CLOCK_TOLERANCE)));
        let dead = visit::Entity::find()
            .filter(over)
            .limit(u64::from(limit))
            .select_only()
            .column(visit::Column::Id)
            .into_query();
        let dead = visit::Entity::delete_many().filter(visit::Column::Id.in_subquery(dead));
        delete(dead, &self.db).await
    }
}
