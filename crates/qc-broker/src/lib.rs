//! Message brokers: where events come from and go to, besides HTTP.
//!
//! Here: the seam ([`Source`] and [`Sink`], a few methods each), the loops over it ([`consume`]: a message is
//! acknowledged once its taker says that it is on disk, and [`publish`]: a message counts as gone once the broker has
//! confirmed it), and the one broker protocol that is spoken so far, AMQP 0-9-1 ([`amqp`]).
//!
//! Deliberately not here: what a message means (the taker is the same door that takes events over HTTP), what is
//! published and how far it has come (the engine keeps a durable cursor), and making queues, exchanges or bindings:
//! they belong to whoever runs the broker.

pub mod amqp;
pub mod codes;
mod consume;
mod fault;
mod pause;
mod publish;
mod seam;
mod sender;

pub use consume::{Link, Taker, Verdict, consume};
pub use fault::Fault;
pub use pause::Pauses;
pub use publish::{Outbox, Queued, publish};
pub use seam::{Delivery, Intake, Message, Outgoing, Outlet, Settlement, Sink, Source};
