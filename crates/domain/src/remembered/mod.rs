pub(crate) mod store;

#[cfg(feature = "contract")]
pub(crate) mod contract;
#[cfg(feature = "memory")]
mod memory;
#[cfg(feature = "contract")]
pub(crate) mod uses;

use time::OffsetDateTime;

use crate::clock::is_from_future;
use crate::id::uuid_v7_id;
use crate::{Client, SecretToken, TokenError, UserId};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

uuid_v7_id! {
    /// Names a remembered login to the service. It opens nothing: that takes its token.
    RememberedId
}

/// A user's wish to be remembered on one client. It begins new sessions there after the old ones have
/// ended, until it ends itself.
///
/// Its token has two halves. The series stays the same and finds it. The secret is replaced each time it is
/// used, so that a theft shows: of two bearers, the second one presents a secret that has been used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remembered {
    /// Its name.
    pub id: RememberedId,
    /// Who is remembered.
    pub user_id: UserId,
    /// The client that it was given to.
    pub client: Client,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When it was last used.
    pub used_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

impl Remembered {
    /// Returns a remembered login that has not been used yet.
    pub fn new(
        id: RememberedId,
        user_id: UserId,
        client: Client,
        created_at: OffsetDateTime,
        expires_at: OffsetDateTime,
    ) -> Self {
        Self { id, user_id, client, created_at, used_at: created_at, expires_at }
    }

    /// Returns whether it stands at `now`: one that a wrong clock began in the future does not.
    pub fn stands(&self, now: OffsetDateTime) -> bool {
        !is_from_future(self.created_at, now) && now < self.expires_at
    }
}

/// The secret of a remembered login: a series, which stays, and a secret, which is replaced each
/// time it is used. Written as two tokens with a dot between them.
#[derive(Clone, Debug)]
pub struct RememberToken {
    /// What finds the remembered login.
    pub series: SecretToken,
    /// What proves that this bearer was the last one.
    pub secret: SecretToken,
}

impl RememberToken {
    /// Draws a new series with its first secret.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self { series: SecretToken::generate(rng), secret: SecretToken::generate(rng) }
    }

    /// Reads a token that somebody presents.
    ///
    /// # Errors
    ///
    /// When the text is not the one way in which such a token is written.
    pub fn parse(presented: &str) -> Result<Self, TokenError> {
        let (series, secret) = presented.split_once('.').ok_or(TokenError)?;
        Ok(Self { series: SecretToken::parse(series)?, secret: SecretToken::parse(secret)? })
    }

    /// Returns the written token, to be handed to its bearer.
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}.{}", *self.series.expose(), *self.secret.expose()))
    }
}

#[cfg(test)]
mod tests {
    use getrandom::SysRng;
    use rand_core::UnwrapErr;

    use super::*;

    #[test]
    fn a_remember_token_reads_back_from_what_was_shown() {
        let token = RememberToken::generate(&mut UnwrapErr(SysRng));
        let read = RememberToken::parse(&token.expose()).unwrap();
        assert_eq!(read.series.digest(), token.series.digest());
        assert_eq!(read.secret.digest(), token.secret.digest());
        let one = "A".repeat(43);
        for other in
            [one.clone(), format!("{one}."), format!("{one}.{one}."), format!("{one}{one}")]
        {
            assert!(RememberToken::parse(&other).is_err(), "{other}");
        }
    }
}
