//! The application's tables. `members` belongs to the application; the other two were added for Countersign.

pub(crate) mod member {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "members")]
    pub(crate) struct Model {
        /// The application's own key, to which its other tables refer.
        #[sea_orm(primary_key)]
        pub number: i32,
        /// Countersign's key.
        #[sea_orm(unique)]
        pub uid: Uuid,
        pub mail: String,
        /// The canonical spelling of `mail`, which is unique and used for searches.
        #[sea_orm(unique)]
        pub mail_key: String,
        pub nickname: String,
        pub secret: Option<String>,
        pub is_welcome: bool,
        pub joined_at: TimeDateTime,
        pub changed_at: TimeDateTime,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A session of a member.
pub(crate) mod visit {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "visits")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub member: Uuid,
        pub memory: Option<Uuid>,
        #[sea_orm(unique)]
        pub token: Vec<u8>,
        pub address: Option<String>,
        pub browser: Option<String>,
        /// What the user has proved.
        pub methods: String,
        pub began_at: TimeDateTime,
        pub proven_at: Option<TimeDateTime>,
        pub seen_at: TimeDateTime,
        pub ends_at: TimeDateTime,
        #[sea_orm(belongs_to, from = "member", to = "uid", on_delete = "Cascade")]
        pub owner: BelongsTo<super::member::Entity>,
        #[sea_orm(belongs_to, from = "memory", to = "id", on_delete = "Cascade")]
        pub login: BelongsTo<Option<super::memory::Entity>>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A remembered login of a member.
pub(crate) mod memory {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "memories")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub member: Uuid,
        #[sea_orm(unique)]
        pub series: Vec<u8>,
        pub secret: Vec<u8>,
        /// The previous secret, which is still accepted for a moment.
        pub earlier: Option<Vec<u8>>,
        pub address: Option<String>,
        pub browser: Option<String>,
        pub began_at: TimeDateTime,
        pub used_at: TimeDateTime,
        pub ends_at: TimeDateTime,
        #[sea_orm(belongs_to, from = "member", to = "uid", on_delete = "Cascade")]
        pub owner: BelongsTo<super::member::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
