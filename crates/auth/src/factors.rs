//! Second factors: which of them a user has, and whether a code is theirs.

use countersign_domain::{Method, StoreError, User};

/// The second factors of this service. Outside of tests there are none yet.
#[derive(Debug, Default)]
pub(crate) struct Factors {
    #[cfg(feature = "testing")]
    codes: std::sync::Mutex<std::collections::HashMap<countersign_domain::UserId, String>>,
}

impl Factors {
    /// Returns the factors that a user has set up.
    #[cfg_attr(
        not(feature = "testing"),
        expect(clippy::unused_async, clippy::unused_self, reason = "there is no factor yet")
    )]
    pub(crate) async fn of(&self, user: &User) -> Result<Vec<Method>, StoreError> {
        #[cfg(feature = "testing")]
        if self.code(user).is_some() {
            return Ok(vec![Method::TestFactor]);
        }
        let _ = user;
        Ok(Vec::new())
    }

    /// Returns the factor of the user to which `code` belongs now.
    #[cfg_attr(
        not(feature = "testing"),
        expect(clippy::unused_async, clippy::unused_self, reason = "there is no factor yet")
    )]
    pub(crate) async fn check(
        &self,
        user: &User,
        code: &str,
    ) -> Result<Option<Method>, StoreError> {
        #[cfg(feature = "testing")]
        if self.code(user).is_some_and(|own| own == code) {
            return Ok(Some(Method::TestFactor));
        }
        let _ = (user, code);
        Ok(None)
    }

    #[cfg(feature = "testing")]
    fn code(&self, user: &User) -> Option<String> {
        let codes = self.codes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        codes.get(&user.id).cloned()
    }

    /// Sets up the factor for tests: its code is always `code`.
    #[cfg(feature = "testing")]
    pub(crate) fn set_up(&self, user: countersign_domain::UserId, code: &str) {
        let mut codes = self.codes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        codes.insert(user, code.to_owned());
    }
}
