pub(crate) mod entity;

use async_trait::async_trait;
use countersign_domain::{OffsetDateTime, SiteSecret, SiteStore, StoreError};
use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait, IntoActiveModel};

use self::entity::{cleaning, secret};
use crate::call::{Deadline, transaction};
use crate::database::SqlStore;
use crate::error::{corrupt, unavailable, unread};
use crate::row::moment;

/// The name of the secret.
const SITE: &str = "site";

/// The one row of `cleaning`.
const LAST: i32 = 1;

impl SqlStore {
    async fn saved_secret(&self) -> Result<Option<SiteSecret>, StoreError> {
        let call = self.read(Deadline::of_call()).await?;
        let row = secret::Entity::find_by_id(SITE).one(&call).await;
        let Some(row) = row.map_err(unread::<secret::Entity>)? else { return Ok(None) };
        let secret = SiteSecret::from_bytes(&row.secret).ok_or("it is not 32 bytes long");
        secret.map(Some).map_err(corrupt("site_secrets", "secret"))
    }
}

#[async_trait]
impl SiteStore for SqlStore {
    async fn site_secret(&self, new: &SiteSecret) -> Result<SiteSecret, StoreError> {
        if let Some(secret) = self.saved_secret().await? {
            return Ok(secret);
        }
        let row = secret::Model { name: SITE.to_owned(), secret: new.as_bytes().to_vec() };
        let row = &row.into_active_model();
        // The row of whoever came first stays as it is.
        let as_it_was = &OnConflict::column(secret::Column::Name)
            .update_column(secret::Column::Name)
            .to_owned();
        transaction!(self, Deadline::of_call(), |change| {
            let saving = secret::Entity::insert(row.clone()).on_conflict(as_it_was.clone());
            saving.exec_without_returning(change).await.map_err(unavailable).map(drop)
        })?;
        let saved = self.saved_secret().await?;
        saved.ok_or("its row is gone").map_err(corrupt("site_secrets", "name"))
    }

    async fn cleaned_at(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        let call = self.read(Deadline::of_call()).await?;
        let row = cleaning::Entity::find_by_id(LAST).one(&call).await;
        Ok(row.map_err(unread::<cleaning::Entity>)?.map(|row| row.at.assume_utc()))
    }

    async fn note_cleaning(&self, at: OffsetDateTime) -> Result<(), StoreError> {
        let row = &cleaning::Model { id: LAST, at: moment(at) }.into_active_model();
        let replaced = &OnConflict::column(cleaning::Column::Id)
            .update_column(cleaning::Column::At)
            .to_owned();
        transaction!(self, Deadline::of_call(), |change| {
            let noting = cleaning::Entity::insert(row.clone()).on_conflict(replaced.clone());
            noting.exec_without_returning(change).await.map_err(unavailable).map(drop)
        })
    }
}
