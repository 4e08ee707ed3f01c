use countersign_web::domain::User;
use sea_orm::{DeleteMany, entity::prelude::*};

#[sea_orm::model]
#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "notes")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub user_id: Uuid,
    pub text: String,
    /// In UTC; the database fills it in.
    pub created_at: TimeDateTime,
}

impl ActiveModelBehavior for ActiveModel {}

/// Selects the notes of a user. Every query begins with one of these two functions, so that none can forget
/// to restrict the user.
pub(crate) fn of(user: &User) -> Select<Entity> {
    Entity::find().filter(Column::UserId.eq(user.id.as_uuid()))
}

pub(crate) fn delete_of(user: &User) -> DeleteMany<Entity> {
    Entity::delete_many().filter(Column::UserId.eq(user.id.as_uuid()))
}
