//! Tests of the service's metrics, in an application's own registry.

use countersign_auth::LogIn;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::support::{PASSWORD, Service, admin, browser};

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
    service.auth.by(&admin()).admin().set_active(disabled, false).await.unwrap();
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
    service.auth.by(&browser()).log_in_user(&begun.user, false).await.unwrap().unwrap();
    assert_says(&service, &["shop_countersign_logins_total{outcome=\"success\"} 2"]);
}
