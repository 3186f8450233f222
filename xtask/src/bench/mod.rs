//! The benchmarks of the whole binary: closed loop, 1 KiB events, durable, phases one after
//! another, everything on this machine. What is compared runs in the same session.

mod echo;
mod load;
mod nginx;
mod server;

use std::{io, process::ExitCode, time::Duration};

use load::{Measured, Shot, fire};
use server::Server;

/// How long it measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// For figures.
    Full,
    /// To see that it works.
    Quick,
}

impl Size {
    fn warm_up(self) -> Duration {
        if self == Self::Full { Duration::from_secs(2) } else { Duration::from_millis(200) }
    }

    fn length(self) -> Duration {
        if self == Self::Full { Duration::from_secs(8) } else { Duration::from_millis(500) }
    }
}

/// Runs all phases; non-zero when one of them had wrong answers.
pub(crate) fn run(size: Size) -> ExitCode {
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("no runtime: {error}");
                return ExitCode::FAILURE;
            }
        };
    match runtime.block_on(phases(size)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(wrong) => {
            eprintln!("{wrong} answers were wrong");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("the benchmark could not run: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn phases(size: Size) -> io::Result<u64> {
    let echo = echo::start()?;
    let mut wrong = 0;
    println!("| phase | connections | per second | p50 ms | p99 ms |");
    println!("|---|---|---|---|---|");

    let floor = Shot {
        addr: echo,
        head: "POST /echo HTTP/1.1\r\nhost: echo\r\ncontent-type: application/json\r\n".to_owned(),
        body: event(),
        expect: 200,
    };
    for connections in [1, 16, 64] {
        wrong += measure("floor: straight to the echo", &floor, connections, size).await;
    }
    match nginx::Nginx::start(echo) {
        Ok(nginx) => {
            let through = Shot { addr: nginx.addr, ..floor.clone() };
            for connections in [1, 16, 64] {
                wrong += measure("nginx as a bare proxy", &through, connections, size).await;
            }
        }
        Err(error) => println!("| nginx: not measured ({error}) | | | | |"),
    }

    let server = Server::start(echo)?;
    println!("| cold start to ready | | {:.0} ms | | |", server.started_in.as_secs_f64() * 1000.0);
    println!("| resident memory, idle, three releases loaded | | {} | | |", memory(&server));
    for connections in [1, 16, 128] {
        wrong +=
            measure("accept: 202 after fsync", &server.shot("accept", false), connections, size)
                .await;
    }
    for connections in [1, 16, 64] {
        wrong += measure(
            "one call, synchronous, durable",
            &server.shot("one-call", true),
            connections,
            size,
        )
        .await;
    }
    for connections in [16, 64] {
        wrong += measure(
            "five calls, synchronous, durable",
            &server.shot("five-calls", true),
            connections,
            size,
        )
        .await;
    }
    println!("| resident memory after the load | | {} | | |", memory(&server));
    Ok(wrong)
}

fn memory(server: &Server) -> String {
    server.resident_mib().map_or_else(|| "unknown".to_owned(), |mib| format!("{mib:.0} MiB"))
}

async fn measure(phase: &str, shot: &Shot, connections: usize, size: Size) -> u64 {
    let Measured { per_second, p50_ms, p99_ms, wrong, sample } =
        fire(shot, connections, size.warm_up(), size.length()).await;
    println!("| {phase} | {connections} | {per_second:.0} | {p50_ms:.2} | {p99_ms:.2} |");
    if wrong > 0 {
        eprintln!("{phase} at {connections}: {wrong} wrong; first: {}", sample.unwrap_or_default());
    }
    wrong
}

/// An event of 1 KiB whose id never repeats.
fn event() -> String {
    let begin = r#"{"id":"@ID@","pad":""#;
    // `@ID@` becomes 20 digits.
    let padding = 1024 - (begin.len() - 4 + 20) - 2;
    format!("{begin}{}\"}}", "x".repeat(padding))
}
