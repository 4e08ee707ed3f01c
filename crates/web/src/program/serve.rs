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
use crate::{AuthPages, Tables, site_routes};

/// What a site on the internet lacks that no proxy stands before.
const BARE: &str = "public_url is https and trusted_proxies is empty: this program has no TLS of \
     its own, no timeout for headers or bodies, and no limit on connections. Put a proxy in front \
     that has them, and its address into trusted_proxies: docs/behind-a-proxy.md";

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
            tracing::warn!("throttle.enabled = false: nobody who guesses passwords is slowed down");
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
            // It was told to stop and has: whoever was still connected after the grace was cut off.
            Err(error) if matches!(error.kind(), ErrorKind::Shutdown(_, None)) => Ok(()),
            Err(error) => Err(explain(&error, settings)),
        }
    })
}

/// Serves the site and, where they are asked for, the metrics beside it, for as long as the site.
async fn launch(
    settings: &Settings,
    auth: Auth,
    database: &Tables,
    waiting: Option<Waiting>,
) -> Result<Result<Rocket<Ignite>, rocket::Error>, Failure> {
    let Some(address) = settings.own.metrics_address else {
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
    let own = &settings.own;
    let mut pages = AuthPages::at("/", auth)
        .trusted_proxies(own.trusted_proxies.iter().copied())
        .registration(settings.registration())
        .login_redirect(&own.login_redirect)
        .logout_redirect(&own.logout_redirect)
        .members_page("/blogs");
    if let Some(url) = &settings.configured_url {
        pages = pages.public_url(url.clone());
    }
    if let Some(folder) = &settings.template_dir {
        templates::check(folder).map_err(Failure::new)?;
        pages = pages.overrides(folder);
    }
    // That folder holds templates that stand for ours; Rocket is to load none by itself.
    let figment = settings.figment.clone().merge(("template_dir", ""));
    // Every answer says what Rocket's shield would say, and more, by ours.
    let rocket = rocket::custom(figment).attach(Shield::new());
    let rocket = match requests {
        Some(requests) => rocket.attach(Requests::begin()).attach(pages).attach(requests.end()),
        None => rocket.attach(pages),
    };
    Ok(rocket.mount("/", site_routes()))
}

/// The one line that says where to point a browser, and before it what to know of this build.
fn announce(waiting: Option<Waiting>) -> AdHoc {
    AdHoc::on_liftoff("Address", |rocket| {
        Box::pin(async move {
            #[cfg(unix)]
            stop_when_told(rocket.shutdown());
            // Not before: a start that fails says why, and nothing else.
            if cfg!(feature = "argon2-simd") {
                tracing::warn!("argon2-simd: what hashes passwords here is not audited yet");
            }
            let config = rocket.config();
            let address = std::net::SocketAddr::new(config.address, config.port);
            let is_ready = format!("Countersign is ready at http://{address}");
            // Whoever started the program and closed its output knows already.
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

/// Rocket listens for signals only after it has announced itself; who is told to stop in between
/// would end with work undone.
#[cfg(unix)]
fn stop_when_told(shutdown: rocket::Shutdown) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::spawn(async move {
        if terminate.recv().await.is_some() {
            shutdown.notify();
        }
    });
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
