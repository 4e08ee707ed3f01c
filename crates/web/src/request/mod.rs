//! What was sent with a request: who sends it, from where, its cookies and its form.

pub(crate) mod caller;
pub(crate) mod client;
pub(crate) mod cookies;
pub(crate) mod cross_site;
pub(crate) mod next;
pub(crate) mod request_id;
pub(crate) mod submitted;
pub(crate) mod wants;
