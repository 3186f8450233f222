//! A system that says everything back that it is told, in its body, its headers and its errors: the worst that can be
//! called.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use serde_json::json;

/// What its token endpoint gives; the second is for an account.
pub(crate) const ACCESS: &str = "cnry-access+token/of\"the=client";
pub(crate) const REFRESH: &str = "cnry-refresh+token/of\"the=account";
/// The longest request that it reads.
const LONGEST: usize = 64 << 10;

/// Begins to serve; its port.
pub(crate) fn start() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for caller in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer(caller));
        }
    });
    port
}

fn answer(mut caller: TcpStream) {
    let request = read(&mut caller);
    let path = request.split_whitespace().nth(1).unwrap_or("/").to_owned();
    let echo = json!({"error": request, "said": request, "id": "1"}).to_string();
    let (status, body) = match path.split(['/', '?']).nth(1).unwrap_or_default() {
        "token" => {
            let tokens =
                json!({"access_token": ACCESS, "refresh_token": REFRESH, "expires_in": 900});
            ("200 OK", tokens.to_string())
        }
        "ok" => ("200 OK", echo),
        "bad" => ("400 Bad Request", echo),
        "refused" => ("401 Unauthorized", echo),
        "gone" => ("302 Found", echo),
        "broken" => ("500 Internal Server Error", echo),
        "garbage" => ("200 OK", format!("<html>{request}")),
        // It hangs up.
        _ => return,
    };
    let flat: String = request.chars().filter(|c| !c.is_control()).collect();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nlocation: http://127.0.0.1:1{path}\r\nx-echo: {flat}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // Who asked may be gone.
    drop(caller.write_all(head.as_bytes()).and_then(|()| caller.write_all(body.as_bytes())));
}

/// Head and body of a request, as far as they come.
fn read(caller: &mut TcpStream) -> String {
    caller.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    while request.len() < LONGEST {
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
            });
            if body.len() >= length.unwrap_or(0) {
                break;
            }
        }
        match caller.read(&mut chunk) {
            Ok(count) if count > 0 => request.extend_from_slice(&chunk[..count]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&request).into_owned()
}
