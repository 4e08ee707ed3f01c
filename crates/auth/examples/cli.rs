//! Registers and logs in on the command line, without a web framework.
//!
//! ```console
//! $ cargo run -p countersign-auth --example cli -- sqlite://example.db?mode=rwc ada@example.org
//! ```
//!
//! The password is the first line of standard input. The example registers the user if necessary.
#![expect(clippy::print_stdout, reason = "this is a program for a terminal")]

use std::error::Error;
use std::io::{BufRead, stdin};

use countersign_auth::domain::Client;
use countersign_auth::{Auth, Caller, LogIn, Login, RegisterError, Registration};
use countersign_persistence::Database;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(email)) = (arguments.next(), arguments.next()) else {
        return Err("usage: cli DATABASE_URL EMAIL < PASSWORD".into());
    };
    let password = stdin().lock().lines().next().transpose()?.unwrap_or_default();

    let database = Database::connect(&url).await?;
    countersign_migration::up(database.connection()).await?;
    let auth = Auth::new(database);

    let caller = &Caller::visitor(Client::new(None, Some("countersign cli example")));
    let registration =
        Registration { email: &email, username: &email, password: &password, caller };
    match auth.register(registration).await {
        Ok(user) => println!("registered {}", user.email),
        Err(RegisterError::EmailTaken) => println!("{email} is already registered"),
        Err(error) => return Err(error.into()),
    }

    let attempt = LogIn { email: &email, password: &password, caller, remember: false };
    let Login::Complete(begun) = auth.log_in(attempt).await? else {
        return Err("this account needs more than a password".into());
    };
    println!("logged in as {}", begun.user.username);

    let known = auth.authenticate(&begun.token, caller).await?.ok_or("the session is not valid")?;
    println!("session {} is valid until {}", known.session.id, known.session.expires_at);

    auth.log_out(&known.session, caller).await?;
    println!("logged out");
    Ok(())
}
