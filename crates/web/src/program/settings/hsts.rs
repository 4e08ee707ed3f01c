use super::section::section;
use super::span::Span;
use crate::program::failure::Failure;

section! {
    /// `hsts`: what browsers are told of TLS, where `public_url` is https.
    Hsts for crate::Hsts {
        /// How long browsers use only TLS, from their last visit.
        max_age: Span = max_age,
        /// Whether that holds for all hosts below this one too.
        include_subdomains: bool = include_subdomains,
        /// Whether the site may stand in the lists that come with browsers.
        preload: bool = preload,
    }
}

impl Hsts {
    /// Returns what the fairing takes.
    pub(crate) fn header(&self) -> crate::Hsts {
        let mut header = crate::Hsts::default();
        self.apply(&mut header);
        header
    }

    /// Refuses what the lists of browsers would refuse.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.preload && !self.header().may_be_preloaded() {
            return Err(Failure::new(format!(
                "hsts.preload = true is not allowed with hsts.max_age = \"{}\" and \
                 hsts.include_subdomains = {}: use \"365d\" or more, and true",
                self.max_age, self.include_subdomains
            )));
        }
        Ok(())
    }
}
