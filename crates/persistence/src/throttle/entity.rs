use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "throttle_counters")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: Vec<u8>,
    pub tries: i32,
    pub since: TimeDateTime,
    pub forgotten_at: TimeDateTime,
}

impl ActiveModelBehavior for ActiveModel {}
