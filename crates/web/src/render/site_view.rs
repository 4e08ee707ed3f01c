use serde::Serialize;

/// Where the pages are and what they load, as templates see it: the same for every request.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SiteView {
    pub(crate) name: String,
    /// Whether search engines may list the home page.
    pub(crate) index: bool,
    pub(crate) home: String,
    pub(crate) login: String,
    pub(crate) register: Option<String>,
    pub(crate) logout: String,
    pub(crate) members: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) css: String,
    pub(crate) js: String,
    pub(crate) js_integrity: String,
    pub(crate) icon: String,
}
