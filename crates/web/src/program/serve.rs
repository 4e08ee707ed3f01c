use std::error::Error;

use countersign_auth::Auth;
use countersign_domain::Store;
use rocket::error::ErrorKind;
use rocket::fairing::AdHoc;
use rocket::shield::Shield;
use rocket::{Build, Ignite, Rocket};

use super::failure::Failure;
use super::metrics::{Metrics, Requests};
use super::settings::Settings;
use super::waiting::{Opened, Waiting, open};
use super::{log, output};
use crate::render::templates;
use crate::{AuthPages, SqlStore, site_routes};

/// The warning for a site on the internet that has no proxy in front of it.
const BARE: &str = "public_url is https and trusted_proxies is empty: this program has no TLS of \
     its own, no timeout for headers or bodies, and no limit on connections. Put a proxy that has \
     them in front, and add its address to trusted_proxies: docs/behind-a-proxy.md";

/// Brings the database up to date, then serves until told to stop.
pub(crate) fn serve(settings: &Settings) -> Result<(), Failure> {
    log::start(settings.rocket.log_level);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(settings.rocket.workers)
        .max_blocking_threads(settings.rocket.max_blocking)
        .thread_name("countersign")
        .enable_all()
        .build()
        .map_err(Failure::new)?;
    runtime.block_on(async {
        let Opened { database, waiting } =
            open(settings.database_url()).await.map_err(Failure::new)?;
        let config = settings.auth();
        if config.throttle.is_none() {
            tracing::warn!("throttle.enabled = false: password guesses are not slowed down");
        }
        if settings.is_bare() {
            tracing::warn!("{BARE}");
        }
        let auth = Auth::with(database.clone(), database.clock(), config).map_err(Failure::new)?;
        let launched = launch(settings, auth, &database, waiting.clone()).await;
        database.close().await;
        if let Some(failure) = waiting.and_then(Waiting::failure) {
            return Err(failure);
        }
        match launched? {
            Ok(_) => Ok(()),
            // The site was told to stop and has stopped; connections that outlived the grace period
            // were cut off.
            Err(error) if matches!(error.kind(), ErrorKind::Shutdown(_, None)) => Ok(()),
            Err(error) => Err(explain(&error, settings)),
        }
    })
}

/// Serves the site and, if they are configured, the metrics beside it. Both end together.
async fn launch(
    settings: &Settings,
    auth: Auth,
    database: &SqlStore,
    waiting: Option<Waiting>,
) -> Result<Result<Rocket<Ignite>, rocket::Error>, Failure> {
    let Some(address) = settings.keys.metrics_address else {
        return Ok(site(settings, auth, None)?.attach(announce(waiting)).launch().await);
    };
    let metrics = Metrics::new(&auth, database, settings.auth().sessions.lifetimes.idle);
    let site = site(settings, auth, Some(metrics.requests()))?;
    let server = metrics.serve(address, settings.rocket.log_level).await?;
    let launched = site.attach(announce(waiting)).launch().await;
    server.stop();
    Ok(launched)
}

fn site(
    settings: &Settings,
    auth: Auth,
    requests: Option<Requests>,
) -> Result<Rocket<Build>, Failure> {
    let keys = &settings.keys;
    let mut pages = AuthPages::at("/", auth)
        .trusted_proxies(keys.trusted_proxies.iter().copied())
        .registration(keys.registration)
        .hsts(keys.hsts.header())
        .index(keys.site.index)
        .login_redirect(&keys.login_redirect)
        .logout_redirect(&keys.logout_redirect)
        .members_page("/blogs");
    if let Some(url) = &settings.configured_url {
        pages = pages.public_url(url.clone());
    }
    if let Some(folder) = &settings.template_dir {
        templates::check(folder).map_err(Failure::new)?;
        pages = pages.overrides(folder);
    }
    // The folder overrides templates of ours; Rocket must not load it by itself.
    let figment = settings.figment.clone().merge(("template_dir", ""));
    // Our fairing sends the headers of Rocket's shield and more, so the shield is empty.
    let rocket = rocket::custom(figment).attach(Shield::new());
    let rocket = match requests {
        Some(requests) => rocket.attach(Requests::begin()).attach(pages).attach(requests.end()),
        None => rocket.attach(pages),
    };
    Ok(rocket.mount("/", site_routes()))
}

/// Prints the line that names the site's address, and first logs a warning about this build.
fn announce(waiting: Option<Waiting>) -> AdHoc {
    AdHoc::on_liftoff("Address", |rocket| {
        Box::pin(async move {
            #[cfg(unix)]
            stop_when_told(&rocket.shutdown());
            // Only now: a start that fails reports its reason and nothing else.
            if cfg!(feature = "argon2-simd") {
                tracing::warn!(
                    "argon2-simd: the crate that hashes passwords in this build is not audited yet"
                );
            }
            let config = rocket.config();
            let address = std::net::SocketAddr::new(config.address, config.port);
            let is_ready = format!("Countersign is ready at http://{address}");
            // Whoever closed the output does not need the line.
            let Some(waiting) = waiting else {
                let _ = output::say(&is_ready);
                return;
            };
            let _ = output::say(&format!("Countersign waits for its database at http://{address}"));
            let shutdown = rocket.shutdown();
            tokio::spawn(async move {
                match waiting.end().await {
                    true => drop(output::say(&is_ready)),
                    false => shutdown.notify(),
                }
            });
        })
    })
}

/// Listens for the signal to terminate, and for the one that a terminal sends when it is closed. Rocket
/// listens only after it has announced itself, and never for the second; either would end the process
/// without a shutdown.
#[cfg(unix)]
fn stop_when_told(shutdown: &rocket::Shutdown) {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = match hangup_is_ignored() {
        true => &[SignalKind::terminate()][..],
        false => &[SignalKind::terminate(), SignalKind::hangup()],
    };
    for kind in signals {
        let (Ok(mut told), shutdown) = (signal(*kind), shutdown.clone()) else { continue };
        tokio::spawn(async move {
            if told.recv().await.is_some() {
                shutdown.notify();
            }
        });
    }
}

/// Returns whether the program was started to outlive its terminal, as `nohup` does. Only Linux says so.
#[cfg(unix)]
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 == 1)
}

fn explain(error: &rocket::Error, settings: &Settings) -> Failure {
    let address = std::net::SocketAddr::new(settings.rocket.address, settings.rocket.port);
    match error.kind() {
        ErrorKind::Bind(cause) | ErrorKind::Io(cause) => {
            Failure::new(format!("cannot listen on {address}: {cause}"))
        }
        other => {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            Failure::new(format!("the site could not be started: {other} {cause}"))
        }
    }
}
