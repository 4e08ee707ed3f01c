//! Measures how many logins one database handles without password hashes, from one and from several nodes.

use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::{Duration, Instant};

use countersign_auth::{Auth, Caller};
use countersign_domain::throttle::OnSuccess;
use countersign_domain::{
    Client, Clock, Counted, EmailAddress, SecretToken, Store, SystemClock, ThrottlePolicy,
};
use countersign_persistence::SqlStore;
use tokio::runtime::Runtime;

use crate::Outcome;

use super::CONNECTIONS;
use super::costs::Costs;
use super::people::People;

/// The browsers that users log in from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Browsers {
    /// Browsers that the site does not know.
    New,
    /// Browsers with which the users have logged in before.
    Known,
}

impl Browsers {
    pub(super) const ALL: [Self; 2] = [Self::New, Self::Known];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::New => "from new browsers",
            Self::Known => "from known browsers",
        }
    }
}

/// Measures the part of a login that the store does, with as many logins at once as in the other
/// measurements. Each node has connections of its own and follows what the others do.
pub(super) fn costs(
    people: &People<'_>,
    nodes: usize,
    browsers: Browsers,
    duration: Duration,
) -> Outcome<Costs> {
    let server = people.database.server();
    let runtime = Runtime::new()?;
    let mut sites = Vec::new();
    for _ in 0..nodes {
        let database = runtime.block_on(SqlStore::connect(&people.database.url()))?;
        let auth = Auth::new(database.clone());
        let following = auth.clone();
        let following = runtime.spawn(async move { following.jobs().follow().await });
        sites.push((Site { auth, database, browsers }, following));
    }
    let load = |duration: Duration| -> Outcome<u64> {
        let start = Instant::now();
        let client = |site: &Site| {
            let mut logins = 0;
            while start.elapsed() < duration {
                runtime.block_on(site.log_in(people)).map_err(|error| error.to_string())?;
                logins += 1;
            }
            Ok::<_, String>(logins)
        };
        let done = thread::scope(|scope| {
            let sites = sites.iter().map(|(site, _)| site).cycle().take(CONNECTIONS as usize);
            let clients: Vec<_> = sites.map(|site| scope.spawn(|| client(site))).collect();
            let joined = clients
                .into_iter()
                .map(|client| client.join().unwrap_or_else(|_| Err("a client panicked".into())));
            joined.sum::<Result<u64, _>>()
        });
        Ok(done?)
    };
    // A first load opens connections and prepares their statements.
    load(duration / 4)?;
    let (start, cpu) = (Instant::now(), server.cpu()?);
    let logins = load(duration)? as f64;
    let seconds = start.elapsed().as_secs_f64();
    let cpu = server.cpu()?.zip(cpu).map(|(now, then)| now.saturating_sub(then));
    for (site, following) in sites {
        following.abort();
        runtime.block_on(site.database.close());
    }
    let rate = ("rate", logins / seconds, "/s");
    let cpu = cpu.map(|cpu| ("processor of PostgreSQL", cpu.as_secs_f64() * 1e6 / logins, "µs"));
    Ok(Costs::new([rate].into_iter().chain(cpu)))
}

struct Site {
    auth: Auth,
    database: SqlStore,
    browsers: Browsers,
}

impl Site {
    /// Makes all calls to the store that a login makes, without the hash in between.
    async fn log_in(&self, people: &People<'_>) -> Outcome<()> {
        let (email, browser) = match self.browsers {
            Browsers::New => (people.any_address(), None),
            Browsers::Known => {
                let (email, token) = people.anybody_known();
                (email, Some(SecretToken::parse(&token)?))
            }
        };
        let user = self.database.users().user_by_email(&EmailAddress::parse(&email)?).await?;
        let user = user.ok_or("a user is gone")?;
        let address: Ipv4Addr = people.any_client().parse()?;
        let address = Some(IpAddr::V4(address));
        let digest = browser.as_ref().map(SecretToken::digest);
        if let Some(digest) = &digest {
            let browsers = self.database.browsers().ok_or("browsers are not saved")?;
            browsers.browser_by_token(digest).await?.ok_or("a browser is not known")?;
        }
        // The throttle must not slow anybody down: the load decides how often a user logs in.
        let mut policy = ThrottlePolicy::default();
        policy.account_tries.tries = u32::MAX;
        let counters = policy.login(&user.email, address, digest.as_ref());
        let counted = self.database.throttle().count_try(&counters, SystemClock.now()).await?;
        let Counted::In(counts) = counted else { return Err("a login was slowed down".into()) };
        let caller = Caller::visitor(Client::new(address, None)).with_browser(browser);
        self.auth.by(&caller).log_in_user(&user, false).await?.ok_or("a user may not log in")?;
        let tried: Vec<_> = counters.into_iter().zip(counts).collect();
        let which =
            |on_success| tried.iter().filter(move |(one, _)| one.scope.on_success() == on_success);
        let undo: Vec<_> = which(OnSuccess::TakeBack).copied().collect();
        let clear: Vec<_> = which(OnSuccess::Clear).map(|(counter, _)| counter.key).collect();
        Ok(self.database.throttle().settle_try(&undo, &clear).await?)
    }
}
