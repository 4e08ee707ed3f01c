/// What is kept secret of the site: one row for each secret.
pub(crate) mod secret {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "site_secrets")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub secret: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// When something was last cleaned up: one row.
pub(crate) mod cleaning {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "cleaning")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub at: TimeDateTime,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
