//! Runs the program behind HAProxy, with the unchanged file in `config/haproxy`, and browsers in front of it.

use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::http::Reply;
use crate::support::{EMAIL, Env, PASSWORD, Place, Server};

/// The host name in the certificate.
const SITE: &str = "site.example";
const METRICS: &str = "COUNTERSIGN_METRICS_ADDRESS";

pub(crate) struct Edge {
    child: Child,
    pub(crate) server: Server,
    pub(crate) place: Place,
    /// The ports for https and http.
    pub(crate) https: u16,
    pub(crate) http: u16,
}

impl Edge {
    /// Starts both, with `env` for the edge. Returns `None` if a tool is missing.
    pub(crate) fn start(env: &Env<'_>) -> Option<Self> {
        if !has_tools() {
            return None;
        }
        let place = Place::new();
        certify(&place);
        place.create(EMAIL, PASSWORD);
        let (https, http) = (free_port(), free_port());
        let server = node(&place, https, 0);
        // HAProxy reserves half of its descriptors for connections to the program, of which it never opens as
        // many. A test may have fewer descriptors.
        place.write("more.cfg", "global\n    no strict-limits\n");
        let log = File::create(place.path("edge.log")).unwrap();
        let child = tool_of("haproxy")
            .arg("-db")
            .arg("-f")
            .arg(shipped())
            .arg("-f")
            .arg(place.path("more.cfg"))
            .env("EDGE_HTTPS", format!("127.0.0.1:{https}"))
            .env("EDGE_HTTP", format!("127.0.0.1:{http}"))
            .env("EDGE_CERTIFICATE", place.path("certificate.pem"))
            .env("COUNTERSIGN", format!("127.0.0.1:{}", server.port))
            // Only root can become another user.
            .env("EDGE_USER", if rustix::process::geteuid().is_root() { "haproxy" } else { "" })
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let edge = Self { child, server, place, https, http };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", https)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(30), "{}", edge.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(edge)
    }

    /// Starts another node behind the edge, on this port.
    pub(crate) fn node(&self, port: u16) -> Server {
        node(&self.place, self.https, port)
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.place.path("edge.log")).unwrap()
    }

    /// Returns a visitor at this address, with their own cookies.
    pub(crate) fn visitor(&self, address: Ipv4Addr) -> Visitor<'_> {
        Visitor { edge: self, address, jar: self.place.path(&format!("jar-{address}")) }
    }

    /// Sends these bytes over TLS, and then single bytes until the edge closes the connection. Returns the
    /// answer, and the time that it took.
    pub(crate) fn trickle(&self, first: &[u8]) -> (String, Duration) {
        let start = Instant::now();
        let mut child = tool_of("openssl")
            .args(["s_client", "-quiet", "-connect", &format!("127.0.0.1:{}", self.https)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(first).unwrap();
        while child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < Duration::from_secs(60), "it is still open: {}", self.log());
            std::thread::sleep(Duration::from_millis(200));
            // The connection may be closed by now. The next round notices that.
            let _ = stdin.write_all(b"a");
        }
        let took = start.elapsed();
        let output = child.wait_with_output().unwrap();
        (String::from_utf8_lossy(&output.stdout).into_owned(), took)
    }

    /// Returns the metrics of the requests that the program has answered so far.
    pub(crate) fn answered(&self) -> String {
        let log = self.server.log();
        let (_, rest) = log.split_once("metrics are served\",\"address\":\"127.0.0.1:").unwrap();
        let (port, _) = rest.split_once('"').unwrap();
        let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        crate::http::exchange(port.parse().unwrap(), request).unwrap().body
    }
}

fn node(place: &Place, https: u16, port: u16) -> Server {
    place.serve(&[
        ("ROCKET_PORT", &port.to_string()),
        ("COUNTERSIGN_PUBLIC_URL", &format!("https://{SITE}:{https}")),
        ("COUNTERSIGN_TRUSTED_PROXIES", "127.0.0.1/32"),
        (METRICS, "127.0.0.1:0"),
    ])
}

impl Drop for Edge {
    fn drop(&mut self) {
        // The edge may already have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A visitor's browser: curl with the certificate and the host name.
pub(crate) struct Visitor<'e> {
    edge: &'e Edge,
    address: Ipv4Addr,
    jar: PathBuf,
}

impl Visitor<'_> {
    /// Requests a path, with more arguments for curl.
    pub(crate) fn try_ask(&self, path: &str, more: &[&str]) -> io::Result<Reply> {
        let (port, folder) = (self.edge.https, &self.edge.place);
        let output = tool_of("curl")
            .args(["--silent", "--include", "--max-time", "30", "--interface"])
            .arg(self.address.to_string())
            .args(["--resolve", &format!("{SITE}:{port}:127.0.0.1"), "--cacert"])
            .arg(folder.path("chain.pem"))
            .arg("--cookie")
            .arg(&self.jar)
            .arg("--cookie-jar")
            .arg(&self.jar)
            .args(more)
            .arg(format!("https://{SITE}:{port}{path}"))
            .output()?;
        Reply::read(&output.stdout)
    }

    #[track_caller]
    pub(crate) fn ask(&self, path: &str, more: &[&str]) -> Reply {
        match self.try_ask(path, more) {
            Ok(reply) => reply,
            Err(error) => panic!("{path}: {error}: {}", self.edge.log()),
        }
    }

    #[track_caller]
    pub(crate) fn log_in(&self, more: &[&str]) -> Reply {
        let (email, password) = (format!("email={EMAIL}"), format!("password={PASSWORD}"));
        let form = ["--data-urlencode", &email, "--data-urlencode", &password];
        self.ask("/login", &[&form, more].concat())
    }
}

/// Checks whether the tools of these tests are installed, and prints which are missing.
#[expect(clippy::print_stderr, reason = "a skipped test prints the reason")]
pub(crate) fn has_tools() -> bool {
    let tools = [("haproxy", "-v"), ("openssl", "version"), ("curl", "-V")];
    tools.into_iter().all(|(tool, argument)| {
        let is_there = tool_of(tool).arg(argument).stdout(Stdio::null()).status().is_ok();
        if !is_there {
            eprintln!("skipped: {tool}");
        }
        is_there
    })
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/haproxy/haproxy.cfg")
}

/// Returns a command for a tool with an empty environment. Debian installs HAProxy in `/usr/sbin`.
pub(crate) fn tool_of(name: &str) -> Command {
    let mut command = Command::new(name);
    let path = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";
    command.env_clear().env("PATH", path);
    command
}

/// Makes a self-signed certificate and its key, in one file as the edge needs them.
fn certify(place: &Place) {
    let name = format!("subjectAltName=DNS:{SITE}");
    let done = tool_of("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=site", "-addext", &name, "-keyout"])
        .arg(place.path("key.pem"))
        .arg("-out")
        .arg(place.path("chain.pem"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let read = |name| std::fs::read(place.path(name)).unwrap();
    place.write("certificate.pem", [read("chain.pem"), read("key.pem")].concat());
}

/// Returns a free port below the range that Linux uses for connections. Other tests have thousands of
/// connections, and none of them can take this port before HAProxy does.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next =
            NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(std::process::id().wrapping_mul(16));
        let port = 20_000 + u16::try_from(next % 12_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
