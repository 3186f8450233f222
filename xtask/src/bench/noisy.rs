//! One tenant beside another that sends a hundred times as much, at half of what the machine can do: what the quiet one
//! sees of that.

use std::io;

use super::{
    Server, Size,
    echo::Echo,
    load::{Measured, Shot, fire, paced},
    server::Store,
};

/// How many times as much the noisy tenant sends.
const TIMES: f64 = 100.0;
/// Connections of the quiet tenant and of the noisy one.
const QUIET: u32 = 8;
const NOISY: u32 = 64;

/// A shot of a tenant's at one call, which waits for the end of its run.
fn of_tenant(server: &Server, tenant: &str) -> Shot {
    let shot = server.shot("one-call", true);
    Shot {
        head: shot.head.replace("/one-call/in ", "/one-call/of-tenant "),
        body: shot.body.replacen('{', &format!(r#"{{"tenant":"{tenant}","#), 1),
        ..shot
    }
}

/// Measures the quiet tenant alone and beside the noisy one; how many answers were wrong.
pub(super) async fn measure_all(size: Size) -> io::Result<u64> {
    let echo = Echo::start()?;
    let server = Server::deployed(echo.addr, Store::Sqlite)?;
    // Long enough that the quiet one has answers enough for a p99.
    let (warm_up, length) = (size.warm_up(), size.length() * 4);
    println!("| noisy tenant | per second | p50 ms | p99 ms |");
    println!("|---|---|---|---|");
    let (quiet, noisy) = (of_tenant(&server, "quiet"), of_tenant(&server, "noisy"));
    let whole = fire(std::slice::from_ref(&noisy), 64, warm_up, length).await;
    tell("capacity: one call, durable, 64 connections", &whole);
    let few = (whole.per_second / 2.0 / (TIMES + 1.0)).max(1.0);
    let alone = paced(&quiet, QUIET, few, warm_up, length).await;
    tell("the quiet tenant alone", &alone);
    let (beside, noise) = tokio::join!(
        paced(&quiet, QUIET, few, warm_up, length),
        paced(&noisy, NOISY, few * TIMES, warm_up, length)
    );
    tell("the quiet tenant beside the noisy one", &beside);
    tell("the noisy tenant, a hundred times as much", &noise);
    println!("| p99 beside to p99 alone | | | {:.2} |", beside.p99_ms / alone.p99_ms);
    Ok([whole, alone, beside, noise].iter().map(|one| one.wrong).sum())
}

fn tell(phase: &str, measured: &Measured) {
    let Measured { per_second, p50_ms, p99_ms, wrong, sample } = measured;
    println!("| {phase} | {per_second:.0} | {p50_ms:.2} | {p99_ms:.2} |");
    if *wrong > 0 {
        eprintln!("{phase}: {wrong} wrong; first: {}", sample.as_deref().unwrap_or_default());
    }
}
