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
use countersign_auth::{Auth, Caller, LogIn, LoginState, NewUser, RegisterError};
use countersign_persistence::SqlStore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(email)) = (arguments.next(), arguments.next()) else {
        return Err("usage: cli DATABASE_URL EMAIL < PASSWORD".into());
    };
    let password = stdin().lock().lines().next().transpose()?.unwrap_or_default();

    let database = SqlStore::connect(&url).await?;
    countersign_migration::up(database.connection()).await?;
    let auth = Auth::new(database);

    let caller = Caller::visitor(Client::new(None, Some("countersign cli example")));
    let acting = auth.by(&caller);
    match acting.register(NewUser::new(&email, &email, &password)).await {
        Ok(registered) => println!("registered {}", registered.user.email),
        Err(RegisterError::EmailTaken(_)) => println!("{email} is already registered"),
        Err(error) => return Err(error.into()),
    }

    let state = acting.log_in(LogIn::new(&email, &password)).await?;
    let LoginState::Complete(begun) = state else {
        return Err("this account needs more than a password".into());
    };
    println!("logged in as {}", begun.user.username);

    let known = acting.authenticate(&begun.token).await?.ok_or("the session is not valid")?;
    println!("session {} is valid until {}", known.session.id, known.session.expires_at);

    acting.log_out(&known.session).await?;
    println!("logged out");
    Ok(())
}
