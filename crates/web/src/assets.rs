//! The files that pages load, compiled in. Their names carry their fingerprint, so that a browser
//! may keep them for good.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rocket::Request;
use rocket::http::{ContentType, Status};
use rocket::response::{self, Responder, Response};
use sha2::{Digest, Sha256};

/// A file that pages load.
#[derive(Clone, Debug)]
pub(crate) struct Asset {
    /// Its name with its fingerprint.
    pub(crate) name: String,
    /// Its hash as a page names it (Subresource Integrity).
    pub(crate) integrity: String,
    content_type: ContentType,
    body: &'static str,
}

/// All of them.
#[derive(Clone, Debug)]
pub(crate) struct Assets {
    pub(crate) css: Asset,
    pub(crate) js: Asset,
    pub(crate) icon: Asset,
}

impl Asset {
    fn new(stem: &str, extension: &str, content_type: ContentType, body: &'static str) -> Self {
        let digest = Sha256::digest(body);
        let fingerprint: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Self {
            name: format!("{stem}.{fingerprint}.{extension}"),
            integrity: format!("sha256-{}", STANDARD.encode(digest)),
            content_type,
            body,
        }
    }
}

impl Assets {
    pub(crate) fn load() -> Self {
        let css = include_str!("../static/countersign.css");
        let js = include_str!("../static/countersign.js");
        let icon = include_str!("../static/favicon.svg");
        Self {
            css: Asset::new("countersign", "css", ContentType::CSS, css),
            js: Asset::new("countersign", "js", ContentType::JavaScript, js),
            icon: Asset::new("favicon", "svg", ContentType::SVG, icon),
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<Asset> {
        [&self.css, &self.js, &self.icon].into_iter().find(|asset| asset.name == name).cloned()
    }
}

impl<'r> Responder<'r, 'static> for Asset {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        Response::build_from(self.body.respond_to(request)?)
            .status(Status::Ok)
            .header(self.content_type)
            .raw_header("Cache-Control", "public, max-age=31536000, immutable")
            .ok()
    }
}
