use countersign_domain::{Actor, Client, SecretToken};

/// Who asks the service for something, as far as it can be known.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whether it is somebody at the other end of a connection, or an administrator.
    pub actor: Actor,
    /// The browser or program that they use.
    pub client: Client,
    /// The token that the browser was given when somebody logged in with it before.
    pub browser: Option<SecretToken>,
    /// What the log calls the request that they ask with.
    pub request_id: Option<String>,
}

impl Caller {
    /// Somebody at the other end of a connection.
    pub fn visitor(client: Client) -> Self {
        Self { actor: Actor::Visitor, client, browser: None, request_id: None }
    }

    /// Somebody who may use this service's calls directly, such as at a command line.
    pub fn administrator() -> Self {
        Self { actor: Actor::Administrator, ..Self::visitor(Client::default()) }
    }

    /// The same, with the token of a known browser.
    #[must_use]
    pub fn with_browser(self, browser: Option<SecretToken>) -> Self {
        Self { browser, ..self }
    }

    /// The same, with the name of the request. Of that, 64 characters of printable ASCII are kept.
    #[must_use]
    pub fn in_request(self, id: &str) -> Self {
        let id: String = id.chars().filter(char::is_ascii_graphic).take(64).collect();
        Self { request_id: Some(id), ..self }
    }
}
