use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub email: String,
    #[sea_orm(unique)]
    pub email_canonical: String,
    pub username: String,
    pub password_hash: Option<String>,
    pub is_active: bool,
    pub created_at: TimeDateTime,
    pub updated_at: TimeDateTime,
}

impl ActiveModelBehavior for ActiveModel {}
