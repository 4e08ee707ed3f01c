//! Tests of new passwords: which ones are refused, and which ones cause a warning because they are weak.

use countersign_web::auth::BreachFile;
use countersign_web::auth::Caller;
use tempfile::TempDir;

use crate::support::{Answer, EMAIL, OTHER_PASSWORD, PASSWORD, Setup, Site, USERNAME};

const WEAK: &str = "london london 2026";
const ADVICE: &str = "steals the database could guess it within an hour. It repeats the same";
const STOLEN: &str = "Choose another password: this one was stolen from another site";

/// The output of `printf 'copper window seven gulls' | sha1sum`, for the other password, and of the same for
/// "ﬁne copper window 7" as typed, and for "zebra film orbit 41".
const BREACHED: &str = "1AA3FA26AF43FB70DAE7EB8FC4CABC39172CADAA:1\r\n\
                        75049CC5D966B0BECED4855B93B00B2E076FB4F9:31\r\n\
                        B2D9A1CFDE98B14F612CDC1FB205EACAD880316D:4\r\n";

async fn register(site: &Site, email: &str, password: &str) -> Answer {
    let form = [("email", email), ("username", USERNAME), ("password", password)];
    site.anon().post_form("/register", &form).await
}

/// Starts a site with a file of stolen passwords.
async fn guarded() -> (Site, TempDir) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("breached.txt");
    std::fs::write(&path, BREACHED).unwrap();
    let site = Setup::default().breach_file(BreachFile::open(path).unwrap()).start().await;
    (site, folder)
}

#[rocket::async_test]
async fn whoever_registers_with_a_weak_password_is_told_and_not_refused() {
    let site = Site::new().await;
    for (email, password, is_weak) in [(EMAIL, WEAK, true), ("grace@example.org", PASSWORD, false)]
    {
        let mut visitor = site.anon();
        let form = [("email", email), ("username", USERNAME), ("password", password)];
        visitor.post_form("/register", &form).await.sees_other("/login");
        let page = visitor.get("/login").await;
        page.is(200).shows("Your account is ready. Please log in.");
        assert_eq!(page.text.contains("Your password is easy to guess"), is_weak, "{password}");
        visitor.log_in(email, password).await.sees_other("/blogs");
    }
}

#[rocket::async_test]
async fn a_form_that_comes_back_says_that_its_password_is_weak() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let page = register(&site, EMAIL, WEAK).await;
    page.is(409).shows(ADVICE).hides("id=\"password-error\"").hides(WEAK);
    assert!(page.input("password").contains("aria-describedby=\"password-hint\""));
    register(&site, EMAIL, PASSWORD).await.is(409).hides("steals the database");
    // A password that is refused, and a form with other errors, get no warning about weakness.
    for password in [WEAK, "short", "password standard", "123456789012345"] {
        register(&site, "ada", password).await.is(422).hides("steals the database");
    }
}

#[rocket::async_test]
async fn whoever_changes_to_a_weak_password_is_told_and_not_refused() {
    let site = Site::new().await;
    let mut ada = site.ada().await;
    let form = [("current_password", OTHER_PASSWORD), ("password", WEAK)];
    ada.post_form("/account/password", &form).await.is(401).shows(ADVICE).hides(WEAK);
    let form = [("current_password", PASSWORD), ("password", WEAK)];
    ada.post_form("/account/password", &form).await.sees_other("/account");
    let page = ada.get("/account").await;
    page.is(200).shows("Your password has been changed.").shows("The new one is easy to guess");
    site.anon().log_in(EMAIL, WEAK).await.sees_other("/blogs");
}

#[rocket::async_test]
async fn a_stolen_password_is_refused_with_the_reason_as_typed_and_as_normalised() {
    let (site, _folder) = guarded().await;
    for password in [OTHER_PASSWORD, "ﬁne copper window 7", "zebra ﬁlm orbit 41"] {
        register(&site, EMAIL, password).await.is(422).shows(STOLEN).hides(password);
    }
    assert!(site.users().await.is_empty());
    let mut ada = site.ada().await;
    let form = [("current_password", PASSWORD), ("password", OTHER_PASSWORD)];
    ada.post_form("/account/password", &form).await.is(422).shows(STOLEN);
    let user = site.user(EMAIL).await;
    assert!(
        site.auth
            .by(&Caller::administrator())
            .admin()
            .set_password(&user, OTHER_PASSWORD)
            .await
            .is_err()
    );
    site.logged_in(EMAIL).await;
    // Without the file, the password is accepted.
    register(&Site::new().await, EMAIL, OTHER_PASSWORD).await.sees_other("/login");
}

#[rocket::async_test]
async fn where_the_file_of_stolen_passwords_cannot_say_none_is_set_and_logins_go_on() {
    let (site, folder) = guarded().await;
    let mut ada = site.ada().await;
    let change = [("current_password", PASSWORD), ("password", "tidal zebra orbit 41")];
    for damage in ["", "no hashes in here\n"] {
        std::fs::write(folder.path().join("breached.txt"), damage).unwrap();
        register(&site, "grace@example.org", PASSWORD).await.is(503).has("Retry-After", "5");
        ada.post_form("/account/password", &change).await.is(503);
        // The policy still refuses other passwords.
        register(&site, "grace@example.org", "short").await.is(422);
    }
    folder.close().unwrap();
    ada.post_form("/account/password", &change).await.is(503);
    assert_eq!(site.users().await.len(), 1);
    site.logged_in(EMAIL).await;
}
