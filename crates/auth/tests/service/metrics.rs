//! Tests of the service's metrics, in an application's own registry.

use countersign_auth::LogIn;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::support::{PASSWORD, Service, browser, waiting};

#[track_caller]
fn assert_says(service: &Service, lines: &[&str]) {
    let mut registry = Registry::with_prefix("shop");
    service.auth.register_metrics(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "{line} is not in {text}");
    }
}

#[tokio::test]
async fn an_application_has_every_login_in_its_own_registry_by_its_outcome() {
    let service = Service::with_ada().await;
    let disabled = service.register("eve@example.org").await.unwrap();
    service.admin().set_active(disabled, false).await.unwrap();
    service.try_log_in("ada@example.org", PASSWORD).await.unwrap();
    service.try_log_in("ada@example.org", "not the password").await.unwrap_err();
    service.try_log_in("bob@example.org", PASSWORD).await.unwrap_err();
    service.try_log_in("eve@example.org", PASSWORD).await.unwrap_err();
    service.try_log_in("no address", PASSWORD).await.unwrap_err();
    assert_says(
        &service,
        &[
            "shop_countersign_logins_total{outcome=\"success\"} 1",
            "shop_countersign_logins_total{outcome=\"wrong_password\"} 1",
            "shop_countersign_logins_total{outcome=\"unknown_user\"} 1",
            "shop_countersign_logins_total{outcome=\"disabled\"} 1",
            "shop_countersign_logins_total{outcome=\"invalid\"} 1",
            "shop_countersign_events_total{kind=\"user_registered\",reason=\"none\"} 2",
            "shop_countersign_events_total{kind=\"user_disabled\",reason=\"none\"} 1",
            // Two of them for registrations. An invalid login costs none.
            "shop_countersign_hashes_total 6",
            "shop_countersign_hash_wait_seconds_count 6",
            "shop_countersign_hash_duration_seconds_count 6",
            "shop_countersign_hash_queue_depth 0",
        ],
    );
}

#[tokio::test]
async fn all_clones_of_a_service_count_together() {
    let service = Service::with_ada().await;
    for auth in [&service.auth, &service.auth.clone()] {
        let attempt = LogIn::new("ada@example.org", PASSWORD);
        auth.by(&browser()).log_in(attempt).await.unwrap();
    }
    assert_says(&service, &["shop_countersign_logins_total{outcome=\"success\"} 2"]);
}

#[tokio::test]
async fn a_login_that_needed_no_password_of_ours_is_a_success_too() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    service.acting().log_in_user(&begun.user, false).await.unwrap().unwrap();
    assert_says(&service, &["shop_countersign_logins_total{outcome=\"success\"} 2"]);
}

#[tokio::test]
async fn a_login_that_waits_for_a_second_factor_is_a_success_when_it_is_complete() {
    let service = Service::new();
    let ada = service.register("ada@example.org").await.unwrap();
    service.auth.testing().require_factor(ada, "271828");
    let acting = service.acting();
    let state = acting.log_in(LogIn::new("ada@example.org", PASSWORD)).await.unwrap();
    let pending = waiting(state);
    let outcome = |outcome, count: u64| {
        format!("shop_countersign_logins_total{{outcome=\"{outcome}\"}} {count}")
    };
    assert_says(&service, &[&outcome("factor_required", 1), &outcome("success", 0)]);
    acting.verify_factor(&pending.token, "314159").await.unwrap_err();
    assert_says(&service, &[&outcome("wrong_code", 1), &outcome("success", 0)]);
    acting.verify_factor(&pending.token, "271828").await.unwrap();
    assert_says(&service, &[&outcome("factor_required", 1), &outcome("success", 1)]);
}
