/// Makes a type of ids: UUIDv7 (RFC 9562), which sort by the time they were made.
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
                Self::at(now, &random)
            }

            /// Returns the lowest id of a moment: ids made a millisecond earlier sort before it.
            pub fn lowest(at: time::OffsetDateTime) -> Self {
                Self::at(at, &[0; 10])
            }

            fn at(at: time::OffsetDateTime, random: &[u8; 10]) -> Self {
                let millis = u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid())
            }

            /// Returns the id as a UUID, as stores keep it.
            pub fn as_uuid(&self) -> uuid::Uuid {
                self.0
            }

            /// Takes an id as a store kept it.
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
