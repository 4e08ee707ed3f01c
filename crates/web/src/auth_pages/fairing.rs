//! What attaching does to an application.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, PoisonError};

use countersign_auth::Auth;
use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::figment::providers::Serialized;
use rocket::{Build, Catcher, Data, Orbit, Request, Response, Rocket, async_trait};
use tempfile::TempDir;
use url::Url;

use super::AuthPages;
use crate::answer::catcher::Catch;
use crate::answer::cookies;
use crate::answer::headers::SecurityHeaders;
use crate::guards::mounts;
use crate::pages;
use crate::render::assets::Assets;
use crate::render::site_view::SiteView;
use crate::render::template;
use crate::render::templates::Templates;
use crate::request::cookies::CookieNames;
use crate::request::{cross_site, request_id};
use crate::site::{Paths, Registration, Shared, Site};

impl AuthPages {
    fn shared(&self, public_url: &Url) -> std::io::Result<Shared> {
        let is_secure = Shared::is_secure(public_url);
        let assets = Assets::load()?;
        let paths = self.paths();
        let words = &mut *self.words.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Shared {
            auth: self.auth.clone(),
            registration: self.registration,
            trusted_proxies: self.trusted_proxies.clone(),
            cookies: CookieNames::new(is_secure),
            headers: SecurityHeaders::new(&assets.js.integrity, is_secure.then_some(&self.hsts)),
            origin: match public_url.port() {
                Some(0) => OnceLock::new(),
                _ => public_url.origin().ascii_serialization().into(),
            },
            view: self.view(&paths, &assets),
            login_views: self.login_views.clone(),
            words: std::mem::take(words),
            paths,
            assets,
            templates: Templates::default(),
            stopping: Arc::clone(&self.stopping),
        })
    }

    fn paths(&self) -> Paths {
        let at = |path: &str| format!("{}{path}", self.base);
        let login = self.login_view.clone().unwrap_or_else(|| at("/login"));
        Paths {
            base: self.base.clone(),
            home: "/".to_owned(),
            after_login: self.login_redirect.clone(),
            after_logout: self.logout_redirect.clone().unwrap_or_else(|| login.clone()),
            refresh: self.refresh_view.clone().unwrap_or_else(|| at("/reauthenticate")),
            register: at("/register"),
            account: at("/account"),
            login,
        }
    }

    fn view(&self, paths: &Paths, assets: &Assets) -> SiteView {
        let asset = |name: &str| format!("{}/static/{name}", self.base);
        let is_open = self.registration == Registration::Open;
        SiteView {
            name: self.site_name.clone(),
            index: self.index,
            home: paths.home.clone(),
            login: paths.login.clone(),
            register: is_open.then(|| paths.register.clone()),
            logout: format!("{}/logout", self.base),
            members: self.members.clone(),
            account: Some(paths.account.clone()),
            css: asset(&assets.css.name),
            js: asset(&assets.js.name),
            js_integrity: assets.js.integrity.clone(),
            icon: asset(&assets.icon.name),
        }
    }

    /// Gives the template engine an empty folder if the application has no templates: the engine does
    /// not start without a folder, and our templates are compiled in.
    fn with_template_dir(&self, rocket: Rocket<Build>) -> std::io::Result<Rocket<Build>> {
        use rocket::figment::value::magic::RelativePathBuf;
        let configured = rocket.figment().extract_inner::<RelativePathBuf>("template_dir");
        let folder = configured.map_or_else(|_| PathBuf::from("templates"), |path| path.relative());
        if folder.is_dir() {
            return Ok(rocket);
        }
        let empty = TempDir::new()?;
        let set = Serialized::global("template_dir", empty.path());
        let figment = rocket.figment().clone().merge(set);
        // An application ignites once, so this is the only folder.
        let _ = self.no_templates.set(empty);
        Ok(rocket.configure(figment))
    }
}

/// Returns whether the application has declared whom each of its routes is for. At ignition it has
/// mounted them all, and ours are not there yet.
fn all_are_declared(rocket: &Rocket<Build>) -> bool {
    let undeclared: Vec<_> = rocket.routes().filter(|route| !mounts::is_declared(route)).collect();
    for route in &undeclared {
        tracing::error!(
            "{} {} does not say whom it is for: wrap it in login_required, \
             fresh_login_required or public",
            route.method,
            route.uri
        );
    }
    undeclared.is_empty()
}

/// Returns our catchers, except where the application has one of its own.
fn missing_catchers(rocket: &Rocket<Build>) -> Vec<Catcher> {
    let is_taken = |code| rocket.catchers().any(|own| own.code == code && own.base.path() == "/");
    let ours = [None, Some(401)].into_iter().filter(|code| !is_taken(*code));
    ours.map(|code| Catcher::new(code, Catch)).collect()
}

fn local_url(config: &rocket::Config) -> Option<Url> {
    let host = match config.address {
        address if address.is_unspecified() => "127.0.0.1".to_owned(),
        std::net::IpAddr::V6(address) => format!("[{address}]"),
        address => address.to_string(),
    };
    Url::parse(&format!("http://{host}:{}", config.port)).ok()
}

async fn keep_house(auth: &Auth) {
    if let Err(error) = auth.jobs().housekeeping().await {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::warn!(%error, cause, "housekeeping failed and will be tried again later");
    }
}

#[async_trait]
impl Fairing for AuthPages {
    fn info(&self) -> Info {
        Info {
            name: "Countersign",
            kind: Kind::Ignite | Kind::Liftoff | Kind::Request | Kind::Response | Kind::Shutdown,
        }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        let Some(public_url) = self.public_url.clone().or_else(|| {
            let config = rocket.figment().extract::<rocket::Config>();
            config.ok().and_then(|config| local_url(&config))
        }) else {
            tracing::error!(
                "no URL can be made of Rocket's address and port: set AuthPages::public_url"
            );
            return Err(rocket);
        };
        if self.declared_mounts && !all_are_declared(&rocket) {
            return Err(rocket);
        }
        let shared = match self.shared(&public_url) {
            Ok(shared) => shared,
            Err(error) => {
                tracing::error!(%error, "the files that pages load cannot be compressed");
                return Err(rocket);
            }
        };
        let templates = shared.templates.clone();
        let base = if self.base.is_empty() { "/" } else { &self.base };
        let mut rocket = rocket
            .manage(shared)
            .mount(base, pages::auth_routes())
            .mount("/", cross_site::sentry_routes());
        if self.catchers {
            let catchers = missing_catchers(&rocket);
            rocket = rocket.register("/", catchers);
        }
        let figment = rocket.figment().clone();
        match self.with_template_dir(rocket) {
            Ok(rocket) => Ok(rocket.attach(templates.fairing(self.overrides.clone()))),
            Err(error) => {
                tracing::error!(%error, "a folder for templates cannot be created");
                Err(rocket::custom(figment))
            }
        }
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        if let (Some(shared), Some(url)) = (rocket.state::<Shared>(), local_url(rocket.config())) {
            // This has no effect unless the system chose the port.
            let _ = shared.origin.set(url.origin().ascii_serialization());
        }
        let (shutdown, stopping) = (rocket.shutdown(), Arc::clone(&self.stopping));
        let auth = self.auth.clone();
        let (following, stop) = (auth.clone(), rocket.shutdown());
        tokio::spawn(async move {
            let jobs = following.jobs();
            tokio::select! {
                () = stop => {}
                () = jobs.follow() => {}
            }
        });
        tokio::spawn(async move {
            let mut stop = std::pin::pin!(shutdown);
            loop {
                let pause = tokio::time::sleep(auth.jobs().housekeeping_interval());
                tokio::select! {
                    () = &mut stop => break stopping.store(true, Ordering::Relaxed),
                    () = pause => keep_house(&auth).await,
                }
            }
        });
    }

    async fn on_shutdown(&self, _: &Rocket<Orbit>) {
        keep_house(&self.auth).await;
        self.auth.settle().await;
    }

    async fn on_request(&self, request: &mut Request<'_>, data: &mut Data<'_>) {
        cross_site::note_method_field(request, data).await;
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        if let Some(site) = Site::of(request) {
            template::complete(site, response).await;
            site.shared.headers.write(response);
        }
        response.set_raw_header("X-Request-Id", request_id::of(request));
        cookies::write(request, response);
    }
}
