use std::path::PathBuf;

use countersign_auth::BreachFile;
use countersign_domain::PasswordPolicy;

use super::section::section;
use crate::program::failure::Failure;

section! {
    /// `password`: which passwords may be set.
    Password for PasswordPolicy {
        /// The fewest characters of a new password.
        min_length: usize = min_chars,
        /// The most characters of a new password.
        max_length: usize = max_chars,
    }
    and {
        /// A file of stolen passwords, none of which may be set.
        breach_file: Option<PathBuf> = None,
    }
}

impl Password {
    /// Opens the file of stolen passwords and checks its format at a few places.
    pub(crate) fn open_breach_file(&self) -> Result<Option<BreachFile>, Failure> {
        let Some(path) = &self.breach_file else { return Ok(None) };
        BreachFile::open(path)
            .map(Some)
            .map_err(|error| Failure::new(format!("password.breach_file = {path:?} {error}")))
    }
}
