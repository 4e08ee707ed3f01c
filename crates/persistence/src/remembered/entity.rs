use sea_orm::entity::prelude::*;

use crate::user::entity as user;

#[sea_orm::model]
#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "remembered_logins")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    #[sea_orm(unique)]
    pub series_digest: Vec<u8>,
    pub secret_digest: Vec<u8>,
    /// The secret before the current one, which stays good for a moment.
    pub previous_digest: Option<Vec<u8>>,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub created_at: TimeDateTime,
    pub used_at: TimeDateTime,
    pub expires_at: TimeDateTime,
    #[sea_orm(belongs_to, from = "user_id", to = "id", on_delete = "Cascade")]
    pub user: BelongsTo<user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
