//! Tests that the throttle slows down guessers, and does not lock out the owners of accounts.

use std::net::IpAddr;
use std::time::Duration as Wait;

use countersign_auth::domain::throttle::{Backoff, Rate};
use countersign_auth::domain::{
    AuditFilter, Client, Duration, Reason, SecretToken, ThrottlePolicy,
};
use countersign_auth::{
    AuthConfig, AuthEventKind, Caller, ConfirmError, Credential, LogIn, LogInError, NewSession,
    NewUser, RegisterError,
};

use crate::support::{PASSWORD, Service, browser, cheap, complete};

const ADA: &str = "ada@example.org";

fn config(throttle: ThrottlePolicy) -> AuthConfig {
    let mut config = cheap();
    config.hashing.workers = 1;
    config.throttle = Some(throttle);
    config
}

/// Returns a policy without limits for single addresses and networks.
fn accounts_only() -> ThrottlePolicy {
    let often = Rate { tries: 1_000_000, period: Duration::MINUTE };
    let mut policy = ThrottlePolicy::default();
    policy.address = often;
    policy.network = often;
    policy.site = often;
    policy
}

fn from(address: impl Into<IpAddr>) -> Caller {
    Caller::visitor(Client::new(Some(address.into()), Some("Test/1.0")))
}

/// Returns a caller from a different network for each number.
fn stranger(n: u32) -> Caller {
    from(std::net::Ipv4Addr::from_bits(0x0B00_0000 + n * 256))
}

impl Service {
    async fn ada_behind(policy: ThrottlePolicy) -> Self {
        let service = Self::with(config(policy));
        service.register(ADA).await.unwrap();
        service
    }

    async fn try_as(
        &self,
        caller: &Caller,
        email: &str,
        password: &str,
    ) -> Result<NewSession, LogInError> {
        self.auth.by(caller).log_in(LogIn::new(email, password)).await.map(complete)
    }

    /// Asserts that the next try is refused, and returns how long it has to wait.
    async fn wait_of(&self, caller: &Caller, email: &str) -> u64 {
        match self.try_as(caller, email, PASSWORD).await {
            Err(LogInError::Throttled(throttled)) => throttled.retry_after.as_secs(),
            other => panic!("not throttled: {other:?}"),
        }
    }

    async fn fails(&self, caller: &Caller, email: &str) {
        let failed = self.try_as(caller, email, "wrong").await;
        assert!(matches!(failed, Err(LogInError::WrongCredentials)), "{failed:?}");
    }
}

#[tokio::test]
async fn five_failures_from_one_address_close_one_account_there_for_five_minutes() {
    let service = Service::ada_behind(ThrottlePolicy::default()).await;
    service.register("eve@example.org").await.unwrap();
    let (here, elsewhere) = (from([203, 0, 113, 7]), from([198, 51, 100, 9]));
    for _ in 0..5 {
        service.fails(&here, ADA).await;
    }
    assert_eq!(service.wait_of(&here, ADA).await, 300);
    service.try_as(&here, "eve@example.org", PASSWORD).await.unwrap();
    service.try_as(&elsewhere, ADA, PASSWORD).await.unwrap();
    assert_eq!(service.wait_of(&here, ADA).await, 300);
    service.advance(Duration::minutes(5) - Duration::SECOND);
    assert_eq!(service.wait_of(&here, ADA).await, 1);
    service.advance(Duration::SECOND);
    service.try_as(&here, ADA, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn those_who_come_from_nowhere_are_no_one_place() {
    let service = Service::ada_behind(ThrottlePolicy::default()).await;
    let nowhere = Caller::visitor(Client::default());
    for _ in 0..10 {
        service.fails(&nowhere, ADA).await;
    }
    assert_eq!(service.wait_of(&nowhere, ADA).await, 1);
    service.advance(Duration::SECOND);
    service.try_as(&nowhere, ADA, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn whoever_is_not_there_is_slowed_down_alike() {
    let service = Service::ada_behind(ThrottlePolicy::default()).await;
    let gone = service.register("gone@example.org").await.unwrap();
    service.admin().set_active(gone, false).await.unwrap();
    for (n, email) in [(1, ADA), (2, "nobody@example.org"), (3, "gone@example.org")] {
        for _ in 0..5 {
            service.fails(&stranger(n), email).await;
        }
        assert_eq!(service.wait_of(&stranger(n), email).await, 300, "{email}");
    }
}

#[tokio::test]
async fn every_spelling_and_every_door_is_one_person() {
    let service = Service::ada_behind(accounts_only()).await;
    let begun = service.try_as(&browser(), ADA, PASSWORD).await.unwrap();
    let who = service.authenticate(&begun.token).await.unwrap();
    service.fails(&browser(), "ada@example.org").await;
    service.fails(&browser(), "ADA@EXAMPLE.ORG").await;
    service.fails(&browser(), "  Ada@Example.org ").await;
    let wrong = service.acting().account(&who).reauthenticate(Credential::Password("wrong")).await;
    assert!(matches!(wrong, Err(ConfirmError::WrongPassword)));
    let wrong = service.acting().account(&who).delete(Some(Credential::Password("wrong"))).await;
    assert!(matches!(wrong, Err(ConfirmError::WrongPassword)));
    let closed =
        service.acting().account(&who).reauthenticate(Credential::Password(PASSWORD)).await;
    assert!(matches!(closed, Err(ConfirmError::Throttled(_))), "{closed:?}");
    assert_eq!(service.wait_of(&browser(), ADA).await, 300);
}

#[tokio::test]
async fn a_success_clears_ones_own_counters_and_not_the_addresses() {
    let service = Service::ada_behind(ThrottlePolicy::default()).await;
    let here = from([203, 0, 113, 7]);
    for round in 0..2 {
        for _ in 0..4 {
            service.fails(&here, ADA).await;
        }
        assert!(service.try_as(&here, ADA, PASSWORD).await.is_ok(), "{round}");
    }
    // There were eight failures from this address. The ninth and the tenth are let in.
    for n in 0..2 {
        service.fails(&here, &format!("nobody{n}@example.org")).await;
    }
    assert_eq!(service.wait_of(&here, ADA).await, 60);
    service.try_as(&from([203, 0, 114, 7]), ADA, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn fifty_people_of_an_office_get_in_within_a_minute() {
    let service = Service::with(config(ThrottlePolicy::default()));
    let office = from([203, 0, 113, 7]);
    for n in 0..50 {
        let email = &format!("user{n}@example.org");
        service
            .auth
            .by(&stranger(n))
            .register(NewUser::new(email, "User", PASSWORD))
            .await
            .unwrap();
        // Some of them mistype their password first.
        if n % 10 == 0 {
            service.fails(&office, email).await;
        }
        service.try_as(&office, email, PASSWORD).await.unwrap();
        service.advance(Duration::SECOND);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_right_passwords_at_the_same_moment_from_one_address_are_all_let_in() {
    let service = Service::with(config(ThrottlePolicy::default()));
    let office = from([203, 0, 113, 7]);
    for n in 0..50 {
        let new = &format!("user{n}@example.org");
        service.auth.by(&stranger(n)).register(NewUser::new(new, "User", PASSWORD)).await.unwrap();
    }
    let tries = (0..50).map(|n| {
        let (auth, office) = (service.auth.clone(), office.clone());
        tokio::spawn(async move {
            let email = &format!("user{n}@example.org");
            auth.by(&office).log_in(LogIn::new(email, PASSWORD)).await.map(complete)
        })
    });
    for tried in tries.collect::<Vec<_>>() {
        tried.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_wrong_passwords_at_the_same_moment_from_one_address_ten_are_let_in() {
    let service = Service::with(config(ThrottlePolicy::default()));
    let office = from([203, 0, 113, 7]);
    let tries = (0..50).map(|n| {
        let (auth, office) = (service.auth.clone(), office.clone());
        tokio::spawn(async move {
            let email = &format!("user{n}@example.org");
            auth.by(&office).log_in(LogIn::new(email, "wrong")).await.map(complete)
        })
    });
    let mut failed = 0;
    for tried in tries.collect::<Vec<_>>() {
        match tried.await.unwrap() {
            Err(LogInError::WrongCredentials) => failed += 1,
            Err(LogInError::Throttled(throttled)) => {
                assert_eq!(throttled.retry_after.as_secs(), 60);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(failed, 10);
}

#[tokio::test]
async fn an_account_has_thirty_tries_a_minute_whatever_comes_of_them() {
    let service = Service::ada_behind(ThrottlePolicy::default()).await;
    service.register("eve@example.org").await.unwrap();
    for n in 0..30 {
        service.try_as(&stranger(n), ADA, PASSWORD).await.unwrap();
    }
    assert_eq!(service.wait_of(&stranger(99), ADA).await, 60);
    service.try_as(&stranger(1), "eve@example.org", PASSWORD).await.unwrap();
    service.advance(Duration::MINUTE);
    service.try_as(&stranger(99), ADA, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn what_was_counted_stays_when_an_account_begins_and_when_it_ends() {
    let service = Service::with(config(ThrottlePolicy::default()));
    for n in 0..10 {
        service.fails(&stranger(n), ADA).await;
    }
    assert_eq!(service.wait_of(&stranger(99), "Ada@Example.org").await, 1);
    let ada = service.register(ADA).await.unwrap();
    assert_eq!(service.wait_of(&stranger(99), ADA).await, 1);
    service.admin().delete(ada).await.unwrap();
    assert_eq!(service.wait_of(&stranger(99), ADA).await, 1);
    service.advance(Duration::SECOND);
    service.fails(&stranger(99), ADA).await;
    assert_eq!(service.wait_of(&stranger(98), ADA).await, 2);
}

#[tokio::test]
async fn a_network_is_one_neighbour_of_many_addresses() {
    let service = Service::ada_behind(ThrottlePolicy::default()).await;
    for n in 0..30 {
        service.fails(&from([203, 0, 113, n]), &format!("nobody{n}@example.org")).await;
    }
    assert_eq!(service.wait_of(&from([203, 0, 113, 200]), ADA).await, 60);
    service.try_as(&from([203, 0, 112, 200]), ADA, PASSWORD).await.unwrap();
    for n in 0..30_u16 {
        let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 1, n, n, n, n);
        service.fails(&from(address), &format!("nobody{n}@example.org")).await;
    }
    let neighbour = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 9, 9, 9, 10);
    assert_eq!(service.wait_of(&from(neighbour), ADA).await, 60);
}

#[tokio::test]
async fn an_account_that_is_tried_from_everywhere_opens_more_and_more_slowly() {
    let service = Service::ada_behind(accounts_only()).await;
    for n in 0..10 {
        service.fails(&stranger(n), ADA).await;
    }
    for (n, wait) in (10..).zip([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]) {
        assert_eq!(service.wait_of(&stranger(n), ADA).await, wait);
        service.advance(Duration::seconds(wait.try_into().unwrap()));
        service.fails(&stranger(n), ADA).await;
    }
}

#[tokio::test]
async fn there_are_no_more_than_a_hundred_failures_in_a_row_and_nobody_is_locked_out_for_good() {
    let policy = accounts_only();
    let service = Service::ada_behind(policy).await;
    for n in 0..100 {
        service.fails(&stranger(n), ADA).await;
        let wait = policy.account.longest;
        service.advance(if n < 99 { wait } else { Duration::ZERO });
    }
    assert_eq!(service.wait_of(&stranger(100), ADA).await, 24 * 60 * 60);
    service.advance(Duration::DAY);
    service.try_as(&stranger(100), ADA, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_known_browser_lets_its_owner_in_while_strangers_are_slowed_down() {
    let service = Service::ada_behind(ThrottlePolicy::default()).await;
    let begun = service.try_as(&browser(), ADA, PASSWORD).await.unwrap();
    let at_home = browser().with_browser(begun.browser_token.clone());
    assert!(at_home.browser.is_some());
    for n in 0..10 {
        service.fails(&stranger(n), ADA).await;
    }
    for _ in 0..5 {
        // Guesses are refused even from her own address.
        let refused = service.try_as(&browser(), ADA, "wrong").await;
        assert!(matches!(refused, Err(LogInError::Throttled(_))));
    }
    let begun = service.try_as(&at_home, ADA, PASSWORD).await.unwrap();
    assert!(begun.browser_token.is_none(), "it is already known");
}

#[tokio::test]
async fn a_known_browser_is_slowed_down_by_itself() {
    let service = Service::ada_behind(ThrottlePolicy::default()).await;
    let begun = service.try_as(&browser(), ADA, PASSWORD).await.unwrap();
    let at_home = browser().with_browser(begun.browser_token);
    for _ in 0..5 {
        service.fails(&at_home, ADA).await;
    }
    assert_eq!(service.wait_of(&at_home, ADA).await, 300);
    service.try_as(&stranger(1), ADA, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn logins_that_leave_no_browser_behind_shut_no_owner_out_of_their_own() {
    let service = Service::ada_behind(accounts_only()).await;
    let begun = service.try_as(&browser(), ADA, PASSWORD).await.unwrap();
    let at_home = browser().with_browser(begun.browser_token);
    let script = async || {
        for _ in 0..25 {
            service.try_as(&browser(), ADA, PASSWORD).await.unwrap();
        }
        service.advance(Duration::MINUTE);
        for n in 0..10 {
            service.fails(&stranger(n), ADA).await;
        }
        assert_eq!(service.wait_of(&stranger(99), ADA).await, 1);
    };
    script().await;
    service.try_as(&at_home, ADA, PASSWORD).await.unwrap();
    // A second browser is used for some pages, and comes back the next day.
    service.advance(Duration::DAY);
    let begun = service.try_as(&browser(), ADA, PASSWORD).await.unwrap();
    let at_work = browser().with_browser(begun.browser_token.clone());
    service.advance(Duration::SECOND);
    service.auth.by(&at_work).authenticate(&begun.token).await.unwrap().unwrap();
    service.auth.jobs().housekeeping().await.unwrap();
    script().await;
    service.try_as(&at_work, ADA, PASSWORD).await.unwrap();
    service.auth.jobs().housekeeping().await.unwrap();
    service.advance(Duration::DAY);
    service.try_as(&at_work, ADA, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn private_windows_shut_no_owner_out_of_the_browser_that_they_use() {
    let service = Service::ada_behind(accounts_only()).await;
    let use_pages = async |known: &Caller, token: &SecretToken| {
        service.auth.by(known).authenticate(token).await.unwrap().unwrap();
        service.auth.jobs().housekeeping().await.unwrap();
    };
    let begun = service.try_as(&browser(), ADA, PASSWORD).await.unwrap();
    let at_home = browser().with_browser(begun.browser_token.clone());
    service.advance(Duration::hours(2));
    let begun = service.try_as(&at_home, ADA, PASSWORD).await.unwrap();
    use_pages(&at_home, &begun.token).await;
    for _ in 0..40 {
        let begun = service.try_as(&browser(), ADA, PASSWORD).await.unwrap();
        let private = browser().with_browser(begun.browser_token.clone());
        service.advance(Duration::minutes(5));
        use_pages(&private, &begun.token).await;
    }
    for n in 0..10 {
        service.fails(&stranger(n), ADA).await;
    }
    service.try_as(&at_home, ADA, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_browser_is_known_to_its_own_user_alone() {
    let service = Service::ada_behind(ThrottlePolicy::default()).await;
    service.register("eve@example.org").await.unwrap();
    let begun = service.try_as(&browser(), "eve@example.org", PASSWORD).await.unwrap();
    let eve = stranger(1).with_browser(begun.browser_token);
    for n in 10..20 {
        service.fails(&stranger(n), ADA).await;
    }
    assert_eq!(service.wait_of(&eve, ADA).await, 1);
    let token = SecretToken::parse(&"A".repeat(SecretToken::CHARS)).unwrap();
    assert_eq!(service.wait_of(&stranger(2).with_browser(Some(token)), ADA).await, 1);
}

#[tokio::test]
async fn a_browser_is_known_until_the_password_changes_or_its_user_logs_out_the_others() {
    let service = Service::ada_behind(accounts_only()).await;
    let one = service.try_as(&browser(), ADA, PASSWORD).await.unwrap();
    let two = service.try_as(&browser(), ADA, PASSWORD).await.unwrap();
    let here = browser().with_browser(one.browser_token);
    let there = browser().with_browser(two.browser_token);
    let sessions = service.auth.by(&here).sessions(one.user.id).asked_in(one.session.id);
    sessions.revoke_all().await.unwrap();
    for n in 0..10 {
        service.fails(&stranger(n), ADA).await;
    }
    assert_eq!(service.wait_of(&there, ADA).await, 1);
    let one = service.try_as(&here, ADA, PASSWORD).await.unwrap();
    service.admin().set_password(&one.user, PASSWORD).await.unwrap();
    let one = service.try_as(&here, ADA, PASSWORD).await.unwrap();
    assert!(one.browser_token.is_some(), "it was no longer known");
}

#[tokio::test]
async fn a_new_password_from_an_administrator_opens_the_account() {
    let service = Service::ada_behind(accounts_only()).await;
    for n in 0..10 {
        service.fails(&stranger(n), ADA).await;
    }
    assert_eq!(service.wait_of(&stranger(99), ADA).await, 1);
    let users = service.auth.users().list(None, 1).await.unwrap();
    service.admin().set_password(&users[0], PASSWORD).await.unwrap();
    service.try_as(&stranger(99), ADA, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_try_that_is_not_let_in_costs_no_hash() {
    let service = Service::ada_behind(ThrottlePolicy::default()).await;
    for _ in 0..5 {
        service.fails(&browser(), ADA).await;
    }
    let before = service.auth.testing().hashes_computed();
    for _ in 0..20 {
        service.wait_of(&browser(), ADA).await;
    }
    assert_eq!(service.auth.testing().hashes_computed(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_tries_at_once_five_are_let_in() {
    let service = Service::ada_behind(ThrottlePolicy::default()).await;
    let before = service.auth.testing().hashes_computed();
    let tries = (0..50).map(|_| {
        let auth = service.auth.clone();
        tokio::spawn(
            async move { auth.by(&browser()).log_in(LogIn::new(ADA, "wrong")).await.map(drop) },
        )
    });
    for tried in tries.collect::<Vec<_>>() {
        assert!(tried.await.unwrap().is_err());
    }
    assert_eq!(service.auth.testing().hashes_computed() - before, 5);
}

#[tokio::test]
async fn a_try_that_found_no_place_before_the_workers_is_not_counted() {
    let mut impatient = config(ThrottlePolicy::default());
    impatient.hashing.max_wait = Wait::ZERO;
    let service = Service::with(impatient);
    let (mut turned_away, mut failed) = (0, 0);
    while turned_away < 20 {
        match service.try_as(&browser(), ADA, "wrong").await {
            Err(LogInError::Overloaded(_)) => turned_away += 1,
            // The worker was free in time.
            Err(LogInError::WrongCredentials) => failed += 1,
            Err(LogInError::Throttled(_)) if failed >= 5 => return,
            other => panic!("after {failed} failures: {other:?}"),
        }
    }
    assert!(failed <= 5, "{failed}");
}

#[tokio::test]
async fn a_site_under_attack_lets_in_whoever_has_not_failed_lately() {
    let mut policy = ThrottlePolicy::default();
    policy.site = Rate { tries: 20, period: Duration::MINUTE };
    let service = Service::ada_behind(policy).await;
    for n in 0..20 {
        service.fails(&stranger(n), &format!("nobody{n}@example.org")).await;
    }
    assert_eq!(service.wait_of(&stranger(3), ADA).await, 60);
    let nowhere = Caller::visitor(Client::default());
    assert_eq!(service.wait_of(&nowhere, ADA).await, 60);
    service.try_as(&stranger(50), ADA, PASSWORD).await.unwrap();
    service.fails(&stranger(50), ADA).await;
    assert_eq!(service.wait_of(&stranger(50), ADA).await, 60);
}

#[tokio::test]
async fn whoever_knows_a_password_cannot_keep_the_workers_busy_with_it() {
    let service = Service::ada_behind(ThrottlePolicy::default()).await;
    let begun = service.try_as(&browser(), ADA, PASSWORD).await.unwrap();
    let at_home = browser().with_browser(begun.browser_token);
    for _ in 0..30 {
        service.try_as(&at_home, ADA, PASSWORD).await.unwrap();
    }
    assert_eq!(service.wait_of(&at_home, ADA).await, 60);
}

#[tokio::test]
async fn an_administrator_opens_an_account_by_enabling_it() {
    let service = Service::ada_behind(accounts_only()).await;
    for n in 0..10 {
        service.fails(&stranger(n), ADA).await;
    }
    assert_eq!(service.wait_of(&stranger(99), ADA).await, 1);
    let users = service.auth.users().list(None, 1).await.unwrap();
    service.admin().set_active(users[0].id, true).await.unwrap();
    service.try_as(&stranger(99), ADA, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn twenty_register_from_one_address_in_a_minute() {
    let service = Service::ada_behind(ThrottlePolicy::default()).await;
    let register = async |n: u32| {
        let email = &format!("user{n}@example.org");
        service.acting().register(NewUser::new(email, "User", PASSWORD)).await
    };
    for n in 1..20 {
        register(n).await.unwrap();
    }
    let refused = register(20).await.unwrap_err();
    assert!(matches!(refused, RegisterError::Throttled(_)), "{refused}");
    service.advance(Duration::MINUTE);
    register(20).await.unwrap();
}

#[tokio::test]
async fn without_a_throttle_everybody_may_guess() {
    let mut config = cheap();
    config.throttle = None;
    let service = Service::with(config);
    service.register(ADA).await.unwrap();
    for _ in 0..120 {
        service.fails(&browser(), ADA).await;
    }
    let begun = service.try_as(&browser(), ADA, PASSWORD).await.unwrap();
    assert!(begun.browser_token.is_none());
}

#[tokio::test]
async fn the_trail_says_once_that_a_door_was_closed() {
    let mut policy = accounts_only();
    policy.account = Backoff { free: 3, ..Backoff::default() };
    let service = Service::ada_behind(policy).await;
    for n in 0..3 {
        service.fails(&stranger(n), ADA).await;
    }
    for n in 3..9 {
        service.wait_of(&stranger(n), ADA).await;
    }
    let kind = Some(AuthEventKind::UserThrottled);
    let filter = AuditFilter { kind, ..AuditFilter::default() };
    let told = service.auth.audit().records(filter, 100).await.unwrap();
    let reasons: Vec<_> = told.iter().map(|record| record.event.reason).collect();
    assert_eq!(reasons, [Some(Reason::Account)]);
}
