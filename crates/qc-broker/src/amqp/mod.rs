//! AMQP 0-9-1, as RabbitMQ and its kin speak it.
//!
//! Here: a broker's address, one connection with its TLS (rustls, as everywhere), a queue as a source, an exchange as a
//! sink, and what the broker's refusals mean.

mod address;
mod connect;
mod line;
mod refusal;
mod sink;
mod source;

pub use address::Address;
pub use connect::Client;
pub use sink::Exchange;
pub use source::Queue;
