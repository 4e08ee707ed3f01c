//! From a URL to connections.

#[cfg(feature = "mysql")]
mod mysql;
pub(crate) mod options;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod server;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod tls;

use self::options::{CannotConnect, ConnectError, Connections, Opening};

#[cfg(not(any(feature = "sqlite", feature = "postgres", feature = "mysql")))]
compile_error!("choose a database: enable at least one of the features sqlite, postgres and mysql");

pub(crate) async fn connect(url: &str, opening: Opening) -> Result<Connections, ConnectError> {
    by_scheme(url, opening).await.map_err(|cause| refused(url, cause))
}

/// Checks that a URL can be read, without connecting.
pub(crate) fn check(url: &str) -> Result<(), ConnectError> {
    let checked = match scheme(url) {
        #[cfg(feature = "sqlite")]
        "sqlite" => sqlite::check(url),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => postgres::check(url),
        #[cfg(feature = "mysql")]
        "mysql" | "mariadb" => mysql::check(url),
        _ => Err(unknown(url)),
    };
    checked.map_err(|why| refused(url, why.into()))
}

/// Looks whether there is what a URL needs, and changes nothing. Returns what is not there yet.
pub(crate) async fn look(url: &str) -> Result<Option<String>, ConnectError> {
    #[cfg(feature = "sqlite")]
    if scheme(url) == "sqlite" {
        return sqlite::look(url).map_err(|why| refused(url, why.into()));
    }
    match by_scheme(url, Opening::Finding).await {
        Ok(_) => Ok(None),
        Err(cause) if cause.is_away => Ok(Some(refused(url, cause).to_string())),
        Err(cause) => Err(refused(url, cause)),
    }
}

fn refused(url: &str, CannotConnect { why, is_away }: CannotConnect) -> ConnectError {
    ConnectError { url: one_line(&shown(url)), why: one_line(&why), is_away }
}

fn scheme(url: &str) -> &str {
    url.split_once(':').map_or("", |(scheme, _)| scheme)
}

async fn by_scheme(url: &str, opening: Opening) -> Result<Connections, CannotConnect> {
    match scheme(url) {
        #[cfg(feature = "sqlite")]
        "sqlite" => Ok(sqlite::connect(url, opening).await?),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => postgres::connect(url, opening).await,
        #[cfg(feature = "mysql")]
        "mysql" | "mariadb" => mysql::connect(url, opening).await,
        _ => Err(unknown(url).into()),
    }
}

/// Says why a URL belongs to no database that this program knows.
fn unknown(url: &str) -> String {
    let feature = match scheme(url) {
        "sqlite" => "sqlite",
        "postgres" | "postgresql" => "postgres",
        "mysql" | "mariadb" => "mysql",
        _ => {
            return "use sqlite://PATH?mode=rwc, postgres://USER:PASSWORD@HOST/DATABASE or \
                    mysql://USER:PASSWORD@HOST/DATABASE"
                .to_owned();
        }
    };
    format!("this program was built without the feature {feature}")
}

/// Returns the URL as it may be logged. The URL of a server holds a password, which may hold any character;
/// so may its parameters.
fn shown(url: &str) -> String {
    let without_parameters = |url: &str| url.split('?').next().unwrap_or_default().to_owned();
    if url.starts_with("sqlite:") {
        return without_parameters(url);
    }
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => {
            format!("{scheme}://***@{}", without_parameters(host))
        }
        (Some(_), None) => without_parameters(url),
        (None, _) => "URL".to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
