//! The program behind HAProxy, with the file in `config/haproxy` as it is, and browsers before it.

use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::http::Reply;
use crate::support::{EMAIL, Env, PASSWORD, Place, Server};

/// The name that the certificate is for.
const SITE: &str = "site.example";
const METRICS: &str = "COUNTERSIGN_METRICS_ADDRESS";

pub(crate) struct Edge {
    child: Child,
    pub(crate) server: Server,
    pub(crate) place: Place,
    /// The ports of https and of http.
    pub(crate) https: u16,
    pub(crate) http: u16,
}

impl Edge {
    /// Starts both; nothing where a tool is missing. `env` is the edge's.
    pub(crate) fn start(env: &Env<'_>) -> Option<Self> {
        if !has_tools() {
            return None;
        }
        let place = Place::new();
        certify(&place);
        place.create(EMAIL, PASSWORD);
        let (https, http) = (free_port(), free_port());
        let server = node(&place, https, 0);
        // Half of the descriptors that HAProxy wants are for connections to the program, which so
        // many are never made to; a test may have fewer.
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
            // Only root becomes somebody else.
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

    /// Another program behind it, on that port.
    pub(crate) fn node(&self, port: u16) -> Server {
        node(&self.place, self.https, port)
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.place.path("edge.log")).unwrap()
    }

    /// Somebody at that address, with cookies of their own.
    pub(crate) fn visitor(&self, address: Ipv4Addr) -> Visitor<'_> {
        Visitor { edge: self, address, jar: self.place.path(&format!("jar-{address}")) }
    }

    /// Sends these bytes over TLS, and then one more again and again until the edge ends it.
    /// Returns what was answered, and after how long.
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
            assert!(start.elapsed() < Duration::from_secs(60), "nobody ends it: {}", self.log());
            std::thread::sleep(Duration::from_millis(200));
            // It may have been ended by now, which the next look shows.
            let _ = stdin.write_all(b"a");
        }
        let took = start.elapsed();
        let output = child.wait_with_output().unwrap();
        (String::from_utf8_lossy(&output.stdout).into_owned(), took)
    }

    /// What the program has answered so far, as its metrics say.
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
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A browser: curl, with the certificate and the name.
pub(crate) struct Visitor<'e> {
    edge: &'e Edge,
    address: Ipv4Addr,
    jar: PathBuf,
}

impl Visitor<'_> {
    /// Asks for a path, with more of curl's arguments.
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

/// Whether all is installed that these tests need; says what is not.
#[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
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

/// A tool with nothing in its environment; Debian keeps HAProxy among the administrator's.
pub(crate) fn tool_of(name: &str) -> Command {
    let mut command = Command::new(name);
    let path = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";
    command.env_clear().env("PATH", path);
    command
}

/// A certificate that signs itself, and its key, as the edge wants them: in one file.
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

/// A port that nobody listens on, below those that Linux gives to connections, of which other tests
/// have thousands: none of these takes it before HAProxy does.
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
