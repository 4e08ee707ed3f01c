use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "known_browsers")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_digest: Vec<u8>,
    pub user_id: Uuid,
    pub created_at: TimeDateTime,
    pub used_at: TimeDateTime,
    pub is_proven: bool,
    pub expires_at: TimeDateTime,
}

impl ActiveModelBehavior for ActiveModel {}
