use time::OffsetDateTime;

use crate::{EmailAddress, PasswordHash, Username};

macro_rules! uuid_v7_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// Makes a new id. Ids made later sort after those made a millisecond earlier.
            pub fn generate(
                now: time::OffsetDateTime,
                rng: &mut impl rand_core::CryptoRng,
            ) -> Self {
                let mut random = [0; 10];
                rng.fill_bytes(&mut random);
                let millis = now.unix_timestamp_nanos() / 1_000_000;
                let millis = u64::try_from(millis).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }

            /// The id as a UUID, as stores keep it.
            pub fn as_uuid(&self) -> uuid::Uuid {
                self.0
            }

            /// An id that a store kept.
            pub fn from_uuid(id: uuid::Uuid) -> Self {
                Self(id)
            }

            /// Reads an id as it is written: the hyphenated form, in lower case.
            pub fn parse(written: &str) -> Option<Self> {
                let id = uuid::Uuid::try_parse(written).ok()?;
                (id.hyphenated().to_string() == written).then_some(Self(id))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}
pub(crate) use uuid_v7_id;

uuid_v7_id! {
    /// Identifies a user for good: a UUIDv7 (RFC 9562), drawn at registration.
    UserId
}

/// Somebody with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
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

    /// The id in its written form.
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
