//! Tests that too many logins at once are answered 503, with a time to try again.

use std::time::Duration;

use countersign_web::auth::HashingConfig;
use rocket::futures::future::join_all;
use rocket::http::Method;

use crate::support::{EMAIL, PASSWORD, Setup, Site, USERNAME};

/// Starts a site with one slow hashing worker and one place in its queue.
async fn narrow_site() -> Site {
    let mut hashing = HashingConfig::default();
    (hashing.memory_kib, hashing.iterations, hashing.parallelism) = (48 * 1024, 2, 1);
    (hashing.workers, hashing.queue) = (1, 1);
    hashing.max_wait = Duration::from_secs(30);
    Setup::default().hashing(hashing).unthrottled().start().await
}

#[rocket::async_test]
async fn who_finds_the_queue_full_gets_the_form_again_and_is_told_when_to_come_back() {
    let site = narrow_site().await;
    site.register(EMAIL).await;
    let form = [("email", EMAIL), ("password", PASSWORD), ("next", "/")];
    let tries = (0..12).map(|_| async { site.anon().post_form("/login", &form).await });
    let answers = join_all(tries).await;
    let (served, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status == 303);
    assert!(!served.is_empty() && !refused.is_empty(), "{} of 12 served", served.len());
    for answer in refused {
        answer.is(503).shows("The site is busy right now.").hides(PASSWORD);
        let wait = answer.header("Retry-After").unwrap().parse::<u64>().unwrap();
        assert!(wait >= 1);
        assert!(answer.input("email").contains(EMAIL));
        answer.shows("<input type=\"hidden\" name=\"next\" value=\"/\">");
        assert_eq!(answer.all("Set-Cookie").count(), 0);
    }
    assert_eq!(site.sessions(EMAIL).await.len(), served.len());
    // Logins work again after the overload.
    site.anon().log_in(EMAIL, PASSWORD).await.sees_other("/blogs");
}

#[rocket::async_test]
async fn a_registration_that_finds_the_queue_full_stores_nothing() {
    let site = narrow_site().await;
    let tries = (0..12).map(|n| {
        let site = &site;
        async move {
            let email = format!("user{n}@example.org");
            let form = [("email", &*email), ("username", USERNAME), ("password", PASSWORD)];
            site.anon().post_form("/register", &form).await.status
        }
    });
    let statuses = join_all(tries).await;
    let served = statuses.iter().filter(|status| **status == 303).count();
    assert!(served > 0 && statuses.contains(&503), "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 303 | 503)), "{statuses:?}");
    assert_eq!(site.users().await.len(), served);
}

#[rocket::async_test]
async fn pages_are_served_while_logins_queue() {
    let site = narrow_site().await;
    let mut ada = site.ada().await;
    let logins = join_all((0..6).map(|_| async {
        let mut visitor = site.anon();
        let form = [("email", EMAIL), ("password", PASSWORD)];
        let ask = visitor.ask(Method::Post, "/login").form(&form);
        ask.header("Accept", "application/json").send().await.status
    }));
    let pages = async {
        for _ in 0..20 {
            ada.get("/blogs").await.is(200);
        }
    };
    let (statuses, ()) = rocket::futures::future::join(logins, pages).await;
    assert!(statuses.contains(&503), "{statuses:?}");
}
