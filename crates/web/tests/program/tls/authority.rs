//! A certificate authority, made with the command `openssl`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;

use crate::edge::tool_of;

pub(crate) struct Authority {
    folder: TempDir,
    own: Certificate,
}

/// The files of a certificate and its key.
pub(crate) struct Certificate {
    pub(crate) path: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    /// Makes an authority. Returns `None` if the command is missing.
    #[expect(clippy::print_stderr, reason = "a skipped test prints the reason")]
    pub(crate) fn new() -> Option<Self> {
        if tool_of("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
            eprintln!("skipped: TLS: no openssl");
            return None;
        }
        let folder = TempDir::new().unwrap();
        let own = make(&folder, "authority", &["basicConstraints=critical,CA:TRUE"], &[]);
        Some(Self { folder, own })
    }

    /// Returns the path of the authority's own certificate.
    pub(crate) fn path(&self) -> &Path {
        &self.own.path
    }

    /// Signs a certificate with this subject, for a name such as `DNS:localhost`.
    pub(crate) fn sign(&self, subject: &str, name: &str) -> Certificate {
        let name = format!("subjectAltName={name}");
        let [path, key] = [&self.own.path, &self.own.key].map(|path| path.to_str().unwrap());
        let is_none = "basicConstraints=critical,CA:FALSE";
        make(&self.folder, subject, &[&name, is_none], &["-CA", path, "-CAkey", key])
    }

    /// Makes a self-signed certificate for `localhost`, which the authority has not signed.
    pub(crate) fn stranger(&self, constraints: &str) -> Certificate {
        let constraints = format!("basicConstraints=critical,{constraints}");
        make(&self.folder, "stranger", &["subjectAltName=DNS:localhost", &constraints], &[])
    }
}

fn make(folder: &TempDir, subject: &str, extensions: &[&str], signed: &[&str]) -> Certificate {
    let [path, key] = ["crt", "key"].map(|end| folder.path().join(format!("{subject}.{end}")));
    let done = tool_of("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", &format!("/CN={subject}")])
        .args(extensions.iter().flat_map(|extension| ["-addext", extension]))
        .args(signed)
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&path)
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    Certificate { path, key }
}
