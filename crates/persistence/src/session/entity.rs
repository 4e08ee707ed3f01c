use sea_orm::entity::prelude::*;

use crate::remembered::entity as remembered;
use crate::user::entity as user;

#[sea_orm::model]
#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub remembered_id: Option<Uuid>,
    #[sea_orm(unique)]
    pub token_digest: Vec<u8>,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub created_at: TimeDateTime,
    pub authenticated_at: Option<TimeDateTime>,
    pub methods: String,
    pub last_seen_at: TimeDateTime,
    pub expires_at: TimeDateTime,
    #[sea_orm(belongs_to, from = "user_id", to = "id", on_delete = "Cascade")]
    pub user: BelongsTo<user::Entity>,
    #[sea_orm(belongs_to, from = "remembered_id", to = "id", on_delete = "Cascade")]
    pub remembered: BelongsTo<Option<remembered::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
