//! A closed-loop HTTP/1.1 load generator: so many connections, each with one request under way.
//! Lean on purpose, since it shares two cores with what it measures.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// The largest answer that is read.
const ANSWER_MAX: usize = 256 * 1024;

/// What is sent, again and again.
#[derive(Clone)]
pub(crate) struct Shot {
    /// Where to.
    pub(crate) addr: SocketAddr,
    /// Request line and header fields, without content-length and without the empty line.
    pub(crate) head: String,
    /// The body; `@ID@` is replaced by a number that never repeats, padded to 20 digits.
    pub(crate) body: String,
    /// The status that counts as success.
    pub(crate) expect: u16,
}

/// What was measured.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// Answers with the expected status, per second.
    pub(crate) per_second: f64,
    /// Median latency in milliseconds.
    pub(crate) p50_ms: f64,
    /// 99th percentile of the latency in milliseconds.
    pub(crate) p99_ms: f64,
    /// Answers with another status, and broken connections.
    pub(crate) wrong: u64,
    /// The first wrong answer, for the report.
    pub(crate) sample: Option<String>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Sends `count` of them from `connections`; how many were answered wrongly.
pub(crate) async fn send(shot: &Shot, connections: usize, count: u64) -> u64 {
    let left = Arc::new(AtomicU64::new(count));
    let shot = Arc::new(shot.clone());
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (shot, left) = (Arc::clone(&shot), Arc::clone(&left));
        tasks.spawn(async move {
            let take =
                || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
            connection(&shot, Instant::now(), || take().is_ok()).await
        });
    }
    let mut wrong = 0;
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(one) => {
                wrong += one.wrong;
                if let Some(sample) = one.sample {
                    eprintln!("{sample}");
                }
            }
            Err(_) => wrong += 1,
        }
    }
    wrong
}

/// Fires from `connections` at once, at each of `shots` in turn: first `warm_up`, which is not
/// counted, then `length`.
pub(crate) async fn fire(
    shots: &[Shot],
    connections: usize,
    warm_up: Duration,
    length: Duration,
) -> Measured {
    let start = Instant::now() + warm_up;
    let end = start + length;
    let mut tasks = JoinSet::new();
    for shot in shots.iter().cycle().take(connections) {
        let shot = shot.clone();
        tasks.spawn(async move { connection(&shot, start, || Instant::now() < end).await });
    }
    measured(tasks, length).await
}

/// Sends so many a second from `connections`, whatever the answers take: a time counts from the moment at which its
/// request was due, so that a slow answer is not hidden by the requests that it holds up.
pub(crate) async fn paced(
    shot: &Shot,
    connections: u32,
    per_second: f64,
    warm_up: Duration,
    length: Duration,
) -> Measured {
    let began = Instant::now();
    let (start, end) = (began + warm_up, began + warm_up + length);
    let pause = Duration::from_secs_f64(f64::from(connections) / per_second);
    let mut tasks = JoinSet::new();
    for place in 0..connections {
        let shot = shot.clone();
        let first = began + pause.mul_f64(f64::from(place) / f64::from(connections));
        tasks.spawn(async move {
            let mut one = One::default();
            let mut stream = None;
            let mut due = first;
            while due < end {
                tokio::time::sleep_until(due.into()).await;
                fire_one(&shot, &mut stream, start, due, &mut one).await;
                due += pause;
            }
            one
        });
    }
    measured(tasks, length).await
}

async fn measured(mut tasks: JoinSet<One>, length: Duration) -> Measured {
    let mut latencies = Vec::new();
    let (mut wrong, mut sample) = (0, None);
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(mut one) => {
                latencies.append(&mut one.latencies);
                wrong += one.wrong;
                sample = sample.or(one.sample);
            }
            Err(_) => wrong += 1,
        }
    }
    latencies.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index of a list that fits memory"
        )]
        let index =
            ((latencies.len() as f64 * share) as usize).min(latencies.len().saturating_sub(1));
        latencies.get(index).map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0)
    };
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 answers")]
    let per_second = latencies.len() as f64 / length.as_secs_f64();
    Measured { per_second, p50_ms: at(0.5), p99_ms: at(0.99), wrong, sample }
}

#[derive(Default)]
struct One {
    latencies: Vec<u32>,
    wrong: u64,
    sample: Option<String>,
    buffer: Vec<u8>,
}

async fn connection(shot: &Shot, start: Instant, more: impl Fn() -> bool) -> One {
    let mut one = One::default();
    let mut stream = None;
    while more() {
        fire_one(shot, &mut stream, start, Instant::now(), &mut one).await;
    }
    one
}

/// Sends one request that was due at a moment, and counts its answer.
async fn fire_one(
    shot: &Shot,
    stream: &mut Option<TcpStream>,
    start: Instant,
    due: Instant,
    one: &mut One,
) {
    let open = match stream.take() {
        Some(open) => Ok(open),
        None => connect(shot.addr).await,
    };
    let Ok(mut open) = open else {
        one.wrong += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
        return;
    };
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    let body = shot.body.replace("@ID@", &format!("{id:020}"));
    let request = format!("{}content-length: {}\r\n\r\n{body}", shot.head, body.len());
    match exchange(&mut open, request.as_bytes(), &mut one.buffer).await {
        Ok(status) if status == shot.expect => {
            if due >= start {
                one.latencies.push(u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            *stream = Some(open);
        }
        Ok(_) => {
            one.wrong += 1;
            let answer = || String::from_utf8_lossy(&one.buffer).chars().take(600).collect();
            one.sample.get_or_insert_with(answer);
            *stream = Some(open);
        }
        Err(error) => {
            one.wrong += 1;
            one.sample.get_or_insert_with(|| error.to_string());
        }
    }
}

async fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends one request and reads its whole answer (with a content-length); the status.
async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> io::Result<u16> {
    stream.write_all(request).await?;
    buffer.clear();
    let mut needed = None;
    loop {
        if needed.is_none()
            && let Some(end) = find(buffer, b"\r\n\r\n")
        {
            needed = Some(end + 4 + content_length(&buffer[..end]));
        }
        if needed.is_some_and(|needed| buffer.len() >= needed) {
            return status(buffer).ok_or_else(|| io::Error::other("the answer is not HTTP"));
        }
        if buffer.len() > ANSWER_MAX {
            return Err(io::Error::other("the answer is too long"));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn status(answer: &[u8]) -> Option<u16> {
    std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}

pub(super) fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head);
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}
