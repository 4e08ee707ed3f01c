//! Sentences for people: what is wrong, and what to do.

use countersign_auth::{PasswordAdvice, PasswordWeakness};
use countersign_domain::{
    AuthEventKind, EmailError, OffsetDateTime, PasswordError, Reason, UsernameError,
};
use time::macros::format_description;

pub(crate) const WRONG_CREDENTIALS: &str = "Invalid email or password.";
pub(crate) const WRONG_PASSWORD: &str = "This is not your password.";
pub(crate) const WRONG_CODE: &str = "This code is not valid. Type the newest one.";
pub(crate) const CODE_MISSING: &str = "Enter the code.";
pub(crate) const CURRENT_PASSWORD_MISSING: &str = "Enter your current password.";
pub(crate) const EMAIL_TAKEN: &str = "Email already present";
pub(crate) const INVALID_FIELDS: &str = "Some fields are not acceptable.";
pub(crate) const BUSY: &str = "The site is busy right now. Please try again in a few seconds.";

/// Says when a person who tried too often can try again.
pub(crate) fn too_many_attempts(retry_after: std::time::Duration) -> String {
    format!("Too many attempts. Please try again in {}.", wait(retry_after))
}

/// Says to whoever registers that somebody is logged in already.
pub(crate) fn logged_in_as(name: &str) -> String {
    format!("You are logged in as {name}. Log out first to make another account.")
}

/// Says what is wrong with an email address.
pub(crate) fn email(error: EmailError) -> String {
    match error {
        EmailError::Empty => "Enter your email address.".to_owned(),
        EmailError::TooLong { max, got } => {
            format!("Enter an email address of at most {max} bytes: this one has {got}.")
        }
        EmailError::LocalPartTooLong { max, got } => {
            format!("The part before the @ has {got} characters: at most {max} are possible.")
        }
        EmailError::Malformed => "Enter an email address like name@example.com.".to_owned(),
        EmailError::MalformedLocalPart => {
            "Check the part before the @: it takes letters, digits and signs such as . + - _, \
             and no spaces."
                .to_owned()
        }
        EmailError::MalformedHost => {
            "Check the part after the @: it should look like example.com.".to_owned()
        }
        EmailError::Invisible(c) => {
            format!("Type the address again: it contains a hidden character ({}).", code_point(c))
        }
        EmailError::NotAscii(c) => format!(
            "Check the part before the @: it contains {c} ({}), and only the letters a to z are \
             accepted there.",
            code_point(c)
        ),
        EmailError::LookAlike(c) => format!(
            "Check the part after the @: it contains {c} ({}), which looks like another letter.",
            code_point(c)
        ),
    }
}

/// Says what is wrong with a username.
pub(crate) fn username(error: UsernameError) -> String {
    match error {
        UsernameError::Empty => "Enter the name that others will see.".to_owned(),
        UsernameError::TooLong { max, got } => {
            format!("Use at most {max} characters: this name has {got}.")
        }
        UsernameError::Invisible(c) => {
            format!("Type the name again: it contains a hidden character ({}).", code_point(c))
        }
    }
}

/// Says what is wrong with a password that somebody chooses.
pub(crate) fn new_password(error: PasswordError) -> String {
    match error {
        PasswordError::Empty => "Choose a password.".to_owned(),
        PasswordError::TooShort { min, got } => format!(
            "Use at least {min} characters: this password has {got}. Several words in a row are \
             easy to remember."
        ),
        PasswordError::TooLong { max } => format!("Use at most {max} characters."),
        PasswordError::NotText => {
            "Type the password again: it contains a character that is not text.".to_owned()
        }
        PasswordError::Common => {
            "Choose another password: this is one of the first that attackers try.".to_owned()
        }
        PasswordError::Repetitive => {
            "Choose another password: this one repeats the same thing.".to_owned()
        }
        PasswordError::Sequence => {
            "Choose another password: this one follows the alphabet or the keyboard.".to_owned()
        }
        PasswordError::Personal => {
            "Choose another password: this one is made of your name, your email address or the \
             name of this site."
                .to_owned()
        }
        PasswordError::Breached => {
            "Choose another password: this one was stolen from another site, so attackers try it. \
             If you use it on other sites, change it there too."
                .to_owned()
        }
        _ => "Choose another password.".to_owned(),
    }
}

/// Says why a password that is acceptable is easy to guess.
pub(crate) fn password_advice(advice: PasswordAdvice) -> String {
    // zxcvbn assumes 10,000 guesses a second against slow hashes.
    let span = match 10_f64.powf(advice.guesses_log10 - 4.0) {
        ..60.0 => "a minute",
        ..3_600.0 => "an hour",
        ..86_400.0 => "a day",
        _ => "two weeks",
    };
    let why = match advice.weakness {
        Some(PasswordWeakness::Common) => " Much of it resembles a common password.",
        Some(PasswordWeakness::Word) => " Much of it is one word.",
        Some(PasswordWeakness::Name) => " Much of it is a name.",
        Some(PasswordWeakness::Keyboard) => " Much of it follows the keyboard.",
        Some(PasswordWeakness::Repeat) => " It repeats the same thing.",
        Some(PasswordWeakness::Sequence) => " Much of it counts up or down.",
        Some(PasswordWeakness::Date) => " Much of it is a date.",
        _ => "",
    };
    format!(
        "This password is acceptable, but somebody who steals the database could guess it within \
         {span}.{why} One or two more unrelated words make it strong."
    )
}

/// Says what is wrong with a password that somebody logs in with.
pub(crate) fn password(error: PasswordError) -> String {
    match error {
        PasswordError::Empty => "Enter your password.".to_owned(),
        other => new_password(other),
    }
}

/// Says what happened to somebody's account.
pub(crate) fn event(kind: AuthEventKind, reason: Option<Reason>) -> String {
    let known = match (kind, reason) {
        (AuthEventKind::UserRegistered, _) => "Registered",
        (AuthEventKind::UserLoggedIn, _) => "Logged in",
        (AuthEventKind::UserFactorRequired, _) => "First step of a login: a code was asked for",
        (AuthEventKind::UserLoginFailed, Some(Reason::WrongPassword)) => "Wrong password",
        (AuthEventKind::UserLoginFailed, Some(Reason::WrongCode)) => "Wrong code",
        (AuthEventKind::UserLoginFailed, Some(Reason::Disabled)) => {
            "Attempt to log in while the account was disabled"
        }
        (AuthEventKind::UserLoginFailed, _) => "Failed attempt to log in",
        (AuthEventKind::UserThrottled, _) => "Many failed attempts: further ones were slowed down",
        (AuthEventKind::UserLoggedOut, _) => "Logged out",
        (AuthEventKind::UserLoginConfirmed, _) => "Confirmed who you are",
        (AuthEventKind::UserRemembered, _) => "Came back to a remembered device",
        (AuthEventKind::SessionProtected, _) => "A session was used from another browser",
        (AuthEventKind::RememberedStolen, _) => {
            "A remembered login was used twice, and has been ended"
        }
        (AuthEventKind::PasswordChanged, _) => "Password changed",
        (AuthEventKind::EmailChanged, _) => "Email address changed",
        (AuthEventKind::UsernameChanged, _) => "Username changed",
        (AuthEventKind::SessionsRevoked, _) => "Devices logged out",
        (AuthEventKind::UserEnabled, _) => "Account enabled",
        (AuthEventKind::UserDisabled, _) => "Account disabled",
        (AuthEventKind::UserDeleted, _) => "Account deleted",
        // A newer version wrote it.
        _ => return kind.as_str().replace('_', " "),
    };
    known.to_owned()
}

/// Returns a duration in words, rounded up: "40 seconds", "15 minutes", "24 hours".
pub(crate) fn wait(wait: std::time::Duration) -> String {
    let seconds = wait.as_secs().max(1);
    let (count, unit) = match seconds {
        0..=90 => (seconds, "second"),
        91..=5_400 => (seconds.div_ceil(60), "minute"),
        _ => (seconds.div_ceil(3_600), "hour"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Returns a day in words: "23 November 2026".
pub(crate) fn day(at: OffsetDateTime) -> String {
    let format = format_description!("[day padding:none] [month repr:long] [year]");
    at.format(format).unwrap_or_default()
}

/// Returns a moment in words: "23 November 2026, 10:15 UTC".
pub(crate) fn moment(at: OffsetDateTime) -> String {
    let format =
        format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
    at.format(format).unwrap_or_default()
}

fn code_point(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}
