//! Tests of what a user is called: their address, with which they log in, and their name.

use countersign_web::domain::Duration;
use rocket::http::Method;

use crate::support::{EMAIL, OTHER_PASSWORD, PASSWORD, Site};
use crate::views::looks_like;

const NEW: &str = "lovelace@example.org";

#[rocket::async_test]
async fn the_account_leads_to_the_pages_on_which_a_user_is_renamed() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    let account = ada.get("/account").await;
    account.is(200).shows("href=\"/account/email\"").shows("href=\"/account/profile\"");
    looks_like("account", &account);
    looks_like("account-email", ada.get("/account/email").await.is(200));
    looks_like("account-username", ada.get("/account/profile").await.is(200));
    let longest = format!("{}@example.org", "a".repeat(65));
    let wrong = ada.post_form("/account/email", &[("email", &longest)]).await;
    assert!(wrong.is(422).input("email").contains("aria-invalid"), "{}", wrong.text);
    for path in ["/account/email", "/account/profile"] {
        let there = format!("/login?next={}", path.replace('/', "%2F"));
        site.anon().get(path).await.sees_other(&there);
        site.anon().post_form(path, &[("email", NEW)]).await.sees_other("/login");
    }
}

#[rocket::async_test]
async fn a_new_address_counts_at_once_and_the_old_one_no_longer() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    let mut elsewhere = site.logged_in(EMAIL).await;
    let answer = ada.post_form("/account/email", &[("email", "Lovelace@Example.org ")]).await;
    answer.sees_other("/account");
    let account = ada.get("/account").await;
    account.is(200).shows("Your email address has been changed.").shows("Lovelace@");
    // No session ends, and each shows the new address.
    elsewhere.get("/account").await.is(200).shows("Lovelace@").hides(EMAIL);
    elsewhere.get("/account/activity").await.is(200).shows("Email address changed");
    site.anon().log_in(EMAIL, PASSWORD).await.is(401);
    site.anon().log_in(NEW, PASSWORD).await.sees_other("/blogs");
    // The old address is free.
    site.register(EMAIL).await;
    assert_eq!(site.users().await.len(), 2);
}

#[rocket::async_test]
async fn an_address_of_another_user_is_refused_and_changes_nothing() {
    let site = Site::new().await;
    site.register("bob@example.org").await;
    let mut ada = site.ada().await;
    for taken in ["bob@example.org", "BOB@Example.Org"] {
        let answer = ada.post_form("/account/email", &[("email", taken)]).await;
        answer.is(409).shows("Email already present");
        assert!(answer.input("email").contains(taken), "what was typed is kept");
    }
    looks_like(
        "account-email-taken",
        &ada.post_form("/account/email", &[("email", "bob@example.org")]).await,
    );
    for wrong in ["", "ada", "ada@", "a b@example.org"] {
        ada.post_form("/account/email", &[("email", wrong)]).await.is(422);
    }
    ada.get("/account").await.is(200).shows(EMAIL);
    ada.get("/account/activity").await.is(200).hides("Email address changed");
    site.logged_in(EMAIL).await;
}

#[rocket::async_test]
async fn an_address_is_changed_only_in_a_fresh_login_and_a_name_in_any() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    site.clock.advance(Duration::minutes(10));
    ada.get("/account/email").await.sees_other("/reauthenticate?next=%2Faccount%2Femail");
    ada.post_form("/account/email", &[("email", NEW)]).await.is(303);
    assert_eq!(site.user(EMAIL).await.email.as_str(), EMAIL);
    ada.post_form("/account/profile", &[("username", "Lady Lovelace")])
        .await
        .sees_other("/account");
    ada.get("/account").await.is(200).shows("Your username has been changed.");
    ada.get("/blogs").await.is(200).shows("Hi Lady Lovelace");
    ada.get("/account/activity").await.is(200).shows("Username changed");
    let form = [("password", PASSWORD), ("next", "/account/email")];
    ada.post_form("/reauthenticate", &form).await.sees_other("/account/email");
    ada.post_form("/account/email", &[("email", NEW)]).await.sees_other("/account");
}

#[rocket::async_test]
async fn a_name_that_is_not_acceptable_is_refused_and_given_back() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for (wrong, kept) in [("", "value=\"\""), ("a\u{202e}b", "a\u{202e}b")] {
        let answer = ada.post_form("/account/profile", &[("username", wrong)]).await;
        assert!(answer.is(422).input("username").contains(kept), "{}", answer.text);
    }
    ada.get("/blogs").await.is(200).shows("Hi Ada");
    // Two users may have one name.
    site.register("bob@example.org").await;
    ada.post_form("/account/profile", &[("username", "Bob")]).await.sees_other("/account");
}

#[rocket::async_test]
async fn whoever_asks_for_many_addresses_is_slowed_down_as_at_the_registration() {
    let site = Site::new().await;
    site.register("bob@example.org").await;
    let mut ada = site.ada().await.at("203.0.113.9");
    let mut statuses = Vec::new();
    for _ in 0..25 {
        let answer = ada.post_form("/account/email", &[("email", "bob@example.org")]).await;
        statuses.push(answer.status);
    }
    assert_eq!(statuses.first(), Some(&409));
    assert_eq!(statuses.last(), Some(&429));
    // The address that they have costs nothing.
    ada.post_form("/account/email", &[("email", EMAIL)]).await.sees_other("/account");
}

#[rocket::async_test]
async fn whoever_changes_their_address_leaves_the_guesses_at_the_old_one_behind() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    let mut guesser = site.anon().at("203.0.113.9");
    for _ in 0..5 {
        guesser.log_in(EMAIL, OTHER_PASSWORD).await.is(401);
    }
    guesser.log_in(EMAIL, OTHER_PASSWORD).await.is(429);
    ada.post_form("/account/email", &[("email", NEW)]).await.sees_other("/account");
    guesser.log_in(EMAIL, PASSWORD).await.is(429);
    site.anon().log_in(NEW, PASSWORD).await.sees_other("/blogs");
}

#[rocket::async_test]
async fn an_address_that_was_sent_too_late_is_not_typed_again() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    site.clock.advance(Duration::minutes(11));
    let form = "/account/email?email=ada%2Bnew%40example.org";
    let to = format!(
        "/reauthenticate?next={}",
        form.replace('%', "%25").replace('/', "%2F").replace('?', "%3F").replace('=', "%3D")
    );
    ada.post_form("/account/email", &[("email", "ada+new@example.org")]).await.sees_other(&to);
    ada.get(&to).await.is(200).shows("Please reauthenticate to access this page.");
    let proof = [("password", PASSWORD), ("next", form)];
    ada.post_form("/reauthenticate", &proof).await.sees_other(form);
    ada.get(form).await.is(200).shows("value=\"ada+new@example.org\"");
    let ask = ada.ask(Method::Post, "/account/email").form(&[("email", NEW)]);
    ask.send().await.sees_other("/account");
}

#[rocket::async_test]
async fn a_user_changes_what_they_are_called_only_so_often() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    for n in 0..10 {
        let form = [("username", format!("Ada {n}"))];
        let form = form.each_ref().map(|(field, name)| (*field, name.as_str()));
        ada.post_form("/account/profile", &form).await.sees_other("/account");
    }
    ada.post_form("/account/profile", &[("username", "Eve")]).await.is(429);
    // A new address would begin the counters of the account anew.
    ada.post_form("/account/email", &[("email", NEW)]).await.is(429);
    site.clock.advance(Duration::HOUR);
    ada.log_in(EMAIL, PASSWORD).await.sees_other("/blogs");
    ada.post_form("/account/email", &[("email", NEW)]).await.sees_other("/account");
}
