//! Tests that the throttle keeps its promises, whenever people try.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests and their helpers fail by panicking")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use countersign_domain::throttle::{
    Backoff, Counter, Rate, Rule, Scope, Tally, ThrottlePolicy, closed,
};
use countersign_domain::{
    CLOCK_TOLERANCE, Duration, EmailAddress, OffsetDateTime, SecretToken, TokenDigest, UserId,
    network,
};
use proptest::prelude::*;
use proptest::sample::select;

const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

/// A door that is tried repeatedly.
struct Door {
    rule: Rule,
    tally: Option<Tally>,
}

impl Door {
    fn new(rule: Rule) -> Self {
        Self { rule, tally: None }
    }

    fn closed_until(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.rule.closed_until(self.tally?, now)
    }

    /// Returns whether a try is let in, and counts it if so.
    fn lets_in(&mut self, now: OffsetDateTime) -> bool {
        let is_open = self.closed_until(now).is_none();
        if is_open {
            self.tally = Some(self.rule.count(self.tally, now));
        }
        is_open
    }
}

fn millis() -> impl Strategy<Value = Duration> {
    (1_i64..20_000).prop_map(Duration::milliseconds)
}

fn rates() -> impl Strategy<Value = Rate> {
    (1_u32..8, millis()).prop_map(|(tries, period)| Rate { tries, period })
}

/// Generates backoffs, including those that make no sense.
fn backoffs() -> impl Strategy<Value = Backoff> {
    let parts = (0_u32..12, millis(), millis(), 1_u32..50, millis());
    parts.prop_map(|(free, first, longest, most, rest)| Backoff {
        free,
        first,
        longest,
        most,
        rest,
    })
}

fn rules() -> impl Strategy<Value = Rule> {
    prop_oneof![rates().prop_map(Rule::Rate), backoffs().prop_map(Rule::Backoff)]
}

/// Generates moments in order, with short and long intervals.
fn moments() -> impl Strategy<Value = Vec<OffsetDateTime>> {
    let pause = prop_oneof![
        2 => Just(0_i64), 6 => 0_i64..500, 3 => 0_i64..6_000, 1 => 0_i64..50_000
    ];
    prop::collection::vec(pause, 1..120).prop_map(|pauses| {
        let mut now = START;
        let later = |pause| {
            now += Duration::milliseconds(pause);
            now
        };
        pauses.into_iter().map(later).collect()
    })
}

/// Computes how long the door is closed after this number of tries in a row, in another way than the code.
fn delay(backoff: Backoff, tries: u32) -> Duration {
    if tries >= backoff.most {
        return backoff.rest;
    }
    if tries < backoff.free {
        return Duration::ZERO;
    }
    let mut delay = backoff.first;
    for _ in backoff.free..tries {
        delay = delay.saturating_mul(2).min(backoff.longest);
    }
    delay.min(backoff.longest).min(backoff.rest)
}

proptest! {
    #[test]
    fn a_rate_lets_in_no_more_than_its_tries_in_a_period(rate in rates(), times in moments()) {
        let mut door = Door::new(Rule::Rate(rate));
        let (mut began, mut inside) = (None, 0);
        for now in times {
            if began.is_none_or(|began| now >= began + rate.period) {
                (began, inside) = (Some(now), 0);
                prop_assert_eq!(door.closed_until(now), None, "a new period opens the door");
            }
            inside += u32::from(door.lets_in(now));
            prop_assert!(inside <= rate.tries);
        }
    }

    #[test]
    fn a_rate_lets_in_all_of_its_tries(rate in rates(), times in moments()) {
        let mut door = Door::new(Rule::Rate(rate));
        let (mut began, mut inside) = (START, 0);
        for now in times {
            if now >= began + rate.period || inside == 0 {
                (began, inside) = (now, 0);
            }
            prop_assert_eq!(door.lets_in(now), inside < rate.tries);
            inside += 1;
        }
    }

    #[test]
    fn a_closed_door_opens_when_it_says_and_not_before(rule in rules(), times in moments()) {
        let longest = match rule {
            Rule::Rate(rate) => rate.period,
            Rule::Backoff(backoff) => backoff.rest,
        };
        let mut door = Door::new(rule);
        for now in times {
            if let Some(until) = door.closed_until(now) {
                prop_assert!(now < until && until <= now + longest);
                prop_assert_eq!(door.closed_until(until - Duration::MICROSECOND), Some(until));
                prop_assert_eq!(door.closed_until(until), None);
            }
            door.lets_in(now);
        }
    }

    #[test]
    fn a_backoff_delays_and_rests_as_it_says(backoff in backoffs(), times in moments()) {
        let mut door = Door::new(Rule::Backoff(backoff));
        let (mut last, mut row) = (START, 0);
        for now in times {
            if row > 0 && now >= last + backoff.rest {
                row = 0;
            }
            let expected = row == 0 || now >= last + delay(backoff, row);
            prop_assert_eq!(door.lets_in(now), expected, "after {} in a row", row);
            if expected {
                (last, row) = (now, row + 1);
            }
            prop_assert!(row <= backoff.most, "{} in a row", row);
        }
    }

    // A clock may be corrected after it was wrong by years.
    #[test]
    fn no_clock_however_wrong_closes_a_door_for_longer_than_its_rule(
        rule in rules(),
        seconds in prop::collection::vec(
            prop_oneof![-4_000_000_000_i64..4_000_000_000, -60_i64..60], 1..40
        ),
        tries in 1_usize..60,
    ) {
        let mut door = Door::new(rule);
        for at in seconds {
            let now = START + Duration::seconds(at);
            for _ in 0..tries {
                door.lets_in(now);
            }
        }
        let (now, longest) = (START, match rule {
            Rule::Rate(rate) => rate.period,
            Rule::Backoff(backoff) => backoff.rest,
        });
        if let Some(until) = door.closed_until(now) {
            prop_assert!(until <= now + longest);
        }
        // Whoever knocks now begins a count of their own, and what a wrong clock counted is forgotten.
        door.lets_in(now);
        prop_assert_eq!(door.closed_until(now + longest + CLOCK_TOLERANCE), None);
    }

    #[test]
    fn what_is_forgotten_counts_like_nothing(rule in rules(), times in moments()) {
        let mut door = Door::new(rule);
        for now in times {
            if let Some(tally) = door.tally && now >= rule.forgets_at(tally) {
                prop_assert_eq!(rule.closed_until(tally, now), None);
                prop_assert_eq!(rule.count(Some(tally), now), rule.count(None, now));
            }
            door.lets_in(now);
        }
    }

    #[test]
    fn the_door_that_is_closed_for_the_longest_speaks(
        doors in prop::collection::vec((rules(), 0_u32..60, 0_i64..20_000), 1..8),
    ) {
        let policy = ThrottlePolicy::default();
        let template = policy.registration(Some(Ipv4Addr::LOCALHOST.into()));
        let now = START + Duration::seconds(10);
        let counters: Vec<_> =
            doors.iter().map(|(rule, ..)| Counter { rule: *rule, ..template[0] }).collect();
        let tally = |tries, ago| Tally { tries, since: now - Duration::milliseconds(ago) };
        let tallies: Vec<_> =
            doors.iter().map(|(_, tries, ago)| (*tries > 0).then(|| tally(*tries, *ago))).collect();
        let each = counters.iter().zip(&tallies);
        let longest = each.filter_map(|(c, t)| c.rule.closed_until((*t)?, now)).max();
        let found = closed(&counters, &tallies, now);
        prop_assert_eq!(found.map(|(_, until)| until), longest);
        if let Some((index, until)) = found {
            prop_assert_eq!(counters[index].rule.closed_until(tallies[index].unwrap(), now), Some(until));
        }
    }
}

/// A try to log in.
#[derive(Clone, Debug)]
struct Try {
    email: EmailAddress,
    address: Option<IpAddr>,
    browser: Option<TokenDigest>,
}

fn user(n: u8) -> UserId {
    UserId::parse(&format!("01955555-5555-7555-8555-5555555555{n:02x}")).unwrap()
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    let known = ["10.0.0.1", "10.0.0.2", "10.0.1.1", "::1", "2001:db8::1", "2001:db8::ffff:1"];
    let known = select(known.to_vec()).prop_map(|written| written.parse().unwrap());
    prop_oneof![
        3 => known,
        1 => any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).into()),
        1 => any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).into()),
        1 => any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).to_ipv6_mapped().into()),
    ]
}

fn tries() -> impl Strategy<Value = Try> {
    let email = select(vec!["ada@example.org", "ADA@example.org", "eve@example.org", "user@a.org"]);
    let browser = select(vec!["A", "Q"]).prop_map(|letter| {
        SecretToken::parse(&letter.repeat(SecretToken::CHARS)).unwrap().digest()
    });
    let parts = (email, prop::option::of(addresses()), prop::option::of(browser));
    parts.prop_map(|(email, address, browser)| Try {
        email: EmailAddress::parse(email).unwrap(),
        address,
        browser,
    })
}

impl Try {
    fn counters(&self) -> Vec<Counter> {
        ThrottlePolicy::default().login(&self.email, self.address, self.browser.as_ref())
    }

    /// Describes what a counter counts.
    fn subject(&self, counter: &Counter) -> String {
        let who = self.email.canonical().to_owned();
        let address = self.address.map(|address| address.to_canonical());
        let subject = match counter.scope {
            Scope::AccountFromAddress => format!("{who} {address:?}"),
            // All known browsers of one user share it.
            Scope::Account | Scope::AccountTries | Scope::KnownBrowserTries => who,
            Scope::KnownBrowser | Scope::KnownBrowserDelay => {
                format!("{who} {:?}", self.browser.map(|token| *token.as_bytes()))
            }
            Scope::AddressFailures => format!("{address:?}"),
            Scope::NetworkFailures => format!("{:?}", address.map(network)),
            Scope::Site => String::new(),
            other => panic!("{other:?} counts no login"),
        };
        format!("{:?} {subject}", counter.scope)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn two_tries_share_a_counter_exactly_where_they_have_its_subject_in_common(
        one in tries(),
        other in tries(),
    ) {
        for here in one.counters() {
            for there in other.counters() {
                let (a, b) = (one.subject(&here), other.subject(&there));
                prop_assert_eq!(here.key == there.key, a == b, "{} and {}", a, b);
            }
        }
    }

    #[test]
    fn a_registration_shares_no_counter_with_a_login(one in tries(), address in addresses()) {
        let registration = ThrottlePolicy::default().registration(Some(address));
        prop_assert_eq!(registration.len(), 2);
        for counter in one.counters() {
            prop_assert!(registration.iter().all(|other| other.key != counter.key));
        }
    }

    #[test]
    fn the_codes_of_a_user_are_counted_by_themselves(one in tries(), id in 0_u8..3) {
        let policy = ThrottlePolicy::default();
        let codes = policy.code(user(id));
        prop_assert_eq!(&codes, &policy.code(user(id)));
        prop_assert_ne!(codes[0].key, policy.code(user(id + 1))[0].key);
        for counter in one.counters() {
            prop_assert_ne!(codes[0].key, counter.key);
        }
    }

    #[test]
    fn a_network_is_its_own_network_and_its_neighbours(address in addresses(), low in any::<u8>()) {
        let net = network(address);
        prop_assert_eq!(network(net), net);
        prop_assert_eq!(net.to_canonical(), net);
        let neighbour: IpAddr = match address.to_canonical() {
            IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & !0xff | u32::from(low)).into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !0xff | u128::from(low)).into(),
        };
        prop_assert_eq!(network(neighbour), net);
    }
}
