use countersign_auth::domain::StoreError;

/// Why a command failed, in one line.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{line}")]
pub(crate) struct Failure {
    line: String,
    /// The command was not used as it must be.
    is_usage: bool,
}

impl Failure {
    /// Describes a command that was not used as it must be.
    pub(crate) fn usage(why: impl std::fmt::Display) -> Self {
        Self { is_usage: true, ..Self::new(why) }
    }

    /// Returns the exit code: 2 for wrong usage, else 1.
    pub(crate) fn exit_code(&self) -> u8 {
        if self.is_usage { 2 } else { 1 }
    }

    /// Makes one line of `why`, which may quote anything: lines are joined, and control characters
    /// that would steer a terminal are escaped.
    pub(crate) fn new(why: impl std::fmt::Display) -> Self {
        let why = why.to_string();
        let line = why.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown = |c: char| match c.is_control() {
            true => c.escape_unicode().to_string(),
            false => c.to_string(),
        };
        Self { line: line.chars().map(shown).collect(), is_usage: false }
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
