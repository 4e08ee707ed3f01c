use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "pending_logins")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_digest: Vec<u8>,
    pub user_id: Uuid,
    pub methods: String,
    pub password_digest: Option<Vec<u8>>,
    pub remember: bool,
    #[sea_orm(column_type = "VarBinary(StringLen::N(1024))")]
    pub counted: Vec<u8>,
    pub tries: i32,
    pub created_at: TimeDateTime,
    pub expires_at: TimeDateTime,
}

impl ActiveModelBehavior for ActiveModel {}
