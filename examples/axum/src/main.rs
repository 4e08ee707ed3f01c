//! Serves <http://127.0.0.1:3000> to whoever is logged in to the Rocket site on the same database:
//!
//! ```console
//! $ cargo run -p axum-example -- sqlite://notes.db
//! ```

use std::error::Error;
use std::time::Duration;

use countersign_auth::Auth;
use countersign_persistence::Database;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    #[expect(clippy::disallowed_methods, reason = "a program's configuration begins here")]
    let url = std::env::args().nth(1).or_else(|| std::env::var("DATABASE_URL").ok());
    let url = url.ok_or("usage: axum-example DATABASE_URL")?;
    // The Rocket site makes the database and brings its schema up to date.
    let auth = Auth::new(Database::connect(&url).await?);
    auth.ready().await?;

    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    let app = axum_example::app(auth.clone());
    let stopped = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    let serving = axum::serve(listener, app).with_graceful_shutdown(stopped);
    tokio::select! {
        ended = serving => ended?,
        () = keep_house(&auth) => {}
        // What the site does, such as a logout, is known here soon.
        () = auth.follow() => {}
    }
    Ok(auth.housekeeping().await?)
}

/// Writes down every minute which sessions were used, or those that are used here alone would end as
/// idle. What fails is made up for the next time.
async fn keep_house(auth: &Auth) {
    loop {
        tokio::time::sleep(auth.housekeeping_interval().max(Duration::from_secs(1))).await;
        auth.housekeeping().await.ok();
    }
}
