//! How somebody agrees to what cannot be undone.

use std::io::{IsTerminal, Write, stderr, stdin};

use super::failure::Failure;

/// Consent to what cannot be undone: given by `--yes`, or still to be asked for on the terminal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consent {
    is_given: bool,
}

impl Consent {
    /// Returns the consent of a command line with or without `--yes`. A script must have it, since nobody can
    /// be asked.
    pub(crate) fn of(yes: bool) -> Result<Self, Failure> {
        if !yes && !stdin().is_terminal() {
            return Err(Failure::usage(
                "this cannot be undone, and there is no terminal to ask on: add --yes",
            ));
        }
        Ok(Self { is_given: yes })
    }

    /// Asks the question unless consent is given. Every answer but a yes is a no, which is a failure: what
    /// was asked for is not done.
    pub(crate) fn to(self, question: &str) -> Result<(), Failure> {
        if self.is_given {
            return Ok(());
        }
        write!(stderr(), "{question} [y/N] ").map_err(Failure::new)?;
        let mut answer = String::new();
        stdin().read_line(&mut answer).map_err(Failure::new)?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::new("nothing was changed: the answer was not yes")),
        }
    }
}
