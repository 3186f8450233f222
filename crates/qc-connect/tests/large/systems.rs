//! Two systems at the other ends of real sockets: one that gives a large body, one that takes it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aws_lc_rs::digest::{Context, SHA256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Mutex, mpsc},
};

const BLOCK: usize = 1 << 16;

/// Some bytes that differ from block to block.
fn block(number: u64) -> Vec<u8> {
    let mut block = Vec::with_capacity(BLOCK);
    let mut state = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    while block.len() < BLOCK {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        block.extend_from_slice(&state.to_le_bytes());
    }
    block
}

fn hex(context: Context) -> String {
    use std::fmt::Write;
    context.finish().as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Answers every request with a body of known bytes.
pub(crate) struct Download {
    pub(crate) url: String,
}

impl Download {
    /// Promises `promised` bytes and breaks off after `sent`.
    pub(crate) async fn serve(promised: u64, sent: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/file", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                read_head(&mut stream).await;
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {promised}\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).await.unwrap();
                for number in 0..sent / BLOCK as u64 {
                    stream.write_all(&block(number)).await.unwrap();
                }
            }
        });
        Self { url }
    }
}

/// The hash of what a [`Download`] of this size gives.
pub(crate) fn hash_of(size: u64) -> String {
    let mut context = Context::new(&SHA256);
    (0..size / BLOCK as u64).for_each(|number| context.update(&block(number)));
    hex(context)
}

/// What an upload was.
pub(crate) struct Uploaded {
    pub(crate) head: String,
    pub(crate) file_size: u64,
    pub(crate) file_hash: String,
}

/// Takes multipart bodies in which a file stands first.
pub(crate) struct Upload {
    pub(crate) url: String,
    /// Bytes of bodies that have arrived.
    pub(crate) received: Arc<AtomicU64>,
    uploads: Mutex<mpsc::Receiver<Uploaded>>,
}

impl Upload {
    pub(crate) fn serve() -> Self {
        Self::breaking_after(u64::MAX)
    }

    pub(crate) fn breaking_after(limit: u64) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Little waits in the receiver's buffer, so that what is counted is in the sender.
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(8).unwrap();
        let url = format!("http://{}/upload", listener.local_addr().unwrap());
        let received = Arc::new(AtomicU64::new(0));
        let (tell, uploads) = mpsc::channel(8);
        let counter = Arc::clone(&received);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                if let Some(upload) = take(stream, &counter, limit).await {
                    tell.send(upload).await.unwrap();
                }
            }
        });
        Self { url, received, uploads: Mutex::new(uploads) }
    }

    pub(crate) async fn last(&self) -> Uploaded {
        self.uploads.lock().await.recv().await.unwrap()
    }
}

/// Reads up to the empty line; what came of the body stands behind it.
async fn read_head(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let body = bytes.split_off(end + 4);
            return (String::from_utf8(bytes).unwrap().to_lowercase(), body);
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the head ends early");
    }
}

async fn take(mut stream: TcpStream, counter: &AtomicU64, limit: u64) -> Option<Uploaded> {
    let (head, mut bytes) = read_head(&mut stream).await;
    let field = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {head}")).trim().to_owned()
    };
    let length: u64 = field("content-length:").parse().unwrap();
    let boundary = field("content-type:").split("boundary=").nth(1).unwrap().to_owned();
    // Behind the file stands what is written here, title included: its length tells where the file ends.
    let title = format!(
        "\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nas it came\r\n--{boundary}--\r\n"
    );
    let bare = format!("\r\n--{boundary}--\r\n");
    let (mut context, mut file_size, mut got) = (Context::new(&SHA256), 0, 0);
    let mut part_head: Option<u64> = None;
    let mut tail = Vec::new();
    loop {
        counter.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        got += bytes.len() as u64;
        if got >= limit {
            return None;
        }
        tail.append(&mut bytes);
        if part_head.is_none()
            && let Some(end) = tail.windows(4).position(|four| four == b"\r\n\r\n")
        {
            part_head = Some(end as u64 + 4);
            tail.drain(..end + 4);
        }
        // The end may be the file's or not: only what is certainly the file's is hashed.
        if part_head.is_some() && tail.len() > title.len() {
            let certain = tail.len() - title.len();
            context.update(&tail[..certain]);
            file_size += certain as u64;
            tail.drain(..certain);
        }
        if got >= length {
            break;
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the body ends early");
    }
    assert_eq!(got, length, "more than was promised");
    let rest = if tail.ends_with(title.as_bytes()) {
        tail.len() - title.len()
    } else {
        assert!(tail.ends_with(bare.as_bytes()));
        tail.len() - bare.len()
    };
    context.update(&tail[..rest]);
    file_size += rest as u64;
    stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await.unwrap();
    Some(Uploaded { head, file_size, file_hash: hex(context) })
}
