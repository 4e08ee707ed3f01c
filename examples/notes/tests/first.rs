//! A minimal test of an application.

use countersign_web::Database;
use countersign_web::testing::{Kit, TestClient};
use rocket::http::ContentType;

#[rocket::async_test]
async fn a_note_is_kept() {
    let database = Database::connect("sqlite::memory:").await.unwrap();
    let kit = Kit::over(database.clone());
    let app = notes::app(kit.auth(), database.connection().clone()).await.unwrap();
    let client = TestClient::new(app).await;
    client.log_in(&kit.user("ada").await).await;
    client.post("/notes").header(ContentType::Form).body("text=Water+the+plants").dispatch().await;
    let page = client.get("/notes").dispatch().await.into_string().await.unwrap();
    assert!(page.contains("Water the plants"));
}
