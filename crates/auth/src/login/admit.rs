//! The one function through which every login passes, whatever door it came through.

use countersign_domain::{
    AuthEventKind, HashDigest, Method, OffsetDateTime, PendingLogin, Proof, RememberGrant,
    RememberToken, Remembered, RememberedId, SecretToken, Session, SessionGrant, SessionId,
    StoreError, User,
};

use crate::caller::Caller;
use crate::core::Acting;
use crate::metrics::Unheard;
use crate::random::rng;
use crate::throttle::Try;

/// How long a login waits for a second factor.
const WAITS_FOR: countersign_domain::Duration = countersign_domain::Duration::minutes(10);

/// How far a login has come.
#[derive(Debug)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "almost every login is complete, and moved once")]
pub enum LoginState {
    /// The user is logged in.
    Complete(NewSession),
    /// The user must prove one thing more before anything opens.
    FactorRequired(NewPendingLogin),
}

impl LoginState {
    /// Returns the session, if the login is complete.
    pub fn into_session(self) -> Option<NewSession> {
        match self {
            Self::Complete(begun) => Some(begun),
            Self::FactorRequired(_) => None,
        }
    }
}

/// A session that has just begun.
#[derive(Debug)]
#[non_exhaustive]
pub struct NewSession {
    /// The token that the client shows from now on. It is not saved and cannot be read again.
    pub token: SecretToken,
    /// The token that the client shows after the session has ended, if its user is remembered there. `None`
    /// where there is nothing new to show.
    pub remember_token: Option<RememberToken>,
    /// The token that the browser shows from now on whenever somebody logs in with it. `None` where there
    /// is nothing new to show.
    pub browser_token: Option<SecretToken>,
    /// The session.
    pub session: Session,
    /// Whose it is.
    pub user: User,
}

/// A login that has just begun to wait for a second factor.
#[derive(Debug)]
#[non_exhaustive]
pub struct NewPendingLogin {
    /// The token that the client shows to go on. It opens nothing else.
    pub token: SecretToken,
    /// The factors of which the user must prove one.
    pub factors: Vec<Method>,
    /// When the login ends.
    pub expires_at: OffsetDateTime,
}

/// A user who has proved something, and what they want.
pub(crate) struct Applicant<'u> {
    pub(crate) user: &'u User,
    pub(crate) proof: Proof,
    /// Whether they want to be remembered.
    pub(crate) remember: bool,
    /// What counted their login as a try.
    pub(crate) tried: Try,
}

impl Acting<'_> {
    /// Lets a user in who has proved enough, or has them wait for a second factor. The try is taken back
    /// only when the login is complete. Returns the try when what the login rests on is gone.
    pub(crate) async fn admit(
        &self,
        applicant: Applicant<'_>,
    ) -> Result<Result<LoginState, Try>, StoreError> {
        let Applicant { user, proof, remember, tried } = applicant;
        let factors = self.core.factors.of(user).await?;
        let is_enough = factors.is_empty() || factors.iter().any(|f| proof.methods().contains(*f));
        if !is_enough {
            if !self.still_holds(user, &proof).await? {
                return Ok(Err(tried));
            }
            let waiting = self.wait_for_factor(user, &proof, remember, &tried, factors).await?;
            let kind = AuthEventKind::UserFactorRequired;
            self.write_down(&[self.record(kind, Some(user.id), None)]).await?;
            self.core.metrics.login_ended(Unheard::FactorRequired);
            return Ok(Ok(LoginState::FactorRequired(waiting)));
        }
        let Some(mut begun) = self.begin_session(user, Some(&proof), remember).await? else {
            return Ok(Err(tried));
        };
        self.succeeded(tried).await;
        begun.browser_token = self.save_browser(user).await;
        Ok(Ok(LoginState::Complete(begun)))
    }

    /// Returns whether what a user has proved still counts: they are active, and have the password that was
    /// checked.
    async fn still_holds(&self, user: &User, proof: &Proof) -> Result<bool, StoreError> {
        let found = self.core.store.users().user_by_id(user.id).await?;
        let hash = proof.password_hash();
        Ok(found.is_some_and(|user| {
            user.is_active && hash.is_none_or(|hash| user.password_hash.as_ref() == Some(hash))
        }))
    }

    async fn wait_for_factor(
        &self,
        user: &User,
        proof: &Proof,
        remember: bool,
        tried: &Try,
        factors: Vec<Method>,
    ) -> Result<NewPendingLogin, StoreError> {
        let Some(store) = self.core.store.pending() else {
            return Err(StoreError::Unavailable(
                "it keeps no logins that wait for a factor".into(),
            ));
        };
        let (now, token) = (self.core.now(), SecretToken::generate(&mut rng()));
        let mut login = PendingLogin::new(user.id, now, now + WAITS_FOR);
        login.methods = proof.methods().clone();
        login.password = proof.password_hash().map(HashDigest::of);
        login.remember = remember;
        login.counted = tried.counted();
        store.save_pending(&login, &token.digest()).await?;
        Ok(NewPendingLogin { token, factors, expires_at: login.expires_at })
    }

    /// Begins a session of a user who has just proved who they are, or else one that is not fresh; `None` if
    /// what it rests on is gone.
    pub(crate) async fn begin_session(
        &self,
        user: &User,
        proof: Option<&Proof>,
        remember: bool,
    ) -> Result<Option<NewSession>, StoreError> {
        let (now, sessions) = (self.core.now(), &self.core.config.sessions);
        let token = SecretToken::generate(&mut rng());
        let remember = (remember && sessions.remember).then(|| self.remember(user, now));
        let session = self.new_session(user, proof, remember.as_ref().map(|(new, _)| new.id), now);
        let digests =
            remember.as_ref().map(|(_, token)| (token.series.digest(), token.secret.digest()));
        let grant = SessionGrant {
            session: &session,
            token: &token.digest(),
            proof,
            remember: remember.as_ref().zip(digests.as_ref()).map(|((remembered, _), digests)| {
                RememberGrant { remembered, series: &digests.0, secret: &digests.1 }
            }),
            max_per_user: sessions.max_per_user,
        };
        // A proof makes the visitor the user.
        let caller = match proof {
            Some(_) => &Caller::acting_as(self.caller.clone(), user.id),
            None => self.caller,
        };
        let kind = match proof {
            Some(_) => AuthEventKind::UserLoggedIn,
            None => AuthEventKind::UserRemembered,
        };
        let acting = Acting { core: self.core, caller };
        let record = acting.record(kind, Some(user.id), Some(session.id));
        // It may end the user's oldest session.
        let saved = acting
            .change(Some(user.id), &record, |store, record| {
                store.sessions().insert_session(grant, record)
            })
            .await?;
        let remember_token = remember.map(|(_, token)| token);
        Ok(saved.then(|| NewSession {
            token,
            remember_token,
            browser_token: None,
            session,
            user: user.clone(),
        }))
    }

    fn new_session(
        &self,
        user: &User,
        proof: Option<&Proof>,
        remembered: Option<RememberedId>,
        now: OffsetDateTime,
    ) -> Session {
        let end = now + self.core.config.sessions.lifetimes.absolute;
        let id = SessionId::generate(now, &mut rng());
        let mut session = Session::new(id, user.id, self.caller.client.clone(), now, end);
        session.remembered = remembered;
        if let Some(proof) = proof {
            session.authenticated_at = Some(now);
            session.methods = proof.methods().clone();
        }
        session
    }

    fn remember(&self, user: &User, now: OffsetDateTime) -> (Remembered, RememberToken) {
        let id = RememberedId::generate(now, &mut rng());
        let end = now + self.core.config.sessions.lifetimes.remembered;
        let remembered = Remembered::new(id, user.id, self.caller.client.clone(), now, end);
        (remembered, RememberToken::generate(&mut rng()))
    }
}
