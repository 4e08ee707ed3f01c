//! Metrics for Prometheus, served on a port of their own. `docs/metrics.md` lists them.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use countersign_auth::Auth;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use rocket::config::{Config, Ident, LogLevel, Shutdown};
use rocket::error::ErrorKind;
use rocket::fairing::AdHoc;
use rocket::http::{ContentType, Status};
use rocket::{Build, Request, Response, Rocket, State, catch, catchers, get, routes};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;

use super::failure::Failure;
use crate::SqlStore;

/// The labels of a request. The route stands for the path: clients could invent a new path each time
/// and so make metrics without end.
type RequestLabels = [(&'static str, Cow<'static, str>); 3];

/// The upper bounds of the latency histogram, in seconds.
const LATENCY_BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The parameters of the media type that OpenMetrics 1.0 asks for; Prometheus chooses its parser by
/// them.
const MEDIA: [(&str, &str); 2] = [("version", "1.0.0"), ("charset", "utf-8")];

/// How long a count of sessions is reused, so that frequent scrapes do not burden the database.
const COUNT_HOLDS: Duration = Duration::from_secs(10);

/// All metrics of the program.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Requests,
    sessions: Sessions,
}

/// The latency of answers.
#[derive(Clone)]
pub(crate) struct Requests(Family<RequestLabels, Histogram>);

#[derive(Clone, Copy)]
struct Begun(Option<Instant>);

impl Requests {
    /// Starts the clock of a request. Attached first, so that the latency includes everything.
    pub(crate) fn begin() -> AdHoc {
        AdHoc::on_request("Latency, from here", |request, _| {
            request.local_cache(|| Begun(Some(Instant::now())));
            Box::pin(async {})
        })
    }

    /// Stops the clock of a request. Attached last, since a fairing renders the pages.
    pub(crate) fn end(&self) -> AdHoc {
        let requests = self.clone();
        AdHoc::on_response("Latency, to here", move |request, response| {
            requests.count(request, response);
            Box::pin(async {})
        })
    }

    fn count(&self, request: &Request<'_>, response: &Response<'_>) {
        let Begun(Some(begun)) = *request.local_cache(|| Begun(None)) else { return };
        let path = request.route().map(|route| route.uri.path().to_string());
        let labels = [
            ("method", request.method().as_str().into()),
            ("route", path.map_or("unmatched".into(), Cow::Owned)),
            ("status", class(response.status()).into()),
        ];
        self.0.get_or_create(&labels).observe(begun.elapsed().as_secs_f64());
    }
}

fn class(status: Status) -> &'static str {
    match status.code {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

/// The number of live sessions, counted by the database.
struct Sessions {
    registry: Registry,
    live: Gauge,
    /// When the database was asked, and whether it answered.
    counted: Mutex<Option<(Instant, bool)>>,
    auth: Auth,
    database: SqlStore,
    idle: time::Duration,
}

impl Sessions {
    fn new(auth: &Auth, database: &SqlStore, idle: time::Duration) -> Self {
        let (mut registry, live) = (Registry::default(), Gauge::default());
        let help = "Sessions that have not ended";
        registry.register("countersign_sessions_live", help, live.clone());
        let (auth, database) = (auth.clone(), database.clone());
        Self { registry, live, counted: Mutex::default(), auth, database, idle }
    }

    /// Returns the registry with a recent count, or `None` if the database did not answer: no count
    /// is better than an old one.
    async fn count(&self) -> Option<&Registry> {
        let mut counted = self.counted.lock().await;
        let known = counted.filter(|(at, _)| at.elapsed() < COUNT_HOLDS);
        let (_, has_answered) = match known {
            Some(known) => known,
            None => *counted.insert((Instant::now(), self.count_anew().await)),
        };
        has_answered.then_some(&self.registry)
    }

    async fn count_anew(&self) -> bool {
        let now = self.auth.now();
        match self.database.live_sessions(now, now - self.idle).await {
            Ok(live) => {
                self.live.set(i64::try_from(live).unwrap_or(i64::MAX));
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the sessions cannot be counted");
                false
            }
        }
    }
}

impl Metrics {
    /// Registers all metrics; `idle` is how long a session lives without use.
    pub(crate) fn new(auth: &Auth, database: &SqlStore, idle: time::Duration) -> Self {
        let mut registry = Registry::default();
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("countersign_build", "Which version runs", version);
        auth.register_metrics(&mut registry);
        database.register_metrics(&mut registry);
        let requests = Family::new_with_constructor(new_latency as fn() -> Histogram);
        registry.register_with_unit(
            "countersign_http_request_duration",
            "How long an answer took up to its first byte",
            Unit::Seconds,
            requests.clone(),
        );
        let sessions = Sessions::new(auth, database, idle);
        Self { registry, requests: Requests(requests), sessions }
    }

    pub(crate) fn requests(&self) -> Requests {
        self.requests.clone()
    }

    /// Serves the metrics, and nothing else, until the server is stopped.
    pub(crate) async fn serve(
        self,
        address: SocketAddr,
        log_level: LogLevel,
    ) -> Result<Server, Failure> {
        let (ready, is_ready) = oneshot::channel();
        let rocket = self.site(address, log_level, ready);
        let mut task = tokio::spawn(async move { rocket.launch().await.map(drop) });
        let failed = |why: String| {
            Failure::new(format!("metrics_address = \"{address}\": cannot listen there: {why}"))
        };
        tokio::select! {
            Ok(()) = is_ready => Ok(Server(task)),
            ended = &mut task => Err(failed(match ended {
                Ok(Err(error)) => match error.kind() {
                    ErrorKind::Bind(cause) | ErrorKind::Io(cause) => cause.to_string(),
                    other => other.to_string(),
                },
                _ => "the server has ended".to_owned(),
            })),
        }
    }

    fn site(
        self,
        address: SocketAddr,
        log_level: LogLevel,
        ready: oneshot::Sender<()>,
    ) -> Rocket<Build> {
        // The site handles the signals, and stops this server when it has ended.
        let mut shutdown = Shutdown { ctrlc: false, ..Shutdown::default() };
        #[cfg(unix)]
        shutdown.signals.clear();
        let config = Config {
            address: address.ip(),
            port: address.port(),
            workers: 1,
            ident: Ident::none(),
            ip_header: None,
            cli_colors: false,
            // Both servers write to one log, which has one level.
            log_level,
            shutdown,
            ..Config::default()
        };
        let ready = std::sync::Mutex::new(Some(ready));
        let announce = AdHoc::on_liftoff("Ready", move |rocket| {
            let sender = ready.lock().ok().and_then(|mut ready| ready.take());
            let address = SocketAddr::new(rocket.config().address, rocket.config().port);
            tracing::info!(%address, "metrics are served");
            let _nobody_waits = sender.map(|ready| ready.send(()));
            Box::pin(async {})
        });
        rocket::custom(config)
            .manage(self)
            .mount("/", routes![scrape])
            .register("/", catchers![nothing])
            .attach(announce)
    }
}

fn new_latency() -> Histogram {
    Histogram::new(LATENCY_BUCKETS)
}

/// A running server of metrics.
pub(crate) struct Server(JoinHandle<Result<(), rocket::Error>>);

impl Server {
    /// Stops at once: Prometheus repeats a scrape that is lost.
    pub(crate) fn stop(self) {
        self.0.abort();
    }
}

#[get("/metrics")]
async fn scrape(metrics: &State<Metrics>) -> Result<(ContentType, String), Status> {
    let mut text = String::new();
    let written = encode_registry(&mut text, &metrics.registry);
    // After the pool's metrics are encoded, since counting takes a connection itself.
    let sessions = metrics.sessions.count().await;
    written
        .and_then(|()| sessions.map_or(Ok(()), |sessions| encode_registry(&mut text, sessions)))
        .and_then(|()| encode_eof(&mut text))
        .map_err(|_| Status::InternalServerError)?;
    Ok((ContentType::new("application", "openmetrics-text").with_params(MEDIA), text))
}

#[catch(default)]
fn nothing(status: Status, _: &Request<'_>) -> (Status, &'static str) {
    (status, status.reason_lossy())
}
