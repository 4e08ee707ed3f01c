//! Tests of forms that are refused: their messages, the values that they keep, and that they have no effect.

use crate::support::{Answer, EMAIL, OTHER_PASSWORD, PASSWORD, Setup, Site, USERNAME};

type Form<'a> = [(&'a str, &'a str); 3];

fn registration<'a>(email: &'a str, username: &'a str, password: &'a str) -> Form<'a> {
    [("email", email), ("username", username), ("password", password)]
}

/// Asserts that the field is marked as invalid and described by this error.
#[track_caller]
fn is_wrong(answer: &Answer, field: &str, why: &str) {
    let tag = answer.input(field);
    assert!(tag.contains("aria-invalid=\"true\""), "{field}: {tag}");
    let described = tag.split("aria-describedby=\"").nth(1).unwrap().split('"').next().unwrap();
    let id = format!("{field}-error");
    assert!(described.split(' ').any(|found| found == id), "{field}: {tag}");
    let error = answer.text.split(&format!("id=\"{id}\">")).nth(1).unwrap();
    let error = error.split("</p>").next().unwrap();
    assert!(error.contains(why), "{field}: {error}");
}

#[track_caller]
fn is_fine(answer: &Answer, field: &str) {
    assert!(!answer.input(field).contains("aria-invalid"), "{field}: {}", answer.input(field));
    answer.hides(&format!("id=\"{field}-error\""));
}

/// Asserts that each id in an `aria-describedby` exists exactly once.
#[track_caller]
fn descriptions_are_there(answer: &Answer) {
    for part in answer.text.split("aria-describedby=\"").skip(1) {
        for id in part.split('"').next().unwrap().split_whitespace() {
            let count = answer.text.matches(&format!("id=\"{id}\"")).count();
            assert_eq!(count, 1, "{}: {id}", answer.what);
        }
    }
}

const SHORT: &str = "cat hat bat";

#[rocket::async_test]
async fn a_registration_is_refused_field_by_field() {
    let site = Site::new().await;
    site.register("taken@example.org").await;
    let cases = [
        (("", USERNAME, PASSWORD), 422, vec![("email", "Enter your email address.")]),
        (("ada", USERNAME, PASSWORD), 422, vec![("email", "name@example.com")]),
        (("ada@host", USERNAME, PASSWORD), 422, vec![("email", "part after the @")]),
        (("a b@example.org", USERNAME, PASSWORD), 422, vec![("email", "part before the @")]),
        (("ad\u{430}@example.org", USERNAME, PASSWORD), 422, vec![("email", "U+0430")]),
        ((EMAIL, "", PASSWORD), 422, vec![("username", "Enter the name")]),
        ((EMAIL, "a\u{202e}da", PASSWORD), 422, vec![("username", "U+202E")]),
        ((EMAIL, USERNAME, ""), 422, vec![("password", "Choose a password.")]),
        ((EMAIL, USERNAME, SHORT), 422, vec![("password", "at least 15 characters")]),
        ((EMAIL, USERNAME, "ada@example.org"), 422, vec![("password", "made of your name")]),
        ((EMAIL, USERNAME, "abcdefghijklmnop"), 422, vec![("password", "alphabet")]),
        ((EMAIL, USERNAME, "tidal\0lantern orbit"), 422, vec![("password", "not text")]),
        ((EMAIL, USERNAME, "tidal\u{fffd}lantern orbit"), 422, vec![("password", "not text")]),
        (
            ("ada", "", SHORT),
            422,
            vec![("email", "@"), ("username", "name"), ("password", "at least 15")],
        ),
        (("taken@example.org", USERNAME, PASSWORD), 409, vec![("email", "Email already present")]),
        (("TAKEN@Example.ORG", USERNAME, PASSWORD), 409, vec![("email", "Email already present")]),
    ];
    for ((email, username, password), status, wrong) in cases {
        let form = registration(email, username, password);
        let answer = site.anon().post_form("/register", &form).await;
        answer.is(status);
        for field in ["email", "username", "password"] {
            match wrong.iter().find(|(name, _)| *name == field) {
                Some((_, why)) => is_wrong(&answer, field, why),
                None => is_fine(&answer, field),
            }
        }
        descriptions_are_there(&answer);
        assert_eq!(answer.set_cookie("session"), None);
        assert_eq!(site.users().await.len(), 1, "{email} {username} {password}");
    }
}

#[rocket::async_test]
async fn a_registration_that_is_refused_keeps_what_was_typed_less_the_password() {
    let site = Site::new().await;
    site.register("taken@example.org").await;
    let typed = "correct horse battery";
    for (email, username, status) in
        [("ada", "Ada Lovelace", 422), (EMAIL, "", 422), ("taken@example.org", "Ada", 409)]
    {
        let form = registration(email, username, typed);
        let answer = site.anon().post_form("/register", &form).await;
        answer.is(status).hides(typed).hides("correct+horse").hides("correct%20horse");
        assert!(answer.input("email").contains(&format!("value=\"{email}\"")));
        assert!(answer.input("username").contains(&format!("value=\"{username}\"")));
        assert!(!answer.input("password").contains("value="), "{}", answer.input("password"));
    }
}

#[rocket::async_test]
async fn a_login_that_cannot_be_anybodys_is_a_422_that_costs_no_hash() {
    let site = Site::new().await;
    let too_long = "a b c d ".repeat(17);
    for (email, password, wrong) in [
        ("", PASSWORD, "email"),
        ("ada", PASSWORD, "email"),
        (EMAIL, "", "password"),
        (EMAIL, &too_long, "password"),
        (EMAIL, "tidal\0lantern orbit", "password"),
        (EMAIL, "tidal\u{fffd}lantern orbit", "password"),
    ] {
        let answer = site.anon().log_in(email, password).await;
        is_wrong(answer.is(422), wrong, "");
        let other = if wrong == "email" { "password" } else { "email" };
        is_fine(&answer, other);
        descriptions_are_there(&answer);
        assert!(answer.input("email").contains(&format!("value=\"{email}\"")));
        assert!(!answer.input("password").contains("value="));
    }
    assert_eq!(site.auth.testing().hashes_computed(), 0);
    // A short password may be an old one, so the login tries it.
    site.anon().log_in(EMAIL, "short").await.is(401);
}

#[rocket::async_test]
async fn a_login_with_wrong_credentials_is_a_401_that_does_not_say_which() {
    let site = Site::new().await;
    site.register(EMAIL).await;
    let answer = site.anon().log_in(EMAIL, OTHER_PASSWORD).await;
    answer.is(401).shows("Invalid email or password.").hides(OTHER_PASSWORD);
    assert_eq!(answer.text.matches("Invalid email or password.").count(), 1);
    is_fine(&answer, "email");
    is_fine(&answer, "password");
    descriptions_are_there(&answer);
    // The field that gets the focus is described by the message, so that a screen reader says both.
    assert!(answer.input("password").contains("form-message"));
    assert!(answer.input("password").contains("autofocus"));
    assert!(answer.input("email").contains(&format!("value=\"{EMAIL}\"")));
    assert_eq!(answer.set_cookie("session"), None);
    assert!(site.sessions(EMAIL).await.is_empty());
}

#[rocket::async_test]
async fn an_email_address_logs_in_in_whatever_spelling() {
    let site = Site::new().await;
    site.register("Ada@B\u{fc}cher.example").await;
    for spelling in
        ["ada@b\u{fc}cher.example", "ADA@xn--bcher-kva.example", " Ada@b\u{fc}cher.EXAMPLE "]
    {
        site.anon().log_in(spelling, PASSWORD).await.sees_other("/blogs");
    }
}

#[rocket::async_test]
async fn a_password_is_taken_as_it_is_typed() {
    let site = Site::new().await;
    let password = " tidal+lantern & orbit=%41 \u{e9}\u{1f600}<b>\" ";
    let form = registration(EMAIL, USERNAME, password);
    site.anon().post_form("/register", &form).await.sees_other("/login");
    site.anon().log_in(EMAIL, password).await.sees_other("/blogs");
    // Another keyboard may produce the same letters in decomposed form.
    let decomposed = password.replace('\u{e9}', "e\u{301}");
    site.anon().log_in(EMAIL, &decomposed).await.sees_other("/blogs");
    for other in [password.trim(), &password.to_uppercase(), &password.replace('+', " ")] {
        site.anon().log_in(EMAIL, other).await.is(401);
    }
}

#[rocket::async_test]
async fn fields_that_the_form_does_not_have_change_nothing() {
    let site = Site::new().await;
    let form = [
        ("email", EMAIL),
        ("username", USERNAME),
        ("password", PASSWORD),
        ("id", "1"),
        ("is_active", "false"),
        ("is_admin", "true"),
        ("password_hash", "$argon2id$"),
    ];
    site.anon().post_form("/register", &form).await.sees_other("/login");
    let user = site.user(EMAIL).await;
    assert!(user.is_active && user.password_hash.is_some());
    let form = [("email", EMAIL), ("password", PASSWORD), ("remember", "on"), ("user_id", "1")];
    site.anon().post_form("/login", &form).await.sees_other("/blogs");
}

#[rocket::async_test]
async fn an_empty_form_is_a_form_with_errors() {
    let site = Site::new().await;
    let answer = site.anon().post_form("/register", &[]).await;
    for field in ["email", "username", "password"] {
        is_wrong(answer.is(422), field, "");
    }
    let answer = site.anon().post_form("/login", &[]).await;
    is_wrong(answer.is(422), "email", "Enter your email address.");
    is_wrong(&answer, "password", "Enter your password.");
}

#[rocket::async_test]
async fn the_focus_is_at_the_first_field_that_needs_attention() {
    let site = Site::new().await;
    for (email, username, password, at) in
        [("ada", "", "", "email"), (EMAIL, "", "", "username"), (EMAIL, USERNAME, "", "password")]
    {
        let form = registration(email, username, password);
        let answer = site.anon().post_form("/register", &form).await;
        for field in ["email", "username", "password"] {
            let has_focus = answer.is(422).input(field).contains("autofocus");
            assert_eq!(has_focus, field == at, "{field} of {form:?}");
        }
    }
}

#[rocket::async_test]
async fn two_registrations_of_one_address_at_once_make_one_account() {
    let site = Setup::default().start().await;
    let tries = (0..8).map(|_| async {
        let form = registration(EMAIL, USERNAME, PASSWORD);
        site.anon().post_form("/register", &form).await.status
    });
    let mut statuses = rocket::futures::future::join_all(tries).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409, 409, 409, 409, 409, 409, 409]);
    assert_eq!(site.users().await.len(), 1);
}

#[rocket::async_test]
async fn labels_and_autocomplete_tokens_are_those_that_password_managers_know() {
    let site = Site::new().await;
    for (path, field, kind, token) in [
        ("/login", "email", "email", "username"),
        ("/login", "password", "password", "current-password"),
        ("/register", "email", "email", "username"),
        ("/register", "username", "text", "nickname"),
        ("/register", "password", "password", "new-password"),
    ] {
        let answer = site.anon().get(path).await;
        let tag = answer.input(field);
        assert!(tag.contains(&format!("type=\"{kind}\"")), "{path}: {tag}");
        assert!(tag.contains(&format!("autocomplete=\"{token}\"")), "{path}: {tag}");
        answer.shows(&format!("<label for=\"{field}\">"));
        descriptions_are_there(&answer);
    }
}
