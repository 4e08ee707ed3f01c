//! The counters of the throttle.
#![expect(
    clippy::missing_panics_doc,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says that a promise is broken by panicking"
)]

use std::net::IpAddr;

use futures_util::future::join_all;
use time::{Duration, OffsetDateTime};

use super::counter::{Counter, Scope};
use super::policy::ThrottlePolicy;
use super::rule::{Count, Rate, Rule, Tally};
use super::store::Counted;
use crate::clock::CLOCK_TOLERANCE;
use crate::contract::fixtures::{START, user};
use crate::store::Store;

/// Returns the counter of `subject`.
fn counter(subject: u8, tries: u32) -> Counter {
    let policy = ThrottlePolicy {
        registrations: Rate { tries, period: Duration::MINUTE },
        ..ThrottlePolicy::default()
    };
    policy.registration(Some(IpAddr::from([203, 0, subject, 7])))[0]
}

async fn is_let_in(store: &impl Store, counters: &[Counter], now: OffsetDateTime) -> bool {
    let counted = store.throttle().count_try(counters, now).await.expect("the store counts");
    matches!(counted, Counted::In(_))
}

/// Checks that a counter lets so many tries in, and the next one when time has passed.
pub async fn a_counter_lets_in_so_many_tries_and_the_next_one_later(store: &impl Store) {
    let (counters, since) = ([counter(1, 2)], START);
    let first = store.throttle().count_try(&counters, START).await.expect("the store counts");
    let after = Tally { tries: 1, since };
    assert_eq!(first, Counted::In(vec![Count { before: None, after }]));
    assert!(is_let_in(store, &counters, START + Duration::SECOND).await);
    let third = store.throttle().count_try(&counters, START + Duration::SECOND).await;
    let until = START + Duration::MINUTE;
    assert_eq!(third.expect("the store counts"), Counted::Out { counter: 0, until });
    assert!(!is_let_in(store, &counters, until - Duration::MICROSECOND).await);
    assert!(is_let_in(store, &counters, until).await);
    assert!(is_let_in(store, &[], START).await);
}

/// Checks that a try that one counter refuses is counted by no other.
pub async fn a_try_is_counted_by_all_counters_or_by_none(store: &impl Store) {
    let (narrow, wide) = (counter(1, 1), counter(2, 3));
    assert!(is_let_in(store, &[narrow, wide], START).await);
    for _ in 0..5 {
        let counted =
            store.throttle().count_try(&[wide, narrow], START).await.expect("the store counts");
        let until = START + Duration::MINUTE;
        assert_eq!(counted, Counted::Out { counter: 1, until });
    }
    assert!(is_let_in(store, &[wide], START).await);
    assert!(is_let_in(store, &[wide], START).await);
    assert!(!is_let_in(store, &[wide], START).await);
}

/// Checks that of many tries at once no more are let in than may.
pub async fn of_many_tries_at_once_no_more_are_let_in_than_may(store: &impl Store) {
    let counters = [counter(1, 5), counter(2, 90)];
    let tries = (0..40).map(|_| is_let_in(store, &counters, START));
    let let_in = join_all(tries).await.into_iter().filter(|is_in| *is_in).count();
    assert_eq!(let_in, 5);
}

/// Returns what each counter counted of a try that was let in.
async fn counted(
    store: &impl Store,
    counters: &[Counter],
    now: OffsetDateTime,
) -> Vec<(Counter, Count)> {
    match store.throttle().count_try(counters, now).await.expect("the store counts") {
        Counted::In(counts) => counters.iter().copied().zip(counts).collect(),
        Counted::Out { .. } => panic!("the try is let in"),
    }
}

/// Checks that a try that is taken back makes room for one more, and that a cleared counter is as new.
pub async fn tries_are_taken_back_and_cleared(store: &impl Store) {
    let (one, two) = (counter(1, 2), counter(2, 2));
    counted(store, &[one, two], START).await;
    let last = counted(store, &[one, two], START).await;
    store.throttle().settle_try(&last[..1], &[two.key]).await.expect("the tries are settled");
    assert!(is_let_in(store, &[one], START).await);
    assert!(!is_let_in(store, &[one], START).await);
    for _ in 0..2 {
        assert!(is_let_in(store, &[two], START).await);
    }
    // In the meantime another time has begun, of whose tries none was this one.
    let later = START + Duration::MINUTE;
    counted(store, &[one], later).await;
    counted(store, &[one], later).await;
    store.throttle().settle_try(&last[..1], &[]).await.expect("nothing is taken back");
    assert!(!is_let_in(store, &[one], later).await);
    let never = counter(9, 1);
    store
        .throttle()
        .settle_try(&[(never, last[0].1)], &[never.key])
        .await
        .expect("nothing happens");
    store.throttle().settle_try(&[], &[]).await.expect("nothing happens");
    assert!(is_let_in(store, &[never], START).await);
}

/// Checks that a delay goes on from where it was when a try is taken back.
pub async fn a_try_that_is_taken_back_begins_no_delay_anew(store: &impl Store) {
    let all = ThrottlePolicy::default().login(&user("ada", 1).email, None, None);
    let delay = all.into_iter().find(|c| matches!(c.rule, Rule::Backoff(_)));
    let delay = [delay.expect("there is a delay")];
    for _ in 0..10 {
        counted(store, &delay, START).await;
    }
    let now = START + Duration::SECOND;
    let none = counted(store, &delay, now).await;
    assert!(!is_let_in(store, &delay, now).await);
    store.throttle().settle_try(&none, &[]).await.expect("it is taken back");
    assert!(is_let_in(store, &delay, now).await);
}

/// Checks that a store keeps a counter with a growing delay.
pub async fn a_counter_with_a_growing_delay_is_kept(store: &impl Store) {
    let all = ThrottlePolicy::default().login(&user("ada", 1).email, None, None);
    let delay = all.into_iter().find(|c| matches!(c.rule, Rule::Backoff(_)));
    let delay = [delay.expect("there is a delay")];
    assert_eq!(delay[0].scope, Scope::Account);
    for _ in 0..10 {
        assert!(is_let_in(store, &delay, START).await);
    }
    let closed = store.throttle().count_try(&delay, START).await.expect("the store counts");
    let mut until = START + Duration::SECOND;
    assert_eq!(closed, Counted::Out { counter: 0, until });
    assert!(is_let_in(store, &delay, until).await);
    let closed = store.throttle().count_try(&delay, until).await.expect("the store counts");
    until += Duration::seconds(2);
    assert_eq!(closed, Counted::Out { counter: 0, until });
}

/// Checks that a purge removes forgotten counters only, and a batch at a time.
pub async fn only_forgotten_counters_are_purged_and_only_so_many(store: &impl Store) {
    for subject in 0..4 {
        let now = START + Duration::seconds(i64::from(subject == 3) * 30);
        assert!(is_let_in(store, &[counter(subject, 1)], now).await);
    }
    let later = START + Duration::MINUTE;
    assert_eq!(store.throttle().purge_counters(later, 2).await.expect("they are purged"), 2);
    assert_eq!(store.throttle().purge_counters(later, 10).await.expect("they are purged"), 1);
    assert_eq!(store.throttle().purge_counters(later, 10).await.expect("none is left"), 0);
    assert!(!is_let_in(store, &[counter(3, 1)], later).await);
}

/// Checks that what a wrong clock counted in the future closes no door, now or on that day.
pub async fn a_count_from_the_future_is_forgotten_and_purged(store: &impl Store) {
    let (soon, tomorrow) = ([counter(1, 1)], [counter(2, 1)]);
    assert!(is_let_in(store, &soon, START + CLOCK_TOLERANCE).await);
    assert!(is_let_in(store, &tomorrow, START + Duration::DAY).await);
    let purged = store.throttle().purge_counters(START, 10).await;
    assert_eq!(purged.expect("it is removed"), 1);
    assert!(!is_let_in(store, &soon, START).await, "clocks differ a little");
    assert!(is_let_in(store, &tomorrow, START + Duration::DAY).await);
    assert!(is_let_in(store, &tomorrow, START).await);
}
