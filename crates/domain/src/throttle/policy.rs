use std::net::IpAddr;

use time::Duration;

use super::counter::{Claimant, Counter, Scope};
use super::rule::{Backoff, Rate, Rule};
use crate::TokenDigest;
use crate::client::network;

/// How many guesses are let in. The default is the recommended one; `docs/withstand.md` names the sources
/// of its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThrottlePolicy {
    /// Failures on one account from one address: 5 in 5 minutes.
    pub account_from_address: Rate,
    /// Failures on one account, from wherever they come.
    pub account: Backoff,
    /// Tries from one address, successful ones too: 30 a minute.
    pub address_tries: Rate,
    /// Failures from one address: 10 a minute.
    pub address: Rate,
    /// Tries from one network: 90 a minute.
    pub network_tries: Rate,
    /// Failures from one network: 30 a minute.
    pub network: Rate,
    /// Failures on the whole site: 1200 a minute. Beyond that, only tries from places without recent
    /// failures are let in.
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

impl ThrottlePolicy {
    /// Returns when a counter of this scope lets the next try in.
    pub fn rule(&self, scope: Scope) -> Rule {
        match scope {
            Scope::AccountFromAddress | Scope::KnownBrowser => {
                Rule::Rate(self.account_from_address)
            }
            Scope::Account | Scope::KnownBrowserDelay => Rule::Backoff(self.account),
            Scope::AddressTries | Scope::KnownBrowserTries => Rule::Rate(self.address_tries),
            Scope::AddressFailures => Rule::Rate(self.address),
            Scope::NetworkTries => Rule::Rate(self.network_tries),
            Scope::NetworkFailures => Rule::Rate(self.network),
            Scope::Site => Rule::Rate(self.site),
            Scope::AddressRegistrations => Rule::Rate(self.registrations),
            // A network has as many people behind it as three addresses.
            Scope::NetworkRegistrations => {
                let Rate { tries, period } = self.registrations;
                Rule::Rate(Rate { tries: tries.saturating_mul(3), period })
            }
        }
    }

    /// Returns the counters of a try to prove who one is. A browser that its user is known to use has
    /// counters of its own, so that nobody else can close its door.
    pub fn login(
        &self,
        claimant: Claimant<'_>,
        address: Option<IpAddr>,
        known_browser: Option<&TokenDigest>,
    ) -> Vec<Counter> {
        let who = claimant.to_bytes();
        if let Some(browser) = known_browser {
            let here: [&[u8]; 2] = [&who, browser.as_bytes()];
            return vec![
                self.counter(Scope::KnownBrowser, &here),
                self.counter(Scope::KnownBrowserDelay, &here),
                // Strangers cannot use this up, and somebody who knows the password cannot use it to
                // keep the hashing workers busy.
                self.counter(Scope::KnownBrowserTries, &[&who]),
            ];
        }
        let mut counters =
            vec![self.counter(Scope::Account, &[&who]), self.counter(Scope::Site, &[])];
        // Callers without an address are no one place: five of them would close an account for all.
        if let Some(address) = address {
            let (here, net) = place(address);
            counters.extend([
                self.counter(Scope::AccountFromAddress, &[&who, here.as_bytes()]),
                self.counter(Scope::AddressFailures, &[here.as_bytes()]),
                self.counter(Scope::AddressTries, &[here.as_bytes()]),
                self.counter(Scope::NetworkFailures, &[net.as_bytes()]),
                self.counter(Scope::NetworkTries, &[net.as_bytes()]),
            ]);
        }
        counters
    }

    /// Returns the counters of a try to register.
    pub fn registration(&self, address: Option<IpAddr>) -> Vec<Counter> {
        let Some(address) = address else { return Vec::new() };
        let (here, net) = place(address);
        vec![
            self.counter(Scope::AddressRegistrations, &[here.as_bytes()]),
            self.counter(Scope::NetworkRegistrations, &[net.as_bytes()]),
        ]
    }

    fn counter(&self, scope: Scope, subject: &[&[u8]]) -> Counter {
        Counter::new(scope, self.rule(scope), subject)
    }
}

/// Returns an address and its network, as keys write them.
fn place(address: IpAddr) -> (String, String) {
    (address.to_canonical().to_string(), network(address).to_string())
}
