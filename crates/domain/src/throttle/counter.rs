use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::rule::{Rule, Tally};
use crate::Reason;

/// What a counter counts: which tries, and at which door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Failures on one account from one address.
    AccountFromAddress,
    /// Failures on one account, from wherever they come.
    Account,
    /// Failures on one account in one browser that its user is known to use.
    KnownBrowser,
    /// The same, with a growing delay.
    KnownBrowserDelay,
    /// Tries on one account in known browsers, successful ones too.
    KnownBrowserTries,
    /// Tries on one account in other browsers, successful ones too.
    AccountTries,
    /// Codes of a second factor that were tried on one account.
    AccountCodes,
    /// Changes of the email address or the username of one account.
    AccountRenames,
    /// Failures from one address.
    AddressFailures,
    /// Failures from one network.
    NetworkFailures,
    /// Failures on the whole site.
    Site,
    /// Registrations from one address.
    AddressRegistrations,
    /// Registrations from one network.
    NetworkRegistrations,
    /// Sessions that one remembered login begins.
    Resumptions,
    /// Sessions that remembered logins begin from one address.
    AddressResumptions,
    /// Sessions that remembered logins begin from one network.
    NetworkResumptions,
}

/// What happens to a counted try that succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnSuccess {
    /// It stays counted.
    Keep,
    /// It is taken back: it was no failure.
    TakeBack,
    /// All earlier tries are forgotten as well: one person made them, who has now shown who they are.
    Clear,
}

impl Scope {
    /// Returns what happens to a try that succeeds.
    pub fn on_success(self) -> OnSuccess {
        match self {
            Self::AccountFromAddress
            | Self::Account
            | Self::AccountCodes
            | Self::KnownBrowser
            | Self::KnownBrowserDelay => OnSuccess::Clear,
            Self::AddressFailures | Self::NetworkFailures | Self::Site => OnSuccess::TakeBack,
            Self::KnownBrowserTries
            | Self::AccountTries
            | Self::AccountRenames
            | Self::AddressRegistrations
            | Self::NetworkRegistrations
            | Self::Resumptions
            | Self::AddressResumptions
            | Self::NetworkResumptions => OnSuccess::Keep,
        }
    }

    /// Returns what the audit trail and the log say of a try that this counter does not let in.
    pub fn reason(self) -> Reason {
        match self {
            Self::AccountFromAddress => Reason::AccountFromAddress,
            Self::Account
            | Self::AccountTries
            | Self::AccountCodes
            | Self::AccountRenames
            | Self::Resumptions => Reason::Account,
            Self::KnownBrowser | Self::KnownBrowserDelay | Self::KnownBrowserTries => {
                Reason::KnownBrowser
            }
            Self::AddressFailures | Self::AddressRegistrations | Self::AddressResumptions => {
                Reason::Address
            }
            Self::NetworkFailures | Self::NetworkRegistrations | Self::NetworkResumptions => {
                Reason::Network
            }
            Self::Site => Reason::Site,
        }
    }

    /// Returns whether it counts the failures of one place.
    pub fn is_place(self) -> bool {
        matches!(self, Self::AddressFailures | Self::NetworkFailures)
    }

    /// Returns what distinguishes it within a key. It never changes: a change would open every door.
    fn number(self) -> u8 {
        match self {
            Self::AccountFromAddress => 1,
            Self::Account => 2,
            Self::KnownBrowser => 3,
            Self::KnownBrowserDelay => 4,
            Self::KnownBrowserTries => 5,
            Self::AddressFailures => 6,
            Self::NetworkFailures => 8,
            Self::Site => 10,
            Self::AddressRegistrations => 11,
            Self::NetworkRegistrations => 12,
            Self::AccountTries => 13,
            Self::AccountCodes => 14,
            Self::Resumptions => 15,
            Self::AddressResumptions => 16,
            Self::NetworkResumptions => 17,
            Self::AccountRenames => 18,
        }
    }
}

/// The key by which a store finds a counter: a digest, so that no store holds what somebody typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterKey([u8; 32]);

impl CounterKey {
    /// The number of bytes of a key.
    pub const BYTES: usize = 32;

    /// Returns the key as a store keeps it.
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Takes a key that a store kept; `None` unless it is [`CounterKey::BYTES`] long.
    pub fn from_bytes(saved: &[u8]) -> Option<Self> {
        saved.try_into().ok().map(Self)
    }
}

/// A counter by which a try is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// The key by which a store finds it.
    pub key: CounterKey,
    /// What it counts.
    pub scope: Scope,
    /// When it lets the next try in.
    pub rule: Rule,
}

impl Counter {
    pub(super) fn new(scope: Scope, rule: Rule, subject: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new_with_prefix(b"countersign counter 2");
        hasher.update([scope.number()]);
        // Its length goes before each part, so that no two subjects are hashed alike.
        for part in subject {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Self { key: CounterKey(hasher.finalize().into()), scope, rule }
    }
}

/// Returns which of the counters does not let a try in, by what they have counted, and until when: of
/// several, the one that is closed for the longest.
///
/// The counter of the whole site is closed only to places where something has failed lately. A flood from
/// many places must not shut out everybody else.
pub fn closed(
    counters: &[Counter],
    tallies: &[Option<Tally>],
    now: OffsetDateTime,
) -> Option<(usize, OffsetDateTime)> {
    let each = || counters.iter().zip(tallies);
    let mut places = each().filter(|(counter, _)| counter.scope.is_place()).peekable();
    let is_unknown = places.peek().is_none();
    let has_failed = places.any(|(counter, tally)| {
        tally.is_some_and(|tally| tally.tries > 0 && counter.rule.remembers(tally, now))
    });
    let closed = each().enumerate().filter_map(|(index, (counter, tally))| {
        let is_open = counter.scope == Scope::Site && !is_unknown && !has_failed;
        let until = counter.rule.closed_until((*tally)?, now)?;
        (!is_open).then_some((index, until))
    });
    closed.max_by_key(|(_, until)| *until)
}
