//! What a limit costs at a door, beside nginx's `limit_req` before the echo server: how fast what is too much is refused,
//! and what a limit takes from what comes in.

use std::io;

use super::{
    Server, Size,
    echo::Echo,
    load::{Measured, Shot, fire, send},
    measure,
    nginx::Nginx,
    server::Store,
    table,
};

const CONNECTIONS: usize = 64;

/// Measures both; how many answers were wrong.
pub(super) async fn measure_all(size: Size) -> io::Result<u64> {
    let echo = Echo::start()?;
    let server = Server::deployed(echo.addr, Store::Sqlite)?;
    let refused = server.shot("refused", false);
    let through = |nginx: &Nginx, expect: u16| Shot {
        addr: nginx.addr,
        head: refused.head.clone(),
        expect,
        ..refused.clone()
    };
    table();
    let mut wrong = 0;
    {
        let strict = Nginx::limited(echo.addr, "1r/m", 1)?;
        // What there is of both quotas is used up first.
        let (ours, theirs) = (Shot { expect: 429, ..refused.clone() }, through(&strict, 429));
        for shot in [&ours, &theirs] {
            send(shot, 1, 5).await;
        }
        wrong += measure("nginx limit_req, refused", &[theirs], CONNECTIONS, size).await;
        wrong += measure("a limit, refused", &[ours], CONNECTIONS, size).await;
    }
    let (free, roomy) =
        (Nginx::start(echo.addr)?, Nginx::limited(echo.addr, "1000000r/s", 1_000_000)?);
    let pairs = [
        ("nginx", through(&free, 200), through(&roomy, 200)),
        ("accept, durable", server.shot("accept", false), server.shot("let-in", false)),
    ];
    for (name, without, with) in pairs {
        let mut rates = Vec::new();
        for (what, shot) in [("without a limit", without), ("with its limits", with)] {
            let measured = fire(&[shot], CONNECTIONS, size.warm_up(), size.length()).await;
            let Measured { per_second, p50_ms, p99_ms, wrong: more, .. } = &measured;
            println!(
                "| {name}, {what} | {CONNECTIONS} | {per_second:.0} | {p50_ms:.2} | {p99_ms:.2} |"
            );
            wrong += more;
            rates.push(*per_second);
        }
        println!("| {name}: with to without | | {:.2} | | |", rates[1] / rates[0]);
    }
    Ok(wrong)
}
