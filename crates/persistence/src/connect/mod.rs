//! From a URL to connections: what all databases share.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod server;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod tls;

use std::sync::Arc;
use std::time::Duration;

use sea_orm::DatabaseConnection;

use crate::clock::ServerClock;
#[cfg(feature = "postgres")]
use crate::growth::Growth;

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
    is_away: bool,
}

impl ConnectError {
    /// Whether it may pass by itself: the server cannot be reached, or lets nobody in for now. A wrong
    /// password does not.
    pub fn is_away(&self) -> bool {
        self.is_away
    }
}

/// As [`ConnectError`], before it is known of which database.
struct Refusal {
    why: String,
    is_away: bool,
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self { why, is_away: false }
    }
}

/// Whether a server must be there at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Now,
    Later,
}

#[derive(Clone, Debug)]
pub(crate) struct Connections {
    pub(crate) reader: DatabaseConnection,
    pub(crate) writer: DatabaseConnection,
    /// To read what is asked for all the time, however many wait for the others.
    pub(crate) aside: DatabaseConnection,
    /// Between the program and its server stands one who may give each transaction another
    /// connection to the server.
    pub(crate) is_pooled: bool,
    /// That of the server.
    pub(crate) clock: Arc<ServerClock>,
    #[cfg(feature = "postgres")]
    pub(crate) growth: Option<Arc<Growth>>,
}

impl From<DatabaseConnection> for Connections {
    fn from(one: DatabaseConnection) -> Self {
        Self {
            reader: one.clone(),
            aside: one.clone(),
            writer: one,
            is_pooled: false,
            clock: Arc::default(),
            #[cfg(feature = "postgres")]
            growth: None,
        }
    }
}

pub(crate) async fn connect(url: &str, server: Server) -> Result<Connections, ConnectError> {
    by_scheme(url, server).await.map_err(|Refusal { why, is_away }| ConnectError {
        url: one_line(&shown(url)),
        why: one_line(&why),
        is_away,
    })
}

#[cfg_attr(
    not(any(feature = "postgres", feature = "mysql")),
    expect(unused_variables, reason = "there is no server")
)]
async fn by_scheme(url: &str, server: Server) -> Result<Connections, Refusal> {
    match url.split_once(':').map_or("", |(scheme, _)| scheme) {
        #[cfg(feature = "sqlite")]
        "sqlite" => Ok(sqlite::connect(url).await?),
        #[cfg(not(feature = "sqlite"))]
        "sqlite" => Err(lacks("sqlite").into()),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => postgres::connect(url, server).await,
        #[cfg(not(feature = "postgres"))]
        "postgres" | "postgresql" => Err(lacks("postgres").into()),
        #[cfg(feature = "mysql")]
        "mysql" | "mariadb" => mysql::connect(url, server).await,
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
