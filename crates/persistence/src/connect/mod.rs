//! From a URL to connections: what all databases share.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod server;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::time::Duration;

use sea_orm::DatabaseConnection;

#[cfg(not(any(feature = "sqlite", feature = "postgres", feature = "mysql")))]
compile_error!("choose a database: enable at least one of the features sqlite, postgres and mysql");

/// How long a call waits for a connection.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// Why there is no connection to a database; one line.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the database {url}: {why}")]
pub struct ConnectError {
    /// Without its parameters, and without a password.
    url: String,
    why: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Connections {
    pub(crate) reader: DatabaseConnection,
    pub(crate) writer: DatabaseConnection,
    /// Between the program and its server stands one who may give each transaction another
    /// connection to the server.
    pub(crate) is_pooled: bool,
}

impl From<DatabaseConnection> for Connections {
    fn from(one: DatabaseConnection) -> Self {
        Self { reader: one.clone(), writer: one, is_pooled: false }
    }
}

pub(crate) async fn connect(url: &str) -> Result<Connections, ConnectError> {
    by_scheme(url)
        .await
        .map_err(|why| ConnectError { url: one_line(&shown(url)), why: one_line(&why) })
}

async fn by_scheme(url: &str) -> Result<Connections, String> {
    match url.split_once(':').map_or("", |(scheme, _)| scheme) {
        #[cfg(feature = "sqlite")]
        "sqlite" => sqlite::connect(url).await,
        #[cfg(not(feature = "sqlite"))]
        "sqlite" => Err(lacks("sqlite")),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => postgres::connect(url).await,
        #[cfg(not(feature = "postgres"))]
        "postgres" | "postgresql" => Err(lacks("postgres")),
        #[cfg(feature = "mysql")]
        "mysql" | "mariadb" => mysql::connect(url).await,
        #[cfg(not(feature = "mysql"))]
        "mysql" | "mariadb" => Err(lacks("mysql")),
        _ => Err("use sqlite://PATH?mode=rwc, postgres://USER:PASSWORD@HOST/DATABASE or \
                  mysql://USER:PASSWORD@HOST/DATABASE"
            .to_owned()),
    }
}

#[cfg(not(all(feature = "sqlite", feature = "postgres", feature = "mysql")))]
fn lacks(feature: &str) -> String {
    format!("this program was built without the feature {feature}")
}

/// The URL as it may be logged: that of a server has a password in it, which may hold any character,
/// and so may the parameters.
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
