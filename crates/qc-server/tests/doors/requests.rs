//! Requests as requests: heads, methods, addresses and connections.

use std::time::Duration;

use qc_server::ServerSettings;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    client::{Ask, Reply, exchange},
    world::{World, door},
};

async fn impatient() -> World {
    let settings =
        ServerSettings { head_timeout: Duration::from_millis(200), ..ServerSettings::default() };
    World::with(settings).await
}

/// Sends these bytes, then nothing, and waits for the server to close.
async fn given_up(world: &World, bytes: &[u8]) -> bool {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let ending = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(5), ending).await.is_ok()
}

#[tokio::test]
async fn a_head_that_does_not_come_is_given_up() {
    let world = impatient().await;
    assert!(given_up(&world, b"POST /in/production/doors/json HTTP/1.1\r\nhost: ").await);
    assert!(given_up(&world, b"G").await);
    assert!(given_up(&world, b"").await, "a connection on which nothing ever comes");
    assert!(given_up(&world, b"P").await, "what may become HTTP/1 or HTTP/2");
    assert!(given_up(&world, b"PRI * HTTP/2.0\r\n").await, "half a preface of HTTP/2");
    assert!(given_up(&world, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await, "idle afterwards");
}

#[tokio::test]
async fn a_short_request_may_take_longer_than_its_head() {
    let world = impatient().await;
    let ask = Ask::post(&door("json"), r#"{"mode":"slow"}"#).header("prefer", "wait=1");
    world.ask(ask).await.run();
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_order() {
    let world = World::new().await;
    let one = |key: usize, end: &str| {
        let body = format!(r#"{{"n":{key}}}"#);
        format!(
            "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{end}\r\n{body}",
            door("json"),
            body.len()
        )
    };
    let mut all: String = (0..49).map(|n| one(n, "")).collect();
    all.push_str(&one(49, "connection: close\r\n"));
    let raw = exchange(world.address, all.as_bytes()).await;
    let mut rest = &raw[..];
    for n in 0..50 {
        let (reply, next) = Reply::read(rest, false);
        assert_eq!(world.data(&reply.run()).await["n"], n);
        rest = next;
    }
    assert!(rest.is_empty());
}

#[tokio::test]
async fn old_and_odd_protocols_do_no_harm() {
    let world = World::new().await;
    let raw = exchange(world.address, b"GET /healthz HTTP/1.0\r\n\r\n").await;
    assert_eq!(Reply::read(&raw, false).0.status, 200);
    for odd in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"GET /healthz HTTP/9.9\r\nhost: x\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0\0\0\0\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"GET http://other/api/v1/runs HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: x\r\n folded: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nho st: x\r\n\r\n",
        b"BREW /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(odd).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut raw = Vec::new();
        let ending = stream.read_to_end(&mut raw);
        let ended = tokio::time::timeout(Duration::from_secs(5), ending).await;
        assert!(ended.is_ok(), "{}", String::from_utf8_lossy(odd));
        if !raw.is_empty() {
            let status = Reply::read(&raw, false).0.status;
            assert!((400..500).contains(&status), "{status} {}", String::from_utf8_lossy(odd));
        }
    }
    assert_eq!(world.ask(Ask::get("/healthz")).await.status, 200);
}

#[tokio::test]
async fn heads_are_bounded() {
    let world = World::new().await;
    let many = (0..200).fold(Ask::get("/healthz"), |ask, n| ask.header(&format!("x-{n}"), "1"));
    assert_eq!(world.ask(many).await.status, 431);
    let huge = Ask::get("/healthz").header("x-a", &"a".repeat(200_000));
    assert_eq!(world.ask(huge).await.status, 431);
    let endless = Ask::get(&format!("/healthz?{}", "a".repeat(70_000)));
    assert!([414, 431].contains(&world.ask(endless).await.status));
    assert_eq!(
        world.ask(Ask::get("/healthz").header("x-a", &"a".repeat(20_000))).await.status,
        200
    );
}

#[tokio::test]
async fn unknown_addresses_are_unknown_and_never_files() {
    let world = World::new().await;
    for path in [
        "/",
        "/api",
        "/api/v1",
        "/api/v2/runs",
        "/index.html",
        "/in",
        "/.env",
        "/api/v1/../../etc/passwd",
        "//",
        "/api/v1/runs/",
        "/api//v1/runs",
        "/healthz/",
        "/%00",
    ] {
        let reply = world.ask(Ask::get(path).token(&world.owner)).await;
        reply.problem(404, "QC-A010");
        assert!(!String::from_utf8_lossy(&reply.body).contains("passwd"));
    }
    for path in [
        "/in/",
        "/in/production",
        "/in/production/doors",
        "/in/production/doors/",
        "/in/production/doors/json/",
        "/in/production/doors/json/more",
        "/in/production/other/json",
        "/in/staging/doors/json",
        "/in/production/doors/../doors/json",
        "/in/production//json",
        "/in/production/doors/JSON",
        "/in/production/doors/json%00",
        "/in/production/doors%2Fjson",
        "/in/%2e%2e/doors/json",
        "/in/production/doors/%FF",
    ] {
        world.ask(Ask::post(path, "{}")).await.problem(404, "QC-I001");
    }
    assert_eq!(world.runs().await, 0);
    // A query is no part of the address.
    world.ask(Ask::post(&format!("{}?a=1&b", door("json")), "{}")).await.run();
}

#[tokio::test]
async fn wrong_methods_are_told_the_right_ones() {
    let world = World::new().await;
    for (method, path, allow) in [
        ("DELETE", "/api/v1/runs", "GET, HEAD"),
        ("PUT", "/api/v1/releases", "GET, HEAD, POST"),
        ("GET", "/api/v1/tokens/AAAAAAAA", "DELETE"),
        ("GET", "/api/v1/runs/run_00000000000000000000000001/cancel", "POST"),
        ("OPTIONS", "/api/v1/runs", "GET, HEAD"),
        ("PROPFIND", "/api/v1/runs", "GET, HEAD"),
    ] {
        let reply = world.ask(Ask::new(method, path).token(&world.owner)).await;
        reply.problem(405, "QC-A011");
        let mut allowed: Vec<&str> = reply.header("allow").unwrap().split(", ").collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(", "), allow, "{method} {path}");
    }
    for method in ["GET", "PUT", "DELETE", "HEAD", "PATCH", "TRACE", "BREW"] {
        let reply = world.ask(Ask::new(method, &door("json"))).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")), "{method}");
    }
    for probe in ["/healthz", "/readyz"] {
        let reply = world.ask(Ask::new("POST", probe)).await;
        reply.problem(405, "QC-A011");
        assert_eq!(reply.header("allow"), Some("GET, HEAD"));
    }
}

#[tokio::test]
async fn a_head_request_gets_the_head() {
    let world = World::new().await;
    for path in ["/healthz", "/api/v1/runs", "/api/v1/server"] {
        let reply = world.ask(Ask::new("HEAD", path).token(&world.owner)).await;
        assert_eq!((reply.status, reply.body.as_slice()), (200, &b""[..]), "{path}");
    }
    assert_eq!(world.ask(Ask::new("HEAD", "/api/v1/runs")).await.status, 401);
    assert_eq!(
        world.ask(Ask::new("HEAD", "/api/v1/happenings").token(&world.owner)).await.status,
        200
    );
}

#[tokio::test]
async fn a_request_is_named_by_us_unless_a_trusted_proxy_names_it() {
    let world = World::new().await;
    let ask = Ask::get("/healthz").header("x-request-id", "mine");
    assert_ne!(world.ask(ask.clone()).await.header("x-request-id"), Some("mine"));
    let trusted = qc_server::TrustedProxies::new(vec!["127.0.0.1".parse().unwrap()]);
    let settings = ServerSettings { trusted_proxies: trusted, ..ServerSettings::default() };
    let world = World::with(settings).await;
    assert_eq!(world.ask(ask.clone()).await.header("x-request-id"), Some("mine"));
    for odd in ["a b", "", "<script>", &"x".repeat(65)] {
        let reply = world.ask(ask.clone().with("x-request-id", odd)).await;
        assert_ne!(reply.header("x-request-id"), Some(odd));
    }
}
