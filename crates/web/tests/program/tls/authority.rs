//! An authority that signs certificates, with the command `openssl`.

use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;

use crate::edge::tool_of;

pub(crate) struct Authority(TempDir);

impl Authority {
    /// Nothing where the command is missing.
    #[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
    pub(crate) fn new() -> Option<Self> {
        if tool_of("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
            eprintln!("skipped: TLS: no openssl");
            return None;
        }
        let authority = Self(TempDir::new().unwrap());
        // Nothing of what this machine would put into a certificate by itself.
        std::fs::write(authority.path("openssl.cnf"), "[req]\ndistinguished_name = name\n[name]\n")
            .unwrap();
        authority.make("authority", &["-addext", "basicConstraints=critical,CA:TRUE"]);
        Some(authority)
    }

    /// The file of its own certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.path("authority.crt")
    }

    /// The files of a certificate of that subject, for a name such as `DNS:localhost`, and of its key.
    pub(crate) fn sign(&self, subject: &str, name: &str) -> (PathBuf, PathBuf) {
        let [certificate, key] = ["authority.crt", "authority.key"].map(|file| self.path(file));
        self.make(
            subject,
            &[
                "-addext",
                &format!("subjectAltName={name}"),
                "-CA",
                certificate.to_str().unwrap(),
                "-CAkey",
                key.to_str().unwrap(),
            ],
        )
    }

    fn make(&self, subject: &str, more: &[&str]) -> (PathBuf, PathBuf) {
        let [certificate, key] = ["crt", "key"].map(|end| self.path(&format!("{subject}.{end}")));
        let done = tool_of("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-nodes", "-days", "2", "-subj", &format!("/CN={subject}"), "-config"])
            .arg(self.path("openssl.cnf"))
            .args(more)
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        (certificate, key)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}
