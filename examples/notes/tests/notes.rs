//! Tests of what the application promises about its notes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use countersign_web::testing::{Kit, TestClient};
use countersign_web::{Database, domain::User};
use rocket::http::{ContentType, Status};
use time::Duration;

/// The application with two users, and a client that is not logged in.
struct Site {
    kit: Kit,
    client: TestClient,
    ada: User,
    eve: User,
}

impl Site {
    async fn new() -> Self {
        let database = Database::connect("sqlite::memory:").await.unwrap();
        let kit = Kit::over(database.clone());
        let app = notes::app(kit.auth(), database.connection().clone()).await.unwrap();
        let (ada, eve) = (kit.user("ada").await, kit.user("eve").await);
        Self { client: TestClient::new(app).await, kit, ada, eve }
    }

    async fn get(&self, path: &str) -> (Status, String) {
        let response = self.client.get(path).dispatch().await;
        (response.status(), response.into_string().await.unwrap_or_default())
    }

    async fn post(&self, path: &str, body: &str) -> (Status, String) {
        let request = self.client.post(path).header(ContentType::Form).body(body);
        let response = request.dispatch().await;
        (response.status(), response.into_string().await.unwrap_or_default())
    }

    /// Returns the target of the redirect.
    async fn sent_on(&self, path: &str) -> Option<String> {
        let response = self.client.get(path).dispatch().await;
        assert_eq!(response.status(), Status::SeeOther);
        response.headers().get_one("Location").map(str::to_owned)
    }
}

#[rocket::async_test]
async fn everybody_sees_the_home_page() {
    let site = Site::new().await;
    let (status, page) = site.get("/").await;
    assert_eq!(status, Status::Ok);
    assert!(page.contains("Register"), "{page}");
    site.client.log_in(&site.ada).await;
    assert!(site.get("/").await.1.contains("Hi ada"));
    assert_eq!(site.get("/static/notes.css").await.0, Status::Ok);
}

#[rocket::async_test]
async fn a_visitor_is_sent_to_the_login_page_and_comes_back() {
    let site = Site::new().await;
    assert_eq!(site.sent_on("/notes").await.as_deref(), Some("/auth/login?next=%2Fnotes"));
    assert_eq!(site.post("/notes", "text=x").await.0, Status::SeeOther);
    assert_eq!(site.post("/notes/1/delete", "").await.0, Status::SeeOther);
    let password = countersign_web::testing::PASSWORD.replace(' ', "+");
    let form = format!("email=ada@example.org&password={password}&next=%2Fnotes");
    let login = site.client.post("/auth/login").header(ContentType::Form).body(form);
    assert_eq!(login.dispatch().await.headers().get_one("Location"), Some("/notes"));
    assert_eq!(site.get("/notes").await.0, Status::Ok);
}

#[rocket::async_test]
async fn nobody_sees_or_deletes_what_another_wrote() {
    let site = Site::new().await;
    site.client.log_in(&site.eve).await;
    assert_eq!(site.post("/notes", "text=a+secret+of+eve").await.0, Status::SeeOther);
    let (_, page) = site.get("/notes").await;
    assert!(page.contains("a secret of eve"), "{page}");

    site.client.log_in(&site.ada).await;
    assert!(!site.get("/notes").await.1.contains("a secret of eve"));
    assert_eq!(site.post("/notes/1/delete", "").await.0, Status::NotFound);
    assert_eq!(site.post("/notes/2/delete", "").await.0, Status::NotFound);
    assert_eq!(site.post("/notes/clear", "").await.0, Status::SeeOther);

    site.client.log_in(&site.eve).await;
    assert!(site.get("/notes").await.1.contains("a secret of eve"));
    assert_eq!(site.post("/notes/1/delete", "").await.0, Status::SeeOther);
    assert!(!site.get("/notes").await.1.contains("a secret of eve"));
}

#[rocket::async_test]
async fn what_is_written_is_text_and_not_html() {
    let site = Site::new().await;
    site.client.log_in(&site.ada).await;
    site.post("/notes", "text=%3Cscript%3Ealert(1)%3C/script%3E").await;
    let (_, page) = site.get("/notes").await;
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert"), "{page}");
    // The text is escaped in the text area as well.
    let typed = format!("text=%3C/textarea%3E%3Cb%3E{}", "x".repeat(2000));
    let (status, page) = site.post("/notes", &typed).await;
    assert_eq!(status, Status::UnprocessableEntity);
    assert!(page.contains("&lt;b&gt;xxx") && !page.contains("<b>xxx"), "{page}");
}

#[rocket::async_test]
async fn a_note_has_from_1_to_2000_characters() {
    let site = Site::new().await;
    site.client.log_in(&site.ada).await;
    for body in ["text=", "text=+%0D%0A", ""] {
        let (status, page) = site.post("/notes", body).await;
        assert_eq!(status, Status::UnprocessableEntity, "{body}");
        assert!(page.contains("Write something first."), "{page}");
    }
    let (status, page) = site.post("/notes", &format!("text={}", "x".repeat(2001))).await;
    assert_eq!(status, Status::UnprocessableEntity);
    assert!(page.contains("this one has 2001.") && page.contains("xxx</textarea>"), "{page}");
    let four_bytes_each = format!("text={}", "%F0%9F%8C%B1".repeat(2000));
    assert_eq!(site.post("/notes", &four_bytes_each).await.0, Status::SeeOther);
}

#[rocket::async_test]
async fn to_delete_all_notes_takes_a_fresh_login() {
    let site = Site::new().await;
    site.client.log_in(&site.ada).await;
    site.post("/notes", "text=one").await;
    site.post("/notes", "text=two").await;
    site.kit.clock.advance(Duration::minutes(11));
    let asked = site.sent_on("/notes/clear").await;
    assert_eq!(asked.as_deref(), Some("/auth/reauthenticate?next=%2Fnotes%2Fclear"));
    assert_eq!(site.post("/notes/clear", "").await.0, Status::SeeOther);
    assert!(site.get("/notes").await.1.contains("two"), "a stale login deletes nothing");

    site.client.log_in(&site.ada).await;
    assert!(site.get("/notes/clear").await.1.contains("Nobody can bring them back."));
    assert_eq!(site.post("/notes/clear", "").await.0, Status::SeeOther);
    assert!(site.get("/notes").await.1.contains("Nothing here yet."));
}

#[rocket::async_test]
async fn whoever_deletes_their_account_takes_their_notes_along() {
    let site = Site::new().await;
    site.client.log_in(&site.ada).await;
    site.post("/notes", "text=one").await;
    let password = countersign_web::testing::PASSWORD.replace(' ', "+");
    let gone = site.post("/auth/account/delete", &format!("password={password}")).await;
    assert_eq!(gone.0, Status::SeeOther);
    site.client.log_in(&site.eve).await;
    assert_eq!(site.post("/notes/1/delete", "").await.0, Status::NotFound);
}
