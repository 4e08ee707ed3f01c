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
    by_scheme(url, opening).await.map_err(|CannotConnect { why, is_away }| ConnectError {
        url: one_line(&shown(url)),
        why: one_line(&why),
        is_away,
    })
}

async fn by_scheme(url: &str, opening: Opening) -> Result<Connections, CannotConnect> {
    match url.split_once(':').map_or("", |(scheme, _)| scheme) {
        #[cfg(feature = "sqlite")]
        "sqlite" => Ok(sqlite::connect(url, opening).await?),
        #[cfg(not(feature = "sqlite"))]
        "sqlite" => Err(lacks("sqlite").into()),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => postgres::connect(url, opening).await,
        #[cfg(not(feature = "postgres"))]
        "postgres" | "postgresql" => Err(lacks("postgres").into()),
        #[cfg(feature = "mysql")]
        "mysql" | "mariadb" => mysql::connect(url, opening).await,
        #[cfg(not(feature = "mysql"))]
        "mysql" | "mariadb" => Err(lacks("mysql").into()),
        _ => Err("use sqlite://PATH?mode=rwc, postgres://USER:PASSWORD@HOST/DATABASE or \
                  mysql://USER:PASSWORD@HOST/DATABASE"
            .to_owned()
            .into()),
    }
}

#[cfg(not(all(feature = "sqlite", feature = "postgres", feature = "mysql")))]
fn lacks(feature: &str) -> String {
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
