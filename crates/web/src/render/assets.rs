//! The files that pages load, compiled in. Their names contain a fingerprint, so that a browser may
//! cache them for good.
//!
//! Only these files are compressed. A page is not: it shows parts of the request beside secrets of
//! its user, and the compressed length would tell one about the other (BREACH,
//! <https://breachattack.com>).

use std::io::{self, Write};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use rocket::Request;
use rocket::http::ContentType;
use rocket::response::{self, Responder, Response};
use sha2::{Digest, Sha256};

/// A file that pages load.
#[derive(Clone, Debug)]
pub(crate) struct Asset {
    /// The file name, with its fingerprint.
    pub(crate) name: String,
    /// The hash as a page states it (Subresource Integrity).
    pub(crate) integrity: String,
    content_type: ContentType,
    body: &'static str,
    compressed: Arc<[u8]>,
}

/// All files that pages load.
#[derive(Clone, Debug)]
pub(crate) struct Assets {
    pub(crate) css: Asset,
    pub(crate) js: Asset,
    pub(crate) icon: Asset,
}

impl Asset {
    fn new(
        stem: &str,
        extension: &str,
        content_type: ContentType,
        body: &'static str,
    ) -> io::Result<Self> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(body.as_bytes())?;
        let digest = Sha256::digest(body);
        let fingerprint: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            name: format!("{stem}.{fingerprint}.{extension}"),
            integrity: format!("sha256-{}", STANDARD.encode(digest)),
            content_type,
            body,
            compressed: encoder.finish()?.into(),
        })
    }
}

impl Assets {
    /// Compresses the files and names them.
    pub(crate) fn load() -> io::Result<Self> {
        let css = include_str!("../../static/countersign.css");
        let js = include_str!("../../static/countersign.js");
        let icon = include_str!("../../static/favicon.svg");
        Ok(Self {
            css: Asset::new("countersign", "css", ContentType::CSS, css)?,
            js: Asset::new("countersign", "js", ContentType::JavaScript, js)?,
            icon: Asset::new("favicon", "svg", ContentType::SVG, icon)?,
        })
    }

    /// Returns the file of this name, fingerprint included.
    pub(crate) fn find(&self, name: &str) -> Option<Asset> {
        [&self.css, &self.js, &self.icon].into_iter().find(|asset| asset.name == name).cloned()
    }
}

impl<'r> Responder<'r, 'static> for Asset {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        response
            .header(self.content_type)
            .raw_header("Cache-Control", "public, max-age=31536000, immutable")
            .raw_header("Vary", "Accept-Encoding");
        if takes_gzip(request.headers().get("Accept-Encoding")) {
            response.raw_header("Content-Encoding", "gzip");
            response.sized_body(self.compressed.len(), io::Cursor::new(self.compressed));
        } else {
            response.sized_body(self.body.len(), io::Cursor::new(self.body));
        }
        response.ok()
    }
}

/// Returns whether a client that sends these `Accept-Encoding` headers accepts gzip (RFC 9110,
/// section 12.5.3). `*` is ignored: a browser that accepts everything also names gzip.
fn takes_gzip<'h>(mut headers: impl Iterator<Item = &'h str>) -> bool {
    headers.any(|header| {
        header.split(',').any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let weight = weight.trim().strip_prefix("q=").map(str::parse::<f32>);
            let is_refused = weight.is_some_and(|q| !q.is_ok_and(|q| q > 0.0));
            name.trim().eq_ignore_ascii_case("gzip") && !is_refused
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_clients_that_accept_it() {
        for header in ["gzip", "br, gzip", "GZIP;q=0.5, identity", "deflate,gzip ; q=1"] {
            assert!(takes_gzip([header].into_iter()), "{header}");
        }
        for header in ["", "br", "gzip;q=0", "gzip; q=0.000", "gzip;q=x", "xgzip", "identity"] {
            assert!(!takes_gzip([header].into_iter()), "{header}");
        }
        assert!(takes_gzip(["br", "gzip"].into_iter()));
        assert!(!takes_gzip([].into_iter()));
    }
}
