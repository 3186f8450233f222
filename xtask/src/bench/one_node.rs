//! One node on SQLite, beside what a proxy that keeps nothing costs.

use std::io;

use super::{
    Server, Size, echo::Echo, event, load::Shot, measure, memory, nginx, server::Store, table,
};

pub(super) async fn measure_all(size: Size) -> io::Result<u64> {
    let echo = Echo::start()?;
    let mut wrong = 0;
    table();
    let floor = Shot {
        addr: echo.addr,
        head: "POST /echo HTTP/1.1\r\nhost: echo\r\ncontent-type: application/json\r\n".to_owned(),
        body: event(),
        expect: 200,
    };
    for connections in [1, 16, 64] {
        wrong +=
            measure("floor: straight to the echo", std::slice::from_ref(&floor), connections, size)
                .await;
    }
    match nginx::Nginx::start(echo.addr) {
        Ok(nginx) => {
            let through = [Shot { addr: nginx.addr, ..floor.clone() }];
            for connections in [1, 16, 64] {
                wrong += measure("nginx as a bare proxy", &through, connections, size).await;
            }
        }
        Err(error) => println!("| nginx: not measured ({error}) | | | | |"),
    }

    let mut server = Server::deployed(echo.addr, Store::Sqlite)?;
    let started_in = server.start_again()?;
    println!("| cold start to ready | | {:.0} ms | | |", started_in.as_secs_f64() * 1000.0);
    println!("| resident memory, idle, the releases loaded | | {} | | |", memory(&server));
    for connections in [1, 16, 128] {
        let shot = [server.shot("accept", false)];
        wrong += measure("accept: 202 after fsync", &shot, connections, size).await;
    }
    for connections in [1, 16, 64] {
        let shot = [server.shot("one-call", true)];
        wrong += measure("one call, synchronous, durable", &shot, connections, size).await;
    }
    for connections in [16, 64, 256] {
        let shot = [server.shot("five-calls", true)];
        wrong += measure("five calls, synchronous, durable", &shot, connections, size).await;
    }
    println!("| resident memory after the load | | {} | | |", memory(&server));
    Ok(wrong)
}
