//! The files that TLS needs.

use std::fs;

const AUTHORITIES: [&str; 2] = ["sslrootcert", "ssl-ca"];
const OWN: [&str; 4] = ["sslcert", "sslkey", "ssl-cert", "ssl-key"];

/// Sees that the files which a URL names are there, and that an authority among them is asked. The driver
/// takes a file that is missing for a server that is away. Where its mode checks no certificate, it ignores
/// an authority without a word: then `lacking` is a mode that would not.
pub(super) fn check_files(url: &str, lacking: Option<&str>) -> Result<(), String> {
    let (_, parameters) = url.split_once('?').unwrap_or((url, ""));
    for (name, value) in form_urlencoded::parse(parameters.as_bytes()) {
        let is_authority = AUTHORITIES.contains(&name.as_ref());
        if let (true, Some(mode)) = (is_authority, lacking) {
            return Err(format!("{name} without {mode} would have no certificate checked"));
        }
        // The driver takes what a file would hold as well.
        let text = value.trim();
        let is_file = !(text.starts_with("-----BEGIN") && text.ends_with("-----"));
        if is_file && (is_authority || OWN.contains(&name.as_ref())) {
            // Not with its path, which may be a key that was meant to be one.
            let text = fs::read(value.as_ref()).map_err(|error| format!("{name}: {error}"))?;
            let holds_one = String::from_utf8_lossy(&text).contains("-----BEGIN CERTIFICATE-----");
            if is_authority && !holds_one {
                return Err(format!("{name}: the file holds no certificate"));
            }
        }
    }
    Ok(())
}
