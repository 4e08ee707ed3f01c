//! What the hash of somebody costs who has none, so that its time tells nobody who has an account.
//!
//! Users keep hashes of the cost that was configured when they last logged in. If nobody's hash always had
//! the present cost, one wrong login would tell the owner of an older hash from nobody. So each email address
//! gets one of the costs that are in use, as often as users have it, by a secret of the site: the same on
//! each node and after each restart.

use std::sync::{Arc, Mutex, PoisonError};

use countersign_domain::{CryptoRng, Duration, EmailAddress, SiteSecret, Store, StoreError};

use super::recipe::Scheme;
use crate::config::HashingConfig;

/// How often users are counted by the costs of their hashes.
const COUNT_EVERY: Duration = Duration::minutes(15);

/// What is computed where there is no hash to check.
#[derive(Clone, Debug)]
pub(crate) struct StandIn(pub(super) Scheme);

/// Finds what is computed where there is no hash to check.
pub(crate) struct StandIns {
    /// Where nobody has a hash.
    present: Scheme,
    /// Where the store keeps no secret.
    own: SiteSecret,
    counted: Mutex<Option<Arc<Counted>>>,
    /// Held while the users are counted.
    counting: tokio::sync::Mutex<()>,
}

struct Counted {
    /// By a clock that nobody sets.
    at: Duration,
    secret: SiteSecret,
    /// The cheapest first, whatever there is most of: where users move on to a new cost, those whom nobody
    /// is move with them, and no others.
    schemes: Vec<Scheme>,
    shares: Vec<u64>,
}

impl StandIns {
    pub(crate) fn new(config: &HashingConfig, rng: &mut impl CryptoRng) -> Self {
        Self {
            present: config.scheme(),
            own: SiteSecret::generate(rng),
            counted: Mutex::default(),
            counting: tokio::sync::Mutex::default(),
        }
    }

    fn counted(&self) -> Option<Arc<Counted>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns what is computed for an email address if nobody has it, or no hash that can be checked. It is
    /// asked for every login, so that the time that it takes tells nothing.
    pub(crate) async fn of(
        &self,
        email: &EmailAddress,
        store: &dyn Store,
        now: Duration,
    ) -> StandIn {
        let counted = match self.counted() {
            Some(counted) => Some(counted),
            None => self.first_count(store, now).await,
        };
        let drawn = counted.as_ref().and_then(|counted| {
            counted.schemes.get(counted.secret.draw(email, &counted.shares)?).cloned()
        });
        StandIn(drawn.unwrap_or_else(|| self.present.clone()))
    }

    async fn first_count(&self, store: &dyn Store, now: Duration) -> Option<Arc<Counted>> {
        // Of many who come first, one counts.
        let _counting = self.counting.lock().await;
        if self.counted().is_none() {
            self.count(store, now).await;
        }
        self.counted()
    }

    /// Counts the users anew if that is long ago.
    pub(crate) async fn keep_up(&self, store: &dyn Store, now: Duration) {
        if self.counted().is_none_or(|counted| now - counted.at >= COUNT_EVERY) {
            let _counting = self.counting.lock().await;
            self.count(store, now).await;
        }
    }

    async fn count(&self, store: &dyn Store, now: Duration) {
        let counted = match self.ask(store, now).await {
            Ok(counted) => counted,
            Err(error) => {
                tracing::warn!(%error, "users are not counted by what their password hashes cost");
                match self.counted() {
                    Some(before) => Counted {
                        at: now,
                        secret: before.secret.clone(),
                        schemes: before.schemes.clone(),
                        shares: before.shares.clone(),
                    },
                    // No login waits for another count: the housekeeping makes up for it.
                    None => Counted {
                        at: now - COUNT_EVERY,
                        secret: self.own.clone(),
                        schemes: Vec::new(),
                        shares: Vec::new(),
                    },
                }
            }
        };
        let mut known = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(Arc::new(counted));
    }

    async fn ask(&self, store: &dyn Store, now: Duration) -> Result<Counted, StoreError> {
        let secret = match store.site() {
            Some(site) => site.site_secret(&self.own).await?,
            None => self.own.clone(),
        };
        let counts = store.users().count_hashes().await?;
        let read = |count: &countersign_domain::HashCount| {
            // What cannot be checked is computed like nobody's.
            Some((Scheme::from_cost(&count.cost)?, count.users))
        };
        let mut generations: Vec<_> = counts.iter().filter_map(read).collect();
        generations.sort_by_key(|(scheme, _)| scheme.order());
        let (schemes, shares) = generations.into_iter().unzip();
        Ok(Counted { at: now, secret, schemes, shares })
    }
}
