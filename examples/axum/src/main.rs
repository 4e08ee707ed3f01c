//! Serves <http://127.0.0.1:3000> to users who are logged in to the Rocket site on the same database:
//!
//! ```console
//! $ cargo run -p axum-example -- sqlite://notes.db
//! ```

use std::error::Error;
use std::time::Duration;

use countersign_auth::Auth;
use countersign_persistence::SqlStore;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    #[expect(clippy::disallowed_methods, reason = "a program's configuration begins here")]
    let url = std::env::args().nth(1).or_else(|| std::env::var("DATABASE_URL").ok());
    let url = url.ok_or("usage: axum-example DATABASE_URL")?;
    // The Rocket site creates the database and migrates its schema.
    let auth = Auth::new(SqlStore::connect(&url).await?);
    auth.ready().await?;

    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    let app = axum_example::app(auth.clone());
    let stopped = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    let jobs = auth.jobs();
    let serving = axum::serve(listener, app).with_graceful_shutdown(stopped);
    tokio::select! {
        ended = serving => ended?,
        () = keep_house(&auth) => {}
        // Follows the audit trail, so that a logout at the site soon takes effect here.
        () = jobs.follow() => {}
    }
    Ok(auth.jobs().housekeeping().await?)
}

/// Saves regularly which sessions were used: a session that is used only here would end as idle otherwise.
/// After a failure the next round saves the same sessions again.
async fn keep_house(auth: &Auth) {
    loop {
        tokio::time::sleep(auth.jobs().housekeeping_interval().max(Duration::from_secs(1))).await;
        auth.jobs().housekeeping().await.ok();
    }
}
