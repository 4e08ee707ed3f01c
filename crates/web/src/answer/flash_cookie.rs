//! The cookie in which a message waits for the next page.

use time::Duration;

use crate::answer::cookies;
use crate::answer::flash::{Flash, FlashView};
use crate::site::Site;

impl Flash {
    /// Leaves the message for the next page that is shown. No other message replaces that of a
    /// theft.
    pub(crate) fn leave(self, site: Site<'_>) {
        let name = site.cookies.flash;
        if !cookies::is_set(site, name, Self::RememberedStolen.code()) {
            cookies::set(site, name, self.code(), Some(Duration::MINUTE));
        }
    }

    /// Takes the message that was left, if any, so that it is shown once.
    pub(crate) fn take(site: Site<'_>) -> Option<FlashView> {
        let name = site.cookies.flash;
        let code = site.cookie(name)?;
        if !cookies::is_any_set(site, name) {
            cookies::remove(site, name);
        }
        let flash = Self::of_code(code)?;
        Some(flash.view(site.words.say(flash, site.request)))
    }
}
