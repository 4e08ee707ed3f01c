/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another user has this already.
    #[error("the {0} is taken")]
    Taken(Field),
    /// The store cannot be reached, or not in time. The same call may work later.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A saved row holds a value that means nothing.
    #[error("the store holds a corrupt {column} in {table}")]
    Corrupt {
        /// The table of the row.
        table: &'static str,
        /// The column that could not be read.
        column: &'static str,
        /// What is wrong with its value.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What must be unique among users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The canonical form of the email address.
    Email,
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Email => f.write_str("email address"),
        }
    }
}
