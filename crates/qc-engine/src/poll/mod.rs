//! Polls: systems that send nothing by themselves are asked again and again for what is new.
//!
//! One poll is: read the durable cursor, ask, judge each item as an event that came, accept them all, and move the
//! cursor in the commit that accepts the last of them. A poll that breaks off anywhere is repeated from the old cursor,
//! and the items' own keys tell what had come before; so nothing is doubled and nothing is skipped.

mod ask;
mod cursor;
mod keep;
mod take;

use std::time::Duration;

use qc_expression::Expression;
use serde_json::Value;

/// What is asked, and how often.
#[derive(Debug)]
pub struct PollTrigger {
    /// The connector, of the release.
    pub connector: String,
    /// Its operation, which changes nothing.
    pub operation: String,
    /// The operation's arguments, over `{cursor, vars}`; none when absent.
    pub arguments: Option<Expression>,
    /// How often it is asked.
    pub every: Duration,
    /// The list of items, over the answer.
    pub items: Expression,
    /// The next cursor, over `{cursor, answer, items}`.
    pub cursor: Expression,
    /// The first cursor.
    pub start: Value,
    /// The type of the event that an item becomes.
    pub event_type: String,
}
