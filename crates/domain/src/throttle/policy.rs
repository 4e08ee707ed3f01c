use std::net::IpAddr;

use time::Duration;

use super::counter::{Counter, Scope};
use super::rule::{Backoff, Rate, Rule};
use crate::client::network;
use crate::{EmailAddress, TokenDigest, UserId};

/// How many guesses are let in. The default is the recommended one; `docs/withstand.md` names the sources
/// of its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThrottlePolicy {
    /// Failures on one account from one address: 5 in 5 minutes.
    pub account_from_address: Rate,
    /// Failures on one account, from wherever they come.
    pub account: Backoff,
    /// Tries on one account, successful ones too: 30 a minute in known browsers, and as many in others.
    pub account_tries: Rate,
    /// Codes of a second factor that are tried on one account: 10 in 15 minutes.
    pub account_codes: Rate,
    /// Changes of the email address or the username of one account: 10 an hour. The counters of an account go
    /// by its address, so that a new one begins them anew; this bounds how often.
    pub account_renames: Rate,
    /// Failures from one address: 10 a minute.
    pub address: Rate,
    /// Failures from one network: 30 a minute.
    pub network: Rate,
    /// Failures on the whole site: 1200 a minute. Beyond that, only tries from places without recent
    /// failures are let in.
    pub site: Rate,
    /// Registrations from one address: 20 a minute.
    pub registrations: Rate,
    /// Sessions that one remembered login begins: 30 in 10 minutes.
    pub resumptions: Rate,
    /// Sessions that remembered logins begin from one address: 300 a minute.
    pub address_resumptions: Rate,
}

impl Default for ThrottlePolicy {
    fn default() -> Self {
        let per_minute = |tries| Rate { tries, period: Duration::MINUTE };
        Self {
            account_from_address: Rate { tries: 5, period: Duration::minutes(5) },
            account: Backoff::default(),
            account_tries: per_minute(30),
            account_codes: Rate { tries: 10, period: Duration::minutes(15) },
            account_renames: Rate { tries: 10, period: Duration::HOUR },
            address: per_minute(10),
            network: per_minute(30),
            site: per_minute(1_200),
            registrations: per_minute(20),
            resumptions: Rate { tries: 30, period: Duration::minutes(10) },
            address_resumptions: per_minute(300),
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
            Scope::AccountTries | Scope::KnownBrowserTries => Rule::Rate(self.account_tries),
            Scope::AccountCodes => Rule::Rate(self.account_codes),
            Scope::AccountRenames => Rule::Rate(self.account_renames),
            Scope::AddressFailures => Rule::Rate(self.address),
            Scope::NetworkFailures => Rule::Rate(self.network),
            Scope::Site => Rule::Rate(self.site),
            Scope::AddressRegistrations => Rule::Rate(self.registrations),
            Scope::NetworkRegistrations => Rule::Rate(of_network(self.registrations)),
            Scope::Resumptions => Rule::Rate(self.resumptions),
            Scope::AddressResumptions => Rule::Rate(self.address_resumptions),
            Scope::NetworkResumptions => Rule::Rate(of_network(self.address_resumptions)),
        }
    }

    /// Returns the counters of a try to prove that one is the owner of `email`. Their key is the canonical
    /// address, whether or not somebody has it: what was counted stays the same when an account with it
    /// begins or ends, so that neither shows. A browser that its user is known to use has counters of its
    /// own, so that nobody else can close its door.
    pub fn login(
        &self,
        email: &EmailAddress,
        address: Option<IpAddr>,
        known_browser: Option<&TokenDigest>,
    ) -> Vec<Counter> {
        let who = email.canonical().as_bytes();
        if let Some(browser) = known_browser {
            let here: [&[u8]; 2] = [who, browser.as_bytes()];
            return vec![
                self.counter(Scope::KnownBrowser, &here),
                self.counter(Scope::KnownBrowserDelay, &here),
                // Strangers cannot use this up, and somebody who knows the password cannot use it to
                // keep the hashing workers busy.
                self.counter(Scope::KnownBrowserTries, &[who]),
            ];
        }
        let mut counters =
            vec![self.counter(Scope::Account, &[who]), self.counter(Scope::Site, &[])];
        // Callers without an address are no one place: five of them would close an account for all.
        if let Some(address) = address {
            let (here, net) = place(address);
            counters.extend([
                self.counter(Scope::AccountFromAddress, &[who, here.as_bytes()]),
                // Strangers are slowed down before they could use it up.
                self.counter(Scope::AccountTries, &[who]),
                self.counter(Scope::AddressFailures, &[here.as_bytes()]),
                self.counter(Scope::NetworkFailures, &[net.as_bytes()]),
            ]);
        }
        counters
    }

    /// Returns the counters of a code of a second factor. Only who has proved something else before tries
    /// one, so that the key may be the user: it holds for all addresses, browsers and kinds of code.
    pub fn code(&self, user: UserId) -> Vec<Counter> {
        vec![self.counter(Scope::AccountCodes, &[user.as_uuid().as_bytes()])]
    }

    /// Returns the counters of a change of what a user is called.
    pub fn renaming(&self, user: UserId) -> Vec<Counter> {
        vec![self.counter(Scope::AccountRenames, &[user.as_uuid().as_bytes()])]
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

    /// Returns the counters of a session that a remembered login is to begin.
    pub fn resumption(&self, series: &TokenDigest, address: Option<IpAddr>) -> Vec<Counter> {
        let mut counters = vec![self.counter(Scope::Resumptions, &[series.as_bytes()])];
        if let Some(address) = address {
            let (here, net) = place(address);
            counters.extend([
                self.counter(Scope::AddressResumptions, &[here.as_bytes()]),
                self.counter(Scope::NetworkResumptions, &[net.as_bytes()]),
            ]);
        }
        counters
    }

    fn counter(&self, scope: Scope, subject: &[&[u8]]) -> Counter {
        Counter::new(scope, self.rule(scope), subject)
    }
}

/// Returns the rate of a network, which has as many people behind it as three addresses.
fn of_network(Rate { tries, period }: Rate) -> Rate {
    Rate { tries: tries.saturating_mul(3), period }
}

/// Returns an address and its network, as keys write them.
fn place(address: IpAddr) -> (String, String) {
    (address.to_canonical().to_string(), network(address).to_string())
}
