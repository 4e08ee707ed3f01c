//! The second step of a login.

use countersign_domain::{
    HashDigest, Method, PendingLogin, PendingStore, Proof, Reason, SecretToken, StoreError,
    TokenDigest, User, is_from_future,
};

use super::admit::{Applicant, LoginState};
use crate::core::Acting;
use crate::throttle::{NotCounted, Throttled};

/// Why a login was not completed.
#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    /// There is no code. The login waits on, and this was no try.
    #[error("the code is empty")]
    Empty,
    /// The code is not the user's. The login waits on, unless this was its last try.
    #[error("the code is wrong")]
    WrongCode,
    /// The login has ended: it took too long or too many codes, or its user has changed meanwhile. Log in
    /// again.
    #[error("the login has ended")]
    Ended,
    /// Too many codes were tried on the account: try again later. The login waits on, and this was no try.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Acting<'_> {
    /// Returns the factors of which one completes the login with this token; `None` when it has ended.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    pub async fn pending_factors(
        &self,
        token: &SecretToken,
    ) -> Result<Option<Vec<Method>>, StoreError> {
        let Some(store) = self.core.store.pending() else { return Ok(None) };
        let login = store.pending_by_token(&token.digest(), self.core.now()).await?;
        let Some(login) = login else { return Ok(None) };
        match self.standing_applicant(&login).await? {
            Some((user, _)) => self.core.factors.of(&user).await.map(Some),
            None => Ok(None),
        }
    }

    /// Completes a login that waits for a second factor. A login takes at most [`PendingLogin::MAX_TRIES`]
    /// codes, and an account so many in all its logins together as the throttle lets in.
    ///
    /// # Errors
    ///
    /// When the code is wrong, the login has ended, or the store failed.
    pub async fn verify_factor(
        &self,
        token: &SecretToken,
        code: &str,
    ) -> Result<LoginState, FactorError> {
        if code.trim().is_empty() {
            return Err(FactorError::Empty);
        }
        let store = self.core.store.pending().ok_or(FactorError::Ended)?;
        let token = token.digest();
        let login = store.pending_by_token(&token, self.core.now()).await?;
        let login = login.ok_or(FactorError::Ended)?;
        let Some((user, earlier)) = self.standing_applicant(&login).await? else {
            return end(store, &token).await;
        };
        // First by the account: a code that is not let in there must not use this login up.
        let tried = self.try_code(user.id).await?;
        if store.try_pending(&token, self.core.now()).await?.is_none() {
            self.called_off(tried).await;
            return Err(FactorError::Ended);
        }
        let Some(method) = self.core.factors.check(&user, code).await? else {
            self.failed(tried, Reason::WrongCode, Some(user.id), None).await?;
            return Err(FactorError::WrongCode);
        };
        // Of several right codes at once, one completes the login.
        if !store.end_pending(&token).await? {
            self.called_off(tried).await;
            return Err(FactorError::Ended);
        }
        let tried = self.recall_try(&user, &login.counted).await?.and(tried);
        let proof = earlier.and(Proof::factor(method));
        let applicant = Applicant { user: &user, proof, remember: login.remember, tried };
        match self.admit(applicant).await? {
            Ok(state) => Ok(state),
            Err(tried) => {
                self.failed(tried, Reason::Superseded, Some(user.id), None).await?;
                Err(FactorError::Ended)
            }
        }
    }

    /// Ends a login that waits for a second factor. It makes no difference whether it has ended already.
    ///
    /// # Errors
    ///
    /// When it may still wait.
    pub async fn give_up_login(&self, token: &SecretToken) -> Result<(), StoreError> {
        match self.core.store.pending() {
            Some(store) => store.end_pending(&token.digest()).await.map(drop),
            None => Ok(()),
        }
    }

    /// Finds the user of a waiting login with what they have proved, if both still hold.
    async fn standing_applicant(
        &self,
        login: &PendingLogin,
    ) -> Result<Option<(User, Proof)>, StoreError> {
        let user = self.core.store.users().user_by_id(login.user_id).await?;
        // Disabling a user ends what waits, also where they are enabled again meanwhile.
        // What a wrong clock has noted in the future must not keep its user out until then.
        let now = self.core.now();
        let stands = |user: &User| {
            let is_before = user.updated_at <= login.created_at;
            user.is_active && (is_before || is_from_future(user.updated_at, now))
        };
        let Some(user) = user.filter(stands) else { return Ok(None) };
        let hash =
            user.password_hash.clone().filter(|hash| login.password == Some(HashDigest::of(hash)));
        if login.password.is_some() && hash.is_none() {
            return Ok(None);
        }
        Ok(Some((user, Proof::new(login.methods.clone(), hash))))
    }
}

async fn end(store: &dyn PendingStore, token: &TokenDigest) -> Result<LoginState, FactorError> {
    store.end_pending(token).await?;
    Err(FactorError::Ended)
}

impl From<NotCounted> for FactorError {
    fn from(error: NotCounted) -> Self {
        match error {
            NotCounted::Throttled(throttled) => throttled.into(),
            NotCounted::Store(error) => error.into(),
        }
    }
}
