//! Events from and to a real broker: RabbitMQ, started by the test as a user without rights, on ports of its own.
//!
//! One broker serves all of it, a virtual host for each part. Without RabbitMQ (Debian package `rabbitmq-server`) the
//! test says loudly that it skips; with `QC_NEED_RABBITMQ=1` its absence is an error.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../stage/mod.rs"]
mod stage;

#[path = "../surroundings/certificates.rs"]
#[allow(dead_code, reason = "a client that speaks HTTP is needed elsewhere only")]
mod certificates;
mod intake;
mod line;
mod rabbit;
mod refusals;
mod routes;
mod secured;

use std::io::Write as _;

/// Says something that is seen also when the test passes.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_come_from_a_broker_and_go_to_one() {
    let Some(mut rabbit) = rabbit::Rabbit::start().await else { return };
    tokio::join!(
        secured::connections_are_secured_and_a_stranger_is_not_trusted(&rabbit),
        refusals::what_cannot_be_reached_or_taken_is_said(&rabbit),
        intake::nothing_is_lost_or_doubled_however_often_the_server_is_killed(&rabbit),
    );
    intake::a_broker_that_restarts_is_found_again(&mut rabbit).await;
    routes::each_event_goes_out_whatever_ends_in_between(&mut rabbit).await;
}
