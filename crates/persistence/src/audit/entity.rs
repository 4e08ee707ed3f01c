/// The records.
pub(crate) mod event {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_events")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i64,
        /// What it had in the queue; nothing is given a place twice.
        #[sea_orm(unique)]
        pub id: Uuid,
        pub at: TimeDateTime,
        pub kind: String,
        pub reason: Option<String>,
        pub actor: String,
        pub actor_id: Option<Uuid>,
        pub user_id: Option<Uuid>,
        pub session_id: Option<Uuid>,
        pub subject: Option<String>,
        pub address: Option<String>,
        pub user_agent: Option<String>,
        pub request_id: Option<String>,
        pub salt: Option<Vec<u8>>,
        pub client_digest: Vec<u8>,
        pub hash: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Those that wait for their place.
pub(crate) mod queue {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_queue")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub at: TimeDateTime,
        pub kind: String,
        pub reason: Option<String>,
        pub actor: String,
        pub actor_id: Option<Uuid>,
        pub user_id: Option<Uuid>,
        pub session_id: Option<Uuid>,
        pub subject: Option<String>,
        pub address: Option<String>,
        pub user_agent: Option<String>,
        pub request_id: Option<String>,
        pub salt: Option<Vec<u8>>,
        pub client_digest: Vec<u8>,
        pub digest: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Where they begin and end: one row.
pub(crate) mod ends {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_ends")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub removed_number: i64,
        pub removed_hash: Vec<u8>,
        /// The last record whose address is cut.
        pub cut_number: i64,
        pub last_number: i64,
        pub last_hash: Vec<u8>,
        /// For how many seconds records are kept, as the service was last configured when it removed some; a
        /// trigger keeps the younger ones.
        pub kept_for: i64,
        pub addresses_kept_for: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
