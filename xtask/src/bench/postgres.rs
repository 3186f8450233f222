//! PostgreSQL under one and under three nodes. Everything shares this machine, the database too:
//! three nodes show what they cost each other, not what three machines would give.

use std::io;

use super::{Server, Size, echo::Echo, measure, server::Store, table};

pub(super) async fn measure_all(size: Size) -> io::Result<u64> {
    let Some(postgres) = qc_pgserver::own(&["shared_buffers = 256MB", "max_wal_size = 4GB"]) else {
        return Ok(0);
    };
    let echo = Echo::start()?;
    let mut wrong = 0;
    println!("PostgreSQL, fsync and synchronous_commit on\n");
    table();
    let mut nodes =
        vec![Server::deployed(echo.addr, Store::Postgres(postgres.url(&postgres.database())))?];
    for count in [1, 3] {
        while nodes.len() < count {
            let next = nodes[0].beside(nodes.len() + 1)?;
            nodes.push(next);
        }
        Server::share_evenly(&nodes)?;
        for connections in [1, 16, 128] {
            let shots: Vec<_> = nodes.iter().map(|node| node.shot("accept", false)).collect();
            wrong += measure(&format!("accept, nodes: {count}"), &shots, connections, size).await;
        }
        for connections in [16, 128] {
            let shots: Vec<_> = nodes.iter().map(|node| node.shot("five-calls", true)).collect();
            wrong +=
                measure(&format!("five calls, nodes: {count}"), &shots, connections, size).await;
        }
    }
    Ok(wrong)
}
