//! `countersign user` and `countersign session`: accounts and their sessions.

use std::io::{Read, stdin};

use countersign_auth::{
    Auth, Caller, InvalidNewUser, NewUser, PasswordAdvice, RegisterError, SetPasswordError,
};
use countersign_domain::{EmailAddress, Renaming, Session, SessionId, StoreError, User, Username};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::cli::{PasswordSource, SessionVerb, UserVerb, Who};
use super::consent::Consent;
use super::failure::Failure;
use super::output;
use super::service::{find_by_email, with_auth};
use super::settings::Settings;
use crate::render::wording;

/// Runs `countersign user …`.
pub(crate) fn user(verb: UserVerb, settings: &Settings) -> Result<(), Failure> {
    let caller = &Caller::command_line();
    with_auth(settings, async |auth| match verb {
        UserVerb::Create { who, username, password, json } => {
            create(auth, &who, username, password, json).await
        }
        UserVerb::List { json } => list(auth, json).await,
        UserVerb::Show { who, json } => show(&find(auth, &who).await?, json),
        UserVerb::SetPassword { who, password } => {
            let user = find(auth, &who).await?;
            let password = read_password(password)?;
            let set = auth.by(caller).admin().set_password(&user, &password).await;
            advise(set.map_err(explain_password)?);
            done(&user, "has a new password; all of their sessions have ended")
        }
        UserVerb::SetEmail { email, new } => {
            let user = find_by_email(auth, &email).await?;
            let new = parse_email(&new)?;
            rename(auth, &user, Renaming::Email(&new)).await?;
            done(&user, &format!("logs in with {new} from now on"))
        }
        UserVerb::SetUsername { email, new } => {
            let user = find_by_email(auth, &email).await?;
            let new = parse_username(&new)?;
            rename(auth, &user, Renaming::Username(&new)).await?;
            done(&user, &format!("is called {new} from now on"))
        }
        UserVerb::Disable { who } => {
            let user = find(auth, &who).await?;
            let set = auth.by(caller).admin().set_active(user.id, false).await;
            set.map_err(|e| Failure::store(&e))?;
            done(&user, "is disabled; all of their sessions have ended")
        }
        UserVerb::Enable { who } => {
            let user = find(auth, &who).await?;
            let set = auth.by(caller).admin().set_active(user.id, true).await;
            set.map_err(|e| Failure::store(&e))?;
            done(&user, "is enabled")
        }
        UserVerb::Delete { who, yes } => {
            let consent = Consent::of(yes)?;
            let user = find(auth, &who).await?;
            consent.to(&format!("Delete {} and all of their data?", user.email))?;
            let deleted = auth.by(caller).admin().delete(user.id).await;
            deleted.map_err(|e| Failure::store(&e))?;
            done(&user, "is deleted")
        }
    })
}

/// Runs `countersign session …`.
pub(crate) fn session(verb: SessionVerb, settings: &Settings) -> Result<(), Failure> {
    let caller = &Caller::command_line();
    with_auth(settings, async |auth| match verb {
        SessionVerb::List { who, json } => {
            let user = find(auth, &who).await?;
            let sessions = auth.by(caller).sessions(user.id).list().await;
            let sessions = sessions.map_err(|e| Failure::store(&e))?;
            show_sessions(&sessions, json)
        }
        SessionVerb::Revoke { user, all: true, .. } => {
            let user = find_by_email(auth, &user).await?;
            let ended = auth.by(caller).sessions(user.id).revoke_all().await;
            let ended = ended.map_err(|e| Failure::store(&e))?;
            output::say(&format!("{ended} sessions of {} have ended.", user.email))
        }
        SessionVerb::Revoke { user, id, .. } => {
            let user = find_by_email(auth, &user).await?;
            let id = id.as_deref().unwrap_or_default();
            let none = || Failure::new(format!("{} has no session {id:?}", user.email));
            let id = SessionId::parse(id).ok_or_else(none)?;
            let revoked = auth.by(caller).sessions(user.id).revoke(id).await;
            match revoked.map_err(|e| Failure::store(&e))? {
                true => output::say(&format!("Session {id} of {} has ended.", user.email)),
                false => Err(none()),
            }
        }
    })
}

async fn create(
    auth: &Auth,
    who: &Who,
    username: Option<String>,
    password: PasswordSource,
    json: bool,
) -> Result<(), Failure> {
    let email = who.email();
    let local_part = email.split('@').next().unwrap_or_default();
    let username = username.unwrap_or_else(|| local_part.to_owned());
    // Nobody is asked for a password in vain.
    let parsed = parse_email(email)?;
    parse_username(&username)?;
    if auth.users().by_email(&parsed).await.map_err(|e| Failure::store(&e))?.is_some() {
        return Err(taken(email));
    }
    let password = read_password(password)?;
    let new = NewUser::new(email, &username, &password);
    match auth.by(&Caller::command_line()).register(new).await {
        Ok(registered) => {
            advise(registered.advice);
            let user = &registered.user;
            match json {
                true => output::json(&user_json(user)),
                false => done(user, &format!("is registered, with the id {}", user.id)),
            }
        }
        Err(RegisterError::Invalid(InvalidNewUser { email, username, password })) => {
            let email = email.map(|error| format!("email: {}", wording::email(error)));
            let username = username.map(|error| format!("username: {}", wording::username(error)));
            let password = password.map(|e| format!("password: {}", wording::new_password(e)));
            let all = [email, username, password].into_iter().flatten();
            Err(Failure::new(all.collect::<Vec<_>>().join(" ")))
        }
        Err(RegisterError::EmailTaken(_)) => Err(taken(email)),
        Err(RegisterError::Store(error)) => Err(Failure::store(&error)),
        Err(error @ (RegisterError::Overloaded(_) | RegisterError::Throttled(_))) => {
            Err(Failure::new(error))
        }
    }
}

fn parse_email(typed: &str) -> Result<EmailAddress, Failure> {
    let wrong = |error| Failure::new(format!("email: {typed:?}: {}", wording::email(error)));
    EmailAddress::parse(typed).map_err(wrong)
}

fn parse_username(typed: &str) -> Result<Username, Failure> {
    let wrong = |error| Failure::new(format!("username: {typed:?}: {}", wording::username(error)));
    Username::parse(typed).map_err(wrong)
}

fn taken(email: impl std::fmt::Display) -> Failure {
    Failure::new(format!("{email} is taken: another user has this email address"))
}

async fn rename(auth: &Auth, user: &User, to: Renaming<'_>) -> Result<(), Failure> {
    match (auth.by(&Caller::command_line()).admin().rename(user.id, to).await, to) {
        (Ok(true), _) => Ok(()),
        (Ok(false), _) => Err(Failure::new(format!("{} has been deleted", user.email))),
        (Err(StoreError::Taken(_)), Renaming::Email(email)) => Err(taken(email)),
        (Err(error), _) => Err(Failure::store(&error)),
    }
}

async fn list(auth: &Auth, json: bool) -> Result<(), Failure> {
    const PAGE: u32 = 1_000;
    let mut users: Vec<User> = Vec::new();
    loop {
        let after = users.last().map(|user| user.id);
        let page = auth.users().list(after, PAGE).await.map_err(|e| Failure::store(&e))?;
        let is_last = page.len() < PAGE as usize;
        users.extend(page);
        if is_last {
            break;
        }
    }
    if json {
        return output::json(&users.iter().map(user_json).collect());
    }
    let rows: Vec<_> = users
        .iter()
        .map(|user| {
            let state = if user.is_active { "active" } else { "disabled" };
            let created = moment(user.created_at);
            [
                user.id.to_string(),
                user.email.to_string(),
                user.username.to_string(),
                state.to_owned(),
                created,
            ]
        })
        .collect();
    output::table(["ID", "EMAIL", "USERNAME", "STATE", "REGISTERED"], &rows)
}

fn show(user: &User, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(&user_json(user));
    }
    let rows = [
        ("id", user.id.to_string()),
        ("email", user.email.to_string()),
        ("username", user.username.to_string()),
        ("active", user.is_active.to_string()),
        ("password", if user.password_hash.is_some() { "set" } else { "none" }.to_owned()),
        ("created_at", moment(user.created_at)),
        ("updated_at", moment(user.updated_at)),
    ];
    rows.iter().try_for_each(|(name, value)| output::say(&format!("{name:12}{value}")))
}

fn show_sessions(sessions: &[Session], json: bool) -> Result<(), Failure> {
    let address = |s: &Session| s.client.address.map(|address| address.to_string());
    if json {
        let rows = sessions.iter().map(|s| {
            json!({
                "id": s.id.to_string(),
                "address": address(s),
                "user_agent": s.client.user_agent,
                "created_at": moment(s.created_at),
                "last_seen_at": moment(s.last_seen_at),
                "expires_at": moment(s.expires_at),
            })
        });
        return output::json(&rows.collect());
    }
    let rows: Vec<_> = sessions
        .iter()
        .map(|s| {
            let agent = s.client.user_agent.clone().unwrap_or_default();
            let address = address(s).unwrap_or_default();
            [s.id.to_string(), address, moment(s.created_at), moment(s.last_seen_at), agent]
        })
        .collect();
    output::table(["ID", "ADDRESS", "BEGAN", "LAST SEEN", "CLIENT"], &rows)
}

fn user_json(user: &User) -> Value {
    json!({
        "id": user.id.to_string(),
        "email": user.email.as_str(),
        "username": user.username.as_str(),
        "is_active": user.is_active,
        "has_password": user.password_hash.is_some(),
        "created_at": moment(user.created_at),
        "updated_at": moment(user.updated_at),
    })
}

async fn find(auth: &Auth, who: &Who) -> Result<User, Failure> {
    find_by_email(auth, who.email()).await
}

fn done(user: &User, what: &str) -> Result<(), Failure> {
    output::say(&format!("{} {what}.", user.email))
}

/// Notes when a password that was set is easy to guess.
fn advise(advice: Option<PasswordAdvice>) {
    if let Some(advice) = advice {
        output::note(&wording::password_advice(advice));
    }
}

fn explain_password(error: SetPasswordError) -> Failure {
    match error {
        SetPasswordError::Invalid(error) => {
            Failure::new(format!("password: {}", wording::new_password(error)))
        }
        SetPasswordError::Store(error) => Failure::store(&error),
        other => Failure::new(other),
    }
}

/// Reads a password from the terminal, typed twice, or from the first line of standard input; never
/// from an argument, which every user of the machine could read.
fn read_password(source: PasswordSource) -> Result<String, Failure> {
    if source.password_stdin {
        let mut text = String::new();
        // The longest password and a line end.
        let limit = countersign_domain::Password::MAX_BYTES as u64 + 2;
        stdin().take(limit).read_to_string(&mut text).map_err(Failure::new)?;
        return Ok(text.lines().next().unwrap_or_default().to_owned());
    }
    let prompt = |text| {
        rpassword::prompt_password(text).map_err(|error| {
            Failure::new(format!("cannot ask for the password ({error}): use --password-stdin"))
        })
    };
    let password = prompt("Password: ")?;
    if prompt("Repeat the password: ")? != password {
        return Err(Failure::new("the two passwords differ: try again"));
    }
    Ok(password)
}

fn moment(at: OffsetDateTime) -> String {
    let whole_seconds = at.replace_nanosecond(0).unwrap_or(at);
    whole_seconds.format(&Rfc3339).unwrap_or_default()
}
