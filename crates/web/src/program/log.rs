use std::io::{IsTerminal, stderr};

use rocket::config::LogLevel;
use tracing_subscriber::EnvFilter;

/// Writes the log to standard error: readable text on a terminal, else one JSON object per line.
///
/// Rocket's own log is off unless the level is debug: it reports every page that is not found and
/// every guard that refuses, and the code that answers a failed request logs it already.
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
        // At debug level, Rocket and hyper would log whole answers with their cookies.
        LogLevel::Debug => "debug,hyper=info,rocket=info,sqlx=info",
    };
    let log =
        tracing_subscriber::fmt().with_env_filter(EnvFilter::new(directives)).with_writer(stderr);
    // A second start changes nothing and is harmless.
    let _ = if stderr().is_terminal() { log.try_init() } else { log.json().try_init() };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, cause = panic.payload_as_str(), "a handler panicked");
    }));
}
