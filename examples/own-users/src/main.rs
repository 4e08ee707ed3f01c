//! Serves the club: `cargo run -p own-users`, then <http://127.0.0.1:8000/card>.
#![expect(clippy::expect_used, reason = "a site that cannot start says why and ends")]

use countersign_web::Auth;
use own_users::Members;
use rocket::launch;

#[launch]
async fn rocket() -> _ {
    let members = Members::open("sqlite://club.db?mode=rwc").await.expect("a database");
    own_users::app(Auth::new(members.clone()), members)
}
