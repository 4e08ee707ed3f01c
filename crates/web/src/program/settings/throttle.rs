use countersign_domain::ThrottlePolicy;

use super::pace::Pace;
use super::section::section;
use super::span::Span;

section! {
    /// `throttle`: how far password guesses are slowed down.
    Throttle for ThrottlePolicy {
        /// Failed tries on one account from one address.
        account_from_address: Pace = account_from_address,
        /// Failed tries in a row on one account, from any address, before the first delay.
        account_free: u32 = account.free,
        /// The first delay; each one after it is twice as long.
        account_delay: Span = account.first,
        /// The longest delay.
        account_longest: Span = account.longest,
        /// Failed tries in a row on one account before a rest.
        account_most: u32 = account.most,
        /// The length of that rest; after this long without a try, failures are forgotten.
        account_rest: Span = account.rest,
        /// Tries on one account, failed or not, in known browsers; as many in others.
        account_tries: Pace = account_tries,
        /// Codes of a second factor on one account.
        account_codes: Pace = account_codes,
        /// Changes of the email address or the username of one account.
        account_renames: Pace = account_renames,
        /// Failed tries from one address.
        address_failures: Pace = address,
        /// Failed tries from one network.
        network_failures: Pace = network,
        /// Failed tries on the whole site.
        site_failures: Pace = site,
        /// Registrations from one address.
        registrations: Pace = registrations,
        /// Sessions that one remembered login begins.
        resumptions: Pace = resumptions,
        /// Sessions that remembered logins begin from one address.
        address_resumptions: Pace = address_resumptions,
    }
    and {
        /// Whether guesses are slowed down at all.
        enabled: bool = true,
    }
}

impl Throttle {
    /// Returns the policy, or `None` where guesses are not slowed down.
    pub(crate) fn policy(&self) -> Option<ThrottlePolicy> {
        let mut policy = ThrottlePolicy::default();
        self.apply(&mut policy);
        self.enabled.then_some(policy)
    }
}
