use countersign_domain::{Actor, Client, SecretToken, UserId};

/// Who asks the service for something, as far as it can be known.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Caller {
    /// Who acts: somebody at the other end of a connection, a user, an administrator.
    pub actor: Actor,
    /// The browser or program that they use.
    pub client: Client,
    /// The token that the browser was given when somebody logged in with it before.
    pub browser: Option<SecretToken>,
    /// The request that they ask with, as the log calls it.
    pub request_id: Option<String>,
}

impl Caller {
    /// Returns somebody at the other end of a connection.
    pub fn visitor(client: Client) -> Self {
        Self { actor: Actor::VISITOR, client, browser: None, request_id: None }
    }

    /// Returns an administrator, in whose name an application calls this service.
    pub fn administrator() -> Self {
        Self { actor: Actor::ADMINISTRATOR, ..Self::visitor(Client::default()) }
    }

    /// Returns somebody at the command line of a program on the site's own machine.
    pub fn command_line() -> Self {
        Self { actor: Actor::COMMAND_LINE, ..Self::visitor(Client::default()) }
    }

    /// Returns the same caller, who has proved to be this user.
    #[must_use]
    pub fn acting_as(self, user: UserId) -> Self {
        Self { actor: Actor::user(user), ..self }
    }

    /// Returns the same caller with the token of a known browser.
    #[must_use]
    pub fn with_browser(self, browser: Option<SecretToken>) -> Self {
        Self { browser, ..self }
    }

    /// Returns the same caller with the name of the request. Keeps 64 characters of its printable ASCII.
    #[must_use]
    pub fn in_request(self, id: &str) -> Self {
        let id: String = id.chars().filter(char::is_ascii_graphic).take(64).collect();
        Self { request_id: Some(id), ..self }
    }
}
