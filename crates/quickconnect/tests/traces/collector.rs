//! A collector on loopback that keeps what it is sent.

#![allow(dead_code, reason = "each test program looks at its part of it")]

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// The collector; it lives as long as the test.
pub(crate) struct Collector {
    address: SocketAddr,
    exports: Arc<Mutex<Vec<Value>>>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let exports = Arc::new(Mutex::default());
        let kept = Arc::clone(&exports);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                let service = service_fn(move |request| take(Arc::clone(&kept), request));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // How a connection ends is the sender's affair.
                tokio::spawn(async move { drop(connection.await) });
            }
        });
        Self { address, exports }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything received, as text.
    pub(crate) fn text(&self) -> String {
        self.exports.lock().unwrap().iter().map(Value::to_string).collect()
    }

    /// All spans received. Everything else of the exports is looked at here.
    pub(crate) fn spans(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for export in self.exports.lock().unwrap().iter() {
            let [of_resource] = &export["resourceSpans"].as_array().unwrap()[..] else {
                panic!("one resource: {export:#}")
            };
            assert_eq!(attribute(&of_resource["resource"], "service.name"), "quickconnect");
            // The node's name: the machine's, and a part by chance.
            let node = attribute(&of_resource["resource"], "service.instance.id");
            assert!(node.as_str().is_some_and(|node| node.len() > 7), "{node}");
            assert_ne!(attribute(&of_resource["resource"], "service.version"), &Value::Null);
            for of_scope in of_resource["scopeSpans"].as_array().unwrap() {
                all.extend(of_scope["spans"].as_array().unwrap().iter().cloned());
            }
        }
        all
    }
}

async fn take(
    kept: Arc<Mutex<Vec<Value>>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/v1/traces"));
    assert_eq!(request.headers()["content-type"], "application/json");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    kept.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    Ok(Response::new(Full::new(Bytes::from_static(b"{}"))))
}

/// An attribute's value, without its type.
pub(crate) fn attribute<'v>(of: &'v Value, key: &str) -> &'v Value {
    let all = of["attributes"].as_array().unwrap();
    let found = all.iter().find(|one| one["key"] == key).map(|one| &one["value"]);
    found.and_then(|value| value.as_object()?.values().next()).unwrap_or(&Value::Null)
}
