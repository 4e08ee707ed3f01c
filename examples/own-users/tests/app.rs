//! Tests that the pages and the guards work over the application's own table.

use countersign_web::testing::{Kit, PASSWORD, TestClient};
use own_users::Members;
use rocket::http::ContentType;

#[rocket::async_test]
async fn whoever_registers_gets_a_number() {
    let members = Members::open("sqlite::memory:").await.unwrap();
    let kit = Kit::over(members.clone());
    kit.user("ada").await;
    let client = TestClient::new(own_users::app(kit.auth(), members)).await;
    let response = client.get("/card").dispatch().await;
    assert_eq!(response.headers().get_one("Location"), Some("/login?next=%2Fcard"));

    let password = PASSWORD.replace(' ', "+");
    let form = format!("email=eve@example.org&username=eve&password={password}");
    client.post("/register").header(ContentType::Form).body(form).dispatch().await;
    let form = format!("email=Eve@Example.org&password={password}");
    client.post("/login").header(ContentType::Form).body(form).dispatch().await;
    let card = client.get("/card").dispatch().await.into_string().await;
    assert_eq!(card.as_deref(), Some("eve is member number 2.\n"));
}
