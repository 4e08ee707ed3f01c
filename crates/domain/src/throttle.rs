//! What slows guesses down: counters of tries, and when they let the next one in.
//!
//! A try is counted before it is known to fail, so that a thousand tries at once are not let in
//! together. Those that succeed are taken back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use crate::{EmailAddress, Reason, TokenDigest, UserId};

/// So many tries in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub tries: u32,
    /// In how long, from the first of them on.
    pub period: Duration,
}

/// A delay that grows with each try that fails, while none succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// How many tries there are before the first delay.
    pub free: u32,
    /// The first delay. Each one after it is twice as long.
    pub first: Duration,
    /// The longest delay.
    pub longest: Duration,
    /// After so many tries there is a rest; then it begins anew.
    pub most: u32,
    /// How long the rest is. So long without a try, and those before it are forgotten.
    pub rest: Duration,
}

/// When a counter lets the next try in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A number of tries in a time.
    Rate(Rate),
    /// A growing delay.
    Backoff(Backoff),
}

/// What a counter has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How many tries.
    pub tries: u32,
    /// With a [`Rate`], when the first of them was; with a [`Backoff`], when the last one was.
    pub since: OffsetDateTime,
}

impl Rule {
    /// When the next try is let in, if not now.
    pub fn closed_until(&self, tally: Tally, now: OffsetDateTime) -> Option<OffsetDateTime> {
        if !self.remembers(tally, now) {
            return None;
        }
        let closed_for = match self {
            Self::Rate(rate) if tally.tries >= rate.tries => rate.period,
            Self::Rate(_) => return None,
            Self::Backoff(backoff) => backoff.delay_after(tally.tries)?,
        };
        let until = tally.since.saturating_add(closed_for);
        (now < until).then_some(until)
    }

    /// The tally with one try more.
    #[must_use]
    pub fn count(&self, tally: Option<Tally>, now: OffsetDateTime) -> Tally {
        match (self, tally.filter(|tally| self.remembers(*tally, now))) {
            (_, None) => Tally { tries: 1, since: now },
            (Self::Rate(_), Some(tally)) => Tally { tries: tally.tries.saturating_add(1), ..tally },
            (Self::Backoff(_), Some(tally)) => {
                Tally { tries: tally.tries.saturating_add(1), since: now.max(tally.since) }
            }
        }
    }

    /// The tally without a try that was counted and was none. Others may have been counted since.
    pub fn undo(&self, current: Option<Tally>, count: Count) -> Option<Tally> {
        let current = current?;
        if current == count.after {
            return count.before;
        }
        let is_its_own = matches!(self, Self::Backoff(_)) || current.since == count.after.since;
        let fewer = Tally { tries: current.tries.saturating_sub(1), ..current };
        Some(if is_its_own { fewer } else { current })
    }

    /// Whether it was the last try of this tally that closed the door, or closed it for the rest.
    pub fn was_closed_by(&self, tally: Tally) -> bool {
        match self {
            Self::Rate(rate) => tally.tries == rate.tries,
            Self::Backoff(Backoff { free, most, .. }) => [*free, *most].contains(&tally.tries),
        }
    }

    /// When nothing of a tally matters any more.
    pub fn forgets_at(&self, tally: Tally) -> OffsetDateTime {
        tally.since.saturating_add(self.kept_for())
    }

    /// Whether a tally matters at `now`. One from far in the future is a wrong clock's, and must
    /// keep nobody out until that day.
    fn remembers(&self, tally: Tally, now: OffsetDateTime) -> bool {
        tally.since <= now.saturating_add(self.kept_for()) && now < self.forgets_at(tally)
    }

    fn kept_for(&self) -> Duration {
        match self {
            Self::Rate(rate) => rate.period,
            Self::Backoff(backoff) => backoff.rest,
        }
    }
}

impl Backoff {
    /// How long the door is closed after so many tries, if at all.
    fn delay_after(&self, tries: u32) -> Option<Duration> {
        if tries >= self.most {
            return Some(self.rest);
        }
        let doublings = tries.checked_sub(self.free)?;
        let factor = 1_i32.checked_shl(doublings).filter(|factor| *factor > 0);
        let delay = factor.and_then(|factor| self.first.checked_mul(factor));
        // After the rest nothing is remembered.
        Some(delay.map_or(self.longest, |delay| delay.min(self.longest)).min(self.rest))
    }
}

/// What a try did to a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The tally without it.
    pub before: Option<Tally>,
    /// The tally with it.
    pub after: Tally,
}

/// What a store finds a counter by: a digest, so that no store holds what somebody typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterKey([u8; 32]);

impl CounterKey {
    /// The key as a store keeps it.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key that a store kept; `None` unless it is 32 bytes.
    pub fn from_bytes(saved: &[u8]) -> Option<Self> {
        saved.try_into().ok().map(Self)
    }
}

/// What becomes of a counted try that succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnSuccess {
    /// It stays counted.
    Keep,
    /// It is taken back: it was no failure.
    TakeBack,
    /// All tries so far are forgotten: they were one person's own, who has shown who they are.
    Clear,
}

/// A counter that a try is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// What a store finds it by.
    pub key: CounterKey,
    /// When it lets the next try in.
    pub rule: Rule,
    /// What becomes of a try that succeeds.
    pub on_success: OnSuccess,
    /// What it says of a try that it does not let in.
    pub reason: Reason,
}

impl Counter {
    fn new(rule: Rule, on_success: OnSuccess, reason: Reason, subject: &[&[u8]]) -> Self {
        let kind = match (rule, on_success) {
            (Rule::Backoff(_), _) => "delay",
            (Rule::Rate(_), OnSuccess::Keep) => "tries",
            (Rule::Rate(_), _) => "failures",
        };
        let mut hasher = Sha256::new_with_prefix(b"countersign counter 1");
        // With its length before each part, so that no two subjects are hashed alike.
        for part in [reason.as_str().as_bytes(), kind.as_bytes()].iter().chain(subject) {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Self { key: CounterKey(hasher.finalize().into()), rule, on_success, reason }
    }
}

/// Which of the counters does not let a try in, by what they have counted, and until when: of
/// several, the one that is closed for the longest.
///
/// That of the whole site is closed only to places where something has failed lately. Whoever makes
/// it full from many places must not shut out everybody else.
pub fn closed(
    counters: &[Counter],
    tallies: &[Option<Tally>],
    now: OffsetDateTime,
) -> Option<(usize, OffsetDateTime)> {
    let is_place = |counter: &Counter| {
        matches!(counter.reason, Reason::Address | Reason::Network)
            && counter.on_success == OnSuccess::TakeBack
    };
    let mut places =
        counters.iter().zip(tallies).filter(|(counter, _)| is_place(counter)).peekable();
    let is_unknown = places.peek().is_none();
    let has_failed = places.any(|(counter, tally)| {
        tally.is_some_and(|tally| tally.tries > 0 && counter.rule.remembers(tally, now))
    });
    let each = counters.iter().zip(tallies).enumerate();
    let closed = each.filter_map(|(index, (counter, tally))| {
        let is_open = counter.reason == Reason::Site && !is_unknown && !has_failed;
        let until = counter.rule.closed_until((*tally)?, now)?;
        (!is_open).then_some((index, until))
    });
    closed.max_by_key(|(_, until)| *until)
}

/// Whom a try claims to be.
#[derive(Clone, Copy, Debug)]
pub enum Claimant<'a> {
    /// There is such a user. Whatever door and spelling is tried, it is one person.
    User(UserId),
    /// There is none, and nobody is to notice.
    Nobody(&'a EmailAddress),
}

/// How far guesses are let in. The default is the recommended one; the sources of its numbers are in
/// `docs/withstand.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottlePolicy {
    /// Failures on one account from one address: 5 in 5 minutes.
    pub account_from_address: Rate,
    /// Failures on one account, from wherever they come.
    pub account: Backoff,
    /// Tries from one address, whatever comes of them: 30 a minute.
    pub address_tries: Rate,
    /// Failures from one address: 10 a minute.
    pub address: Rate,
    /// Tries from one network: 90 a minute.
    pub network_tries: Rate,
    /// Failures from one network: 30 a minute.
    pub network: Rate,
    /// Failures on the whole site: 1200 a minute. Beyond, a try is let in only from where nothing has
    /// failed lately.
    pub site: Rate,
    /// Registrations from one address: 20 a minute.
    pub registrations: Rate,
}

impl Default for ThrottlePolicy {
    fn default() -> Self {
        let per_minute = |tries| Rate { tries, period: Duration::MINUTE };
        Self {
            account_from_address: Rate { tries: 5, period: Duration::minutes(5) },
            account: Backoff::default(),
            address_tries: per_minute(30),
            address: per_minute(10),
            network_tries: per_minute(90),
            network: per_minute(30),
            site: per_minute(1_200),
            registrations: per_minute(20),
        }
    }
}

impl Default for Backoff {
    /// 10 tries, then 1 second that doubles up to 15 minutes; after 100 tries in a row a day
    /// (NIST SP 800-63B-4, section 3.2.2).
    fn default() -> Self {
        Self {
            free: 10,
            first: Duration::SECOND,
            longest: Duration::minutes(15),
            most: 100,
            rest: Duration::DAY,
        }
    }
}

impl ThrottlePolicy {
    /// The counters of a try to prove who one is. A browser that its user is known to use has
    /// counters of its own, so that nobody else can close its door.
    pub fn login(
        &self,
        claimant: Claimant<'_>,
        address: Option<IpAddr>,
        known_browser: Option<&TokenDigest>,
    ) -> Vec<Counter> {
        let (who, address) = (claimant.to_bytes(), address.map(|address| address.to_canonical()));
        let (own, backoff) = (self.account_from_address, Rule::Backoff(self.account));
        if let Some(browser) = known_browser {
            let here: [&[u8]; 2] = [&who, browser.as_bytes()];
            let reason = Reason::KnownBrowser;
            return vec![
                Counter::new(Rule::Rate(own), OnSuccess::Clear, reason, &here),
                Counter::new(backoff, OnSuccess::Clear, reason, &here),
                // Strangers cannot use this up, and whoever knows the password cannot use it to keep
                // the hashing workers busy.
                Counter::new(Rule::Rate(self.address_tries), OnSuccess::Keep, reason, &[&who]),
            ];
        }
        let mut counters = vec![
            Counter::new(backoff, OnSuccess::Clear, Reason::Account, &[&who]),
            Counter::new(Rule::Rate(self.site), OnSuccess::TakeBack, Reason::Site, &[]),
        ];
        // All who come from nowhere are no one place: five of them would close an account for all.
        if let Some(address) = address {
            let (here, net) = (address.to_string(), network(address).to_string());
            let from_here: [&[u8]; 2] = [&who, here.as_bytes()];
            let (own, reason) = (Rule::Rate(own), Reason::AccountFromAddress);
            counters.push(Counter::new(own, OnSuccess::Clear, reason, &from_here));
            let places = [
                (Reason::Address, &here, self.address, self.address_tries),
                (Reason::Network, &net, self.network, self.network_tries),
            ];
            for (reason, place, failures, tries) in places {
                let (place, failures, tries) =
                    ([place.as_bytes()], Rule::Rate(failures), Rule::Rate(tries));
                counters.push(Counter::new(failures, OnSuccess::TakeBack, reason, &place));
                counters.push(Counter::new(tries, OnSuccess::Keep, reason, &place));
            }
        }
        counters
    }

    /// The counters of a try to register.
    pub fn registration(&self, address: Option<IpAddr>) -> Vec<Counter> {
        let Some(address) = address else { return Vec::new() };
        let (here, net) = (address.to_canonical().to_string(), network(address).to_string());
        let wide = Rate { tries: self.registrations.tries.saturating_mul(3), ..self.registrations };
        let places = [(Reason::Address, &here, self.registrations), (Reason::Network, &net, wide)];
        let counter = |(reason, place, rate): (_, &String, _)| {
            let subject: [&[u8]; 2] = [b"registration", place.as_bytes()];
            Counter::new(Rule::Rate(rate), OnSuccess::Keep, reason, &subject)
        };
        places.map(counter).into()
    }
}

impl Claimant<'_> {
    fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::User(id) => [b"user ", id.as_uuid().as_bytes().as_slice()].concat(),
            Self::Nobody(email) => [b"nobody ", email.canonical().as_bytes()].concat(),
        }
    }
}

/// What one owner of addresses usually has: the 256 around an address of IPv4 or the /64 of one of
/// IPv6, by its first address.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & (u32::MAX << 8)).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}
