//! A hundred thousand runs that are not at their end: what they hold in memory while they wait,
//! and how soon they go on after `kill -9`.

use std::{
    io,
    time::{Duration, Instant},
};

use super::{Server, Size, echo::Echo, load::send, memory, server::Store};

const CONNECTIONS: usize = 64;
/// How long all of them may take to end.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) async fn measure_all(size: Size) -> io::Result<u64> {
    println!("| {} open runs on SQLite | |\n|---|---|", size.open_runs());
    Ok(waiting(size).await? + recovering(size).await?)
}

/// Runs that wait for an hour to pass.
async fn waiting(size: Size) -> io::Result<u64> {
    let echo = Echo::start()?;
    let mut server = Server::deployed(echo.addr, Store::Sqlite)?;
    println!("| resident memory, no run yet | {} |", memory(&server));
    let wrong = send(&server.shot("waiting", false), CONNECTIONS, size.open_runs()).await;
    println!("| resident memory, all of them accepted | {} |", memory(&server));
    let took = server.start_again()?;
    println!("| start to ready with them in the store | {:.0} ms |", took.as_secs_f64() * 1000.0);
    // Whatever the sweep looks at, it has looked at: it goes round once a second at most.
    tokio::time::sleep(Duration::from_secs(5)).await;
    println!("| resident memory 5 s after the start | {} |", memory(&server));
    Ok(wrong)
}

/// Runs whose call has no answer yet when the process is killed.
async fn recovering(size: Size) -> io::Result<u64> {
    let echo = Echo::start()?;
    let mut server = Server::deployed(echo.addr, Store::Sqlite)?;
    echo.hold();
    let mut wrong = send(&server.shot("one-call", false), CONNECTIONS, size.open_runs()).await;
    server.kill()?;
    let before = echo.let_go();
    let began = Instant::now();
    let ready = server.start_again()?;
    let mut first = None;
    loop {
        let answered = echo.answered() - before;
        if answered > 0 && first.is_none() {
            first = Some(began.elapsed());
        }
        if answered >= size.open_runs() {
            break;
        }
        if began.elapsed() > PATIENCE {
            eprintln!("only {answered} calls were made anew");
            wrong += size.open_runs() - answered;
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let all = began.elapsed().as_secs_f64();
    println!("| kill -9 to ready | {:.0} ms |", ready.as_secs_f64() * 1000.0);
    println!(
        "| kill -9 to the first call | {:.0} ms |",
        first.unwrap_or_default().as_secs_f64() * 1000.0
    );
    println!("| kill -9 to the last of their calls | {all:.1} s |");
    Ok(wrong)
}
