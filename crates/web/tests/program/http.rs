//! A minimal HTTP client for tests, over a socket.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The answer to a request.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    /// Parses the bytes of an answer.
    pub(crate) fn read(answer: &[u8]) -> io::Result<Self> {
        let answer = String::from_utf8_lossy(answer);
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        Ok(Self {
            status: status.ok_or(io::ErrorKind::InvalidData)?,
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            // The templates escape every slash.
            body: body.replace("&#x2F;", "/"),
        })
    }

    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn sees_other(&self, location: &str) -> &Self {
        assert_eq!(self.is(303).header("Location"), Some(location));
        self
    }

    #[track_caller]
    pub(crate) fn shows(&self, text: &str) -> &Self {
        assert!(self.body.contains(text), "lacks {text:?}: {}", self.body);
        self
    }
}

/// Sends these bytes, and reads until the other side closes the connection.
pub(crate) fn exchange(port: u16, request: &[u8]) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Reply::read(&answer)
}

/// A browser that visits one site and keeps its cookies.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) port: u16,
    pub(crate) cookies: Vec<(String, String)>,
}

impl Browser {
    pub(crate) fn new(port: u16) -> Self {
        Self { port, cookies: Vec::new() }
    }

    pub(crate) fn try_send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> io::Result<Reply> {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n",
            self.port
        );
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
            request += &format!("Cookie: {}\r\n", pairs.join("; "));
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if method == "POST" || !body.is_empty() {
            let length = body.len();
            request += "Content-Type: application/x-www-form-urlencoded\r\n";
            request += &format!("Content-Length: {length}\r\n");
        }
        request += &format!("\r\n{body}");
        let reply = exchange(self.port, request.as_bytes())?;
        for cookie in reply.all("Set-Cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').ok_or(io::ErrorKind::InvalidData)?;
            self.cookies.retain(|(found, _)| found != name);
            if !attributes.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        Ok(reply)
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.try_send(method, path, headers, "").unwrap()
    }

    pub(crate) fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, &[])
    }

    pub(crate) fn try_post(&mut self, path: &str, form: &[(&str, &str)]) -> io::Result<Reply> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.try_send("POST", path, &[], &body)
    }

    pub(crate) fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Reply {
        self.try_post(path, form).unwrap()
    }

    pub(crate) fn try_register(&mut self, email: &str, password: &str) -> io::Result<Reply> {
        let form = [("email", email), ("username", "Ada"), ("password", password)];
        self.try_post("/register", &form)
    }

    pub(crate) fn log_in(&mut self, email: &str, password: &str) -> Reply {
        self.post("/login", &[("email", email), ("password", password)])
    }

    pub(crate) fn token(&self) -> String {
        let cookie = self.cookies.iter().find(|(name, _)| name == "session");
        cookie.unwrap().1.clone()
    }
}
