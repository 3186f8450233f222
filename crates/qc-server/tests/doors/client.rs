//! A client that sends exactly the bytes it is told to.

use std::{fmt::Write as _, net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Nothing here takes that long; whatever does hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request that is well formed unless its parts are not.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self { method: method.into(), path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A JSON body.
    pub(crate) fn post(path: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("POST", path).header("content-type", "application/json").body(body)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// In place of earlier ones of this name.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        self.header(name, value)
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        self
    }

    /// The same at another address.
    pub(crate) fn to(mut self, path: &str) -> Self {
        self.path = path.into();
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// The request as bytes, the connection closed after it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let Self { method, path, headers, body } = self;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        let framed = headers.iter().any(|(name, _)| name == "transfer-encoding");
        if !framed && (!body.is_empty() || method == "POST") {
            write!(head, "content-length: {}\r\n", body.len()).unwrap();
        }
        head.push_str("\r\n");
        [head.as_bytes(), body].concat()
    }

    pub(crate) async fn at(&self, address: SocketAddr) -> Reply {
        let raw = exchange(address, &self.bytes()).await;
        Reply::read(&raw, self.method == "HEAD").0
    }
}

/// Sends bytes and takes everything that comes back until the server closes.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let bytes = bytes.to_vec();
    // The server may answer and close before it has read everything: that is its right.
    let sending = tokio::spawn(async move {
        let _ = writing.write_all(&bytes).await;
        writing
    });
    let mut raw = Vec::new();
    let mut piece = [0; 4096];
    let taking = async {
        while let Ok(count @ 1..) = reading.read(&mut piece).await {
            raw.extend_from_slice(&piece[..count]);
        }
    };
    assert!(tokio::time::timeout(PATIENCE, taking).await.is_ok(), "the server hangs");
    sending.abort();
    raw
}

impl Reply {
    /// Reads one response; gives what follows it.
    pub(crate) fn read(raw: &[u8], headless: bool) -> (Self, &[u8]) {
        let end = raw.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or_else(|| {
            panic!("no response: {:?}", String::from_utf8_lossy(raw));
        });
        let head = std::str::from_utf8(&raw[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut reply = Self { status, headers, body: Vec::new() };
        let rest = &raw[end + 4..];
        let length = reply.header("content-length").map_or(0, |text| text.parse().unwrap());
        let length = if headless { 0 } else { length };
        if reply.header("transfer-encoding").is_some() {
            reply.body = rest.to_vec();
            return (reply, &[]);
        }
        assert!(rest.len() >= length, "the answer is cut off: {}", String::from_utf8_lossy(raw));
        reply.body = rest[..length].to_vec();
        (reply, &rest[length..])
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(own, _)| own == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "`{name}` stands twice: {:?}", self.headers);
        value
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// A whole problem document with this status and code.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let shown = String::from_utf8_lossy(&self.body).into_owned();
        assert_eq!(self.status, status, "{shown}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{shown}");
        let document = self.json();
        assert_eq!(document["code"], code, "{shown}");
        assert_eq!(document["status"], status, "{shown}");
        let page = format!("https://quickconnect.app/errors/{code}");
        assert_eq!(document["type"], page, "{shown}");
        for member in ["title", "detail", "next_action", "instance"] {
            let text = document[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "no `{member}`: {shown}");
        }
        let request = document["instance"].as_str().unwrap().rsplit(':').next().unwrap();
        assert_eq!(self.header("x-request-id"), Some(request), "{shown}");
        document
    }

    /// The pointers of a problem document.
    #[track_caller]
    pub(crate) fn pointers(&self) -> Vec<String> {
        let document = self.json();
        let errors = document["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    }

    /// The run of an accepted event.
    #[track_caller]
    pub(crate) fn run(&self) -> String {
        let shown = String::from_utf8_lossy(&self.body).into_owned();
        assert_eq!(self.status, 202, "{shown}");
        let document = self.json();
        let run = document["run"].as_str().unwrap().to_owned();
        let url = format!("/api/v1/runs/{run}");
        assert_eq!(document["status_url"], url);
        assert_eq!(self.header("location"), Some(url.as_str()));
        run
    }

    pub(crate) fn replayed(&self) -> bool {
        self.header("idempotency-replayed") == Some("true")
    }
}
