//! Serves the notes: `cargo run -p notes`, then <http://127.0.0.1:8000>.
#![expect(clippy::expect_used, reason = "a site that cannot start says why and ends")]

use countersign_web::{Auth, Database};
use rocket::launch;

#[launch]
async fn rocket() -> _ {
    let database = Database::connect("sqlite://notes.db?mode=rwc").await.expect("a database");
    let db = database.connection().clone();
    notes::app(Auth::new(database), db).await.expect("the table of notes")
}
