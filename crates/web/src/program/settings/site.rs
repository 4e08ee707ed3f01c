use serde::{Deserialize, Serialize};

/// `site`: how the site presents itself.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Site {
    /// Whether search engines may list the home page.
    pub(crate) index: bool,
}
