//! An HTTP/1.1 client that keeps one connection and does as little as possible, so that it measures the site
//! and not itself.

use std::fmt::Write as _;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use httparse::{EMPTY_HEADER, Status};

/// The timeout of a read or write: longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const MAX_HEADERS: usize = 64;

/// A connection that is kept open. It never reconnects: the time for that would distort a measurement.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Bytes that were received and not parsed yet.
    ahead: Vec<u8>,
}

/// What a site answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The headers in the order received, with their names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Returns the bytes of a request that posts a form.
pub(crate) fn post(path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Vec<u8> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut request = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n");
    for (name, value) in headers {
        // Writing to a string cannot fail.
        let _ = write!(request, "{name}: {value}\r\n");
    }
    let kind = "application/x-www-form-urlencoded";
    let _ = write!(request, "Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    request.into_bytes()
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, ahead: Vec::new() })
    }

    /// Sends a request, and returns the answer and the time from the first byte written to the last byte
    /// read.
    pub(crate) fn send(&mut self, request: &[u8]) -> Result<(Answer, Duration), Error> {
        let start = Instant::now();
        self.stream.write_all(request)?;
        let mut answer = self.head()?;
        answer.body = match (answer.header("transfer-encoding"), answer.header("content-length")) {
            (Some("chunked"), None) => self.chunks()?,
            (None, Some(length)) => {
                let length = length.parse().map_err(|_| malformed("a Content-Length"))?;
                self.take(length)?
            }
            (None, None) if matches!(answer.status, 204 | 304) => Vec::new(),
            _ => return Err(malformed("a body of unknown length")),
        };
        Ok((answer, start.elapsed()))
    }

    fn head(&mut self) -> Result<Answer, Error> {
        loop {
            let mut headers = [EMPTY_HEADER; MAX_HEADERS];
            let mut head = httparse::Response::new(&mut headers);
            let parsed = head.parse(&self.ahead).map_err(|_| malformed("an answer"))?;
            let Status::Complete(length) = parsed else {
                self.fill()?;
                continue;
            };
            let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
            let headers = head.headers.iter();
            let headers = headers.map(|h| (h.name.to_ascii_lowercase(), text(h.value))).collect();
            let status = head.code.ok_or_else(|| malformed("a status"))?;
            self.ahead.drain(..length);
            return Ok(Answer { status, headers, body: Vec::new() });
        }
    }

    fn chunks(&mut self) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        loop {
            let parsed = httparse::parse_chunk_size(&self.ahead);
            let Status::Complete((start, size)) = parsed.map_err(|_| malformed("a chunk"))? else {
                self.fill()?;
                continue;
            };
            self.ahead.drain(..start);
            let size = usize::try_from(size).map_err(|_| malformed("a chunk"))?;
            body.extend(self.take(size)?);
            // The site sends no trailers.
            if self.take(2)? != b"\r\n" {
                return Err(malformed("the end of a chunk"));
            }
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, Error> {
        while self.ahead.len() < length {
            self.fill()?;
        }
        Ok(self.ahead.drain(..length).collect())
    }

    fn fill(&mut self) -> Result<(), Error> {
        let mut buffer = [0; 16 * 1024];
        let read = self.stream.read(&mut buffer)?;
        if read == 0 {
            return Err(Error::new(ErrorKind::UnexpectedEof, "the site closed the connection"));
        }
        self.ahead.extend(buffer.iter().take(read));
        Ok(())
    }
}

fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("the site sent {what} that cannot be parsed"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Returns what a client receives from a server that sends these pieces, with a pause after each.
    fn answers<const N: usize>(pieces: &'static [&'static str]) -> [Result<Answer, Error>; N] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for piece in pieces {
                stream.write_all(piece.as_bytes()).unwrap();
                thread::sleep(Duration::from_millis(5));
            }
            // Closing with unread requests would reset the connection and lose the answer.
            let mut rest = [0; 4096];
            let _ = stream.read(&mut rest);
        });
        let mut connection = Connection::open(address).unwrap();
        let all = std::array::from_fn(|_| Ok(connection.send(b"x")?.0));
        drop(connection);
        server.join().unwrap();
        all
    }

    #[test]
    fn answers_follow_each_other_on_one_connection() {
        let [one, two, three] = answers(&[
            "HTTP/1.1 200 OK\r\nContent-Le",
            "ngth: 5\r\nX-One: 1\r\n\r\nhel",
            "loHTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
            "c\r\n2\r\nde\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        ]);
        let (one, two, three) = (one.unwrap(), two.unwrap(), three.unwrap());
        assert_eq!((one.status, one.body.as_slice()), (200, &b"hello"[..]));
        assert_eq!(one.header("x-one"), Some("1"));
        assert_eq!((two.status, two.body.as_slice()), (401, &b"abcde"[..]));
        assert_eq!((three.status, three.body.len()), (204, 0));
    }

    #[test]
    fn an_answer_that_breaks_off_is_an_error() {
        let [broken] = answers(&["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"]);
        assert_eq!(broken.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_is_not_http_is_an_error() {
        let [broken] = answers(&["SSH-2.0-OpenSSH_9.2\r\n\r\n"]);
        assert_eq!(broken.unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn a_form_is_encoded() {
        let request = post("/login", &[("Accept", "text/html")], &[("a", "b c"), ("d", "e@f")]);
        let request = String::from_utf8(request).unwrap();
        assert!(
            request.starts_with("POST /login HTTP/1.1\r\nHost: localhost\r\nAccept: text/html")
        );
        assert!(request.ends_with("Content-Length: 13\r\n\r\na=b+c&d=e%40f"), "{request}");
    }
}
