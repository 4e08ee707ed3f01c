use countersign_domain::{
    RememberGrant, Remembered, RememberedId, StoreError, TokenDigest, UserId,
};

use super::entity::Model;
use crate::error::corrupt;
use crate::row::{address, bytes, client, moment};

pub(crate) fn remembered_row(grant: RememberGrant<'_>) -> Model {
    let remembered = grant.remembered;
    Model {
        id: remembered.id.as_uuid(),
        user_id: remembered.user_id.as_uuid(),
        series_digest: bytes(grant.series),
        secret_digest: bytes(grant.secret),
        previous_digest: None,
        address: address(&remembered.client),
        user_agent: remembered.client.user_agent.clone(),
        created_at: moment(remembered.created_at),
        used_at: moment(remembered.used_at),
        expires_at: moment(remembered.expires_at),
    }
}

impl TryFrom<Model> for Remembered {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let (created_at, expires_at) = (row.created_at.assume_utc(), row.expires_at.assume_utc());
        let (id, user) = (RememberedId::from_uuid(row.id), UserId::from_uuid(row.user_id));
        let client = client("remembered_logins", row.address, row.user_agent)?;
        let mut remembered = Self::new(id, user, client, created_at, expires_at);
        remembered.used_at = row.used_at.assume_utc();
        Ok(remembered)
    }
}

/// A remembered login with the secrets that it may be presented with.
pub(crate) struct Series {
    pub(crate) remembered: Remembered,
    pub(crate) secret: TokenDigest,
    pub(crate) previous: Option<TokenDigest>,
}

impl TryFrom<Model> for Series {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let digest = |column, bytes: &[u8]| {
            let digest = TokenDigest::from_bytes(bytes).ok_or("it is not 32 bytes long");
            digest.map_err(corrupt("remembered_logins", column))
        };
        let previous = row.previous_digest.as_deref();
        Ok(Self {
            secret: digest("secret_digest", &row.secret_digest)?,
            previous: previous.map(|bytes| digest("previous_digest", bytes)).transpose()?,
            remembered: row.try_into()?,
        })
    }
}
