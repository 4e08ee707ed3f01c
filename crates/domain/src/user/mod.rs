pub(crate) mod email;
pub(crate) mod store;
pub(crate) mod username;

#[cfg(feature = "contract")]
pub(crate) mod contract;
#[cfg(feature = "memory")]
mod memory;

use time::OffsetDateTime;

use crate::id::uuid_v7_id;
use crate::{EmailAddress, PasswordHash, Username};

uuid_v7_id! {
    /// Identifies a user for good: a UUIDv7 (RFC 9562), drawn at registration.
    UserId
}

/// Somebody with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// Who it is; never changes.
    pub id: UserId,
    /// What they log in with; unique among users.
    pub email: EmailAddress,
    /// The name that others see; not unique.
    pub username: Username,
    /// The hash of their password; `None` for a user who has none and logs in another way.
    pub password_hash: Option<PasswordHash>,
    /// Whether they may log in; an administrator's decision.
    pub is_active: bool,
    /// When they registered.
    pub created_at: OffsetDateTime,
    /// When anything in this record last changed.
    pub updated_at: OffsetDateTime,
}

impl User {
    /// Returns an active user without a password who registered at `created_at`. Other fields are set
    /// afterwards.
    pub fn new(
        id: UserId,
        email: EmailAddress,
        username: Username,
        created_at: OffsetDateTime,
    ) -> Self {
        Self {
            id,
            email,
            username,
            password_hash: None,
            is_active: true,
            created_at,
            updated_at: created_at,
        }
    }
}

/// The properties that Flask-Login's `UserMixin` gives a user.
impl User {
    /// Always true: whoever is a [`User`] has an account. A visitor may have none.
    pub fn is_authenticated(&self) -> bool {
        true
    }

    /// Always false.
    pub fn is_anonymous(&self) -> bool {
        false
    }

    /// Returns the id in its written form.
    pub fn get_id(&self) -> String {
        self.id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use getrandom::SysRng;
    use rand_core::UnwrapErr;
    use time::Duration;

    use super::*;

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let (now, rng) = (OffsetDateTime::UNIX_EPOCH, &mut UnwrapErr(SysRng));
        let earlier = UserId::generate(now, rng);
        let later = UserId::generate(now + Duration::milliseconds(1), rng);
        assert!(earlier < later);
        assert_eq!(earlier.as_uuid().get_version_num(), 7);
    }

    #[test]
    fn an_id_is_read_only_as_it_is_written() {
        let id = UserId::generate(OffsetDateTime::UNIX_EPOCH, &mut UnwrapErr(SysRng));
        assert_eq!(UserId::parse(&id.to_string()), Some(id));
        assert_eq!(UserId::parse(&id.to_string().to_uppercase()), None);
        assert_eq!(UserId::parse(&id.as_uuid().simple().to_string()), None);
        assert_eq!(UserId::parse("1"), None);
    }
}
