//! The real client against real sockets on the loopback interface.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use qc_model::{Body, CallError, CallErrorKind, Caller, OutboundRequest, OutboundResponse, Reach};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
};

use super::super::{HttpCaller, HttpSettings};

fn caller() -> HttpCaller {
    HttpCaller::new(&HttpSettings {
        connect_timeout: Duration::from_millis(500),
        ..HttpSettings::default()
    })
    .unwrap()
}

fn request(url: String) -> OutboundRequest {
    OutboundRequest {
        method: Method::POST,
        url,
        headers: HeaderMap::new(),
        body: Body::Bytes(Bytes::from_static(b"{\"a\":1}")),
        timeout: Duration::from_secs(5),
        connect_timeout: None,
        reach: Reach::Anywhere,
        identity: None,
    }
}

/// Reads a request up to the end of its body (`{"a":1}`) and returns its text.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0u8; 4096];
    while !text.ends_with("{\"a\":1}") {
        let count = stream.read(&mut buffer).await.unwrap();
        assert_ne!(count, 0, "the request ended early: {text}");
        text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    text
}

/// A server that lets `serve` deal with one connection after another.
async fn server<F, S>(serve: S) -> String
where
    S: Fn(TcpStream, usize) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, number));
        }
    });
    format!("http://{address}/path?q=1")
}

async fn whole(
    response: Result<OutboundResponse, CallError>,
    limit: usize,
) -> Result<Bytes, CallError> {
    response?.body.collect(limit).await
}

#[tokio::test]
async fn a_request_goes_out_as_given_and_its_answer_comes_back() {
    let (tell, mut told) = tokio::sync::mpsc::channel(1);
    let url = server(move |mut stream, _| {
        let tell = tell.clone();
        async move {
            tell.send(read_request(&mut stream).await).await.unwrap();
            let answer = b"HTTP/1.1 302 Found\r\nLocation: /x\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nhi";
            stream.write_all(answer).await.unwrap();
        }
    })
    .await;
    let mut request = request(url);
    request.headers.insert("x-key", HeaderValue::from_static("v"));
    let response = caller().call(request).await.unwrap();
    // Redirects are the stack's business, not the client's.
    assert_eq!(response.status, 302);
    assert_eq!(response.body.collect(10).await.unwrap(), "hi");
    let sent = told.recv().await.unwrap().to_lowercase();
    assert!(sent.starts_with("post /path?q=1 http/1.1\r\n"), "{sent}");
    assert!(sent.contains("x-key: v\r\n") && sent.contains("content-length: 7\r\n"), "{sent}");
    assert!(!sent.contains("cookie") && !sent.contains("referer"), "{sent}");
}

#[tokio::test]
async fn a_refused_connection_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = caller().call(request(format!("http://{address}/"))).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (CallErrorKind::Connect, false));
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_is_ambiguous() {
    let url = server(|mut stream, _| async move {
        read_request(&mut stream).await;
        drop(stream);
    })
    .await;
    let error = caller().call(request(url)).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (CallErrorKind::Reset, true));
}

#[tokio::test]
async fn a_kept_connection_that_breaks_during_the_next_request_is_ambiguous_too() {
    let url = server(|mut stream, number| async move {
        read_request(&mut stream).await;
        assert_eq!(number, 0, "the client made a second connection, so it sent the request again");
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        read_request(&mut stream).await;
        drop(stream);
    })
    .await;
    let caller = caller();
    whole(caller.call(request(url.clone())).await, 10).await.unwrap();
    let error = caller.call(request(url)).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (CallErrorKind::Reset, true));
}

#[tokio::test]
async fn silence_ends_with_the_time() {
    let url = server(|mut stream, _| async move {
        read_request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let mut slow = request(url);
    slow.timeout = Duration::from_millis(100);
    let error = caller().call(slow).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (CallErrorKind::Timeout, true));
}

#[tokio::test]
async fn the_time_holds_for_the_body_too() {
    let url = server(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let mut slow = request(url);
    slow.timeout = Duration::from_millis(100);
    let error = whole(caller().call(slow).await, 100).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (CallErrorKind::Timeout, true));
}

#[tokio::test]
async fn an_answer_cut_off_in_its_body_is_ambiguous() {
    let url = server(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await.unwrap();
    })
    .await;
    let error = whole(caller().call(request(url)).await, 100).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (CallErrorKind::Reset, true));
}

#[tokio::test]
async fn more_than_the_limit_is_not_read() {
    let url = server(|mut stream, _| async move {
        read_request(&mut stream).await;
        // No length is given, and the body never ends; the writer ends when the reader hangs up.
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        while stream.write_all(b"400\r\n").await.is_ok()
            && stream.write_all(&[b'x'; 1024]).await.is_ok()
            && stream.write_all(b"\r\n").await.is_ok()
        {}
    })
    .await;
    let error = whole(caller().call(request(url)).await, 100_000).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (CallErrorKind::TooLarge, true));
}

#[tokio::test]
async fn what_is_not_http_is_told_apart() {
    let url = server(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(b"220 smtp.test ESMTP\r\n").await.unwrap();
    })
    .await;
    let error = caller().call(request(url)).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (CallErrorKind::Protocol, true));
}

#[tokio::test]
async fn a_failed_handshake_sent_nothing() {
    let url = server(|mut stream, _| async move {
        let mut hello = [0u8; 5];
        let _ = stream.read_exact(&mut hello).await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    })
    .await;
    let error = caller().call(request(url.replace("http:", "https:"))).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (CallErrorKind::Tls, false));
}

#[tokio::test]
async fn other_schemes_and_bad_settings_are_refused() {
    for url in ["ftp://127.0.0.1/", "file:///etc/passwd", "nonsense"] {
        let error = caller().call(request(url.to_owned())).await.unwrap_err();
        assert_eq!((error.kind, error.sent), (CallErrorKind::Refused, false));
    }
    for settings in [
        HttpSettings { proxy: Some("not a proxy".to_owned()), ..HttpSettings::default() },
        HttpSettings { authorities: Some(b"not pem".to_vec()), ..HttpSettings::default() },
    ] {
        let finding = HttpCaller::new(&settings).unwrap_err();
        assert_eq!(finding.code, crate::codes::CLIENT_SETTINGS);
    }
}

/// A listener whose queue of connections is full and that takes none from it: connecting to it never ends.
async fn deaf() -> (String, TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    for _ in 0..64 {
        let connecting = TcpStream::connect(address);
        let connected = tokio::time::timeout(Duration::from_millis(300), connecting).await;
        let Ok(connected) = connected else {
            return (format!("http://{address}/"), listener, queued);
        };
        queued.push(connected.unwrap());
    }
    panic!("the queue takes every connection");
}

#[tokio::test]
async fn a_connection_takes_no_longer_than_its_request_allows() {
    let (url, _listener, _queued) = deaf().await;
    let settings =
        HttpSettings { connect_timeout: Duration::from_secs(60), ..HttpSettings::default() };
    let caller = HttpCaller::new(&settings).unwrap();
    let mut waiting = request(url.clone());
    waiting.timeout = Duration::from_millis(700);
    // Without a time of its own it waits for the whole, and then nobody knows what was sent.
    let error = caller.call(waiting).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (CallErrorKind::Timeout, true));
    for millis in [100, 150, 100] {
        let mut impatient = request(url.clone());
        impatient.timeout = Duration::from_secs(50);
        impatient.connect_timeout = Some(Duration::from_millis(millis));
        let error = caller.call(impatient).await.unwrap_err();
        assert_eq!((error.kind, error.sent), (CallErrorKind::Timeout, false));
        assert_eq!(error.message, "no connection was made in time");
    }
}

#[tokio::test]
async fn however_many_times_to_connect_there_are_few_clients_are_kept() {
    let url = server(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    })
    .await;
    let caller = caller();
    for seconds in 1..40 {
        let mut request = request(url.clone());
        request.connect_timeout = Some(Duration::from_secs(seconds));
        assert_eq!(caller.call(request).await.unwrap().status, 204);
    }
    assert_eq!(caller.kept_clients(), 32);
}

#[tokio::test]
async fn a_streamed_body_of_known_length_goes_out_with_that_length() {
    let url = server(|mut stream, _| async move {
        let asked = read_request(&mut stream).await.to_lowercase();
        assert!(asked.contains("content-length: 7\r\n") && !asked.contains("chunked"), "{asked}");
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    })
    .await;
    let mut request = request(url);
    let chunks = [Ok(Bytes::from_static(b"{\"a\"")), Ok(Bytes::from_static(b":1}"))];
    let stream = Box::pin(futures_util::stream::iter(chunks));
    request.body = Body::Stream { length: Some(7), stream };
    assert_eq!(caller().call(request).await.unwrap().status, 204);
}

#[tokio::test]
async fn a_proxy_is_used_when_it_is_set() {
    let proxy = server(|mut stream, _| async move {
        let asked = read_request(&mut stream).await;
        assert!(asked.starts_with("POST http://desk.invalid/x HTTP/1.1\r\n"), "{asked}");
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    })
    .await;
    let proxy = proxy.trim_end_matches("/path?q=1").to_owned();
    let settings = HttpSettings { proxy: Some(proxy), ..HttpSettings::default() };
    let caller = HttpCaller::new(&settings).unwrap();
    let response = caller.call(request("http://desk.invalid/x".to_owned())).await.unwrap();
    assert_eq!(response.status, 204);
}

/// What comes from data does not reach the loopback interface, under whatever name; what the settings open, it does.
#[tokio::test]
async fn an_address_from_data_reaches_no_private_network() {
    let url = server(|mut stream, _| async move {
        read_request(&mut stream).await;
        let answer = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n";
        drop(stream.write_all(answer).await);
    })
    .await;
    let named = url.replace("127.0.0.1", "localhost");
    let public = |url: &str| OutboundRequest { reach: Reach::Public, ..request(url.to_owned()) };
    for url in [&url, &named] {
        let error = caller().call(public(url)).await.unwrap_err();
        assert_eq!((error.kind, error.sent), (CallErrorKind::OutOfReach, false), "{url}");
        assert_eq!(caller().call(request(url.clone())).await.unwrap().status, 204);
        let private = vec!["127.0.0.0/8".parse().unwrap()];
        let open = HttpCaller::new(&HttpSettings { private, ..HttpSettings::default() }).unwrap();
        assert_eq!(open.call(public(url)).await.unwrap().status, 204);
    }
}
