use std::io::{IsTerminal, stderr};

use rocket::config::LogLevel;
use tracing_subscriber::EnvFilter;

/// Writes the log to standard error: for a person where that is a terminal, else a JSON object a
/// line. Rocket tells of every page that is not found and every guard that refuses; what is worth telling of a failed request is
/// told where it is answered.
pub(crate) fn start(level: LogLevel) {
    let directives = match level {
        LogLevel::Off => "off",
        LogLevel::Critical => {
            "warn,rocket=off,rocket_dyn_templates=error,countersign_web::pages=error"
        }
        LogLevel::Normal => {
            "warn,countersign_web=info,countersign_auth=info,countersign_persistence=info,\
             rocket=off,rocket_dyn_templates=error,countersign_web::pages=error"
        }
        // Rocket and hyper would write down whole answers, with the cookies in them.
        LogLevel::Debug => "debug,hyper=info,rocket=info,sqlx=info",
    };
    let log =
        tracing_subscriber::fmt().with_env_filter(EnvFilter::new(directives)).with_writer(stderr);
    // A second start is a mistake that harms nobody.
    let _ = if stderr().is_terminal() { log.try_init() } else { log.json().try_init() };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, cause = panic.payload_as_str(), "a handler panicked");
    }));
}
