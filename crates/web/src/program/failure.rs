use countersign_auth::domain::StoreError;

/// Why a command failed, in one line.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

impl Failure {
    /// Makes one line of `why`, which may quote anything: lines are joined, and control characters
    /// that would steer a terminal are escaped.
    pub(crate) fn new(why: impl std::fmt::Display) -> Self {
        let why = why.to_string();
        let line = why.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown = |c: char| match c.is_control() {
            true => c.escape_unicode().to_string(),
            false => c.to_string(),
        };
        Self(line.chars().map(shown).collect())
    }

    /// Describes a store's failure by its cause too, which tells an operator more than the failure.
    pub(crate) fn store(error: &StoreError) -> Self {
        match std::error::Error::source(error) {
            Some(cause) => Self::new(format!("{error}: {cause}")),
            None => Self::new(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_that_steers_no_terminal() {
        let failure = Failure::new("no\nkey \u{1b}[31m\r\n\u{2028}of \u{7f}ours");
        assert_eq!(failure.to_string(), "no key \\u{1b}[31m of \\u{7f}ours");
    }
}
