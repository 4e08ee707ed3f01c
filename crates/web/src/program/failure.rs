use countersign_auth::domain::StoreError;

/// Why the program could not do what it was asked: one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(why: impl std::fmt::Display) -> Self {
        let why = why.to_string();
        Self(why.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// A store's failure with its cause, which says more to an operator than the failure itself.
    pub(crate) fn store(error: &StoreError) -> Self {
        match std::error::Error::source(error) {
            Some(cause) => Self::new(format!("{error}: {cause}")),
            None => Self::new(error),
        }
    }
}
