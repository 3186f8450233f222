//! jq expressions, bounded, in process.
//!
//! Here: reading an expression ([`Expression`]), reading a JSON tree with `${ … }` leaves
//! ([`Template`]), and evaluating both on borrowed JSON within [`Limits`]: every step, every live
//! byte and every level is counted, so that no expression can crash, hang or exhaust the process.
//! The parser and the evaluator are our own, because the existing ones neither count steps nor can
//! be interrupted.
//!
//! The dialect is jq 1.7 with these differences: an assignment binds looser than `//` (as in
//! jaq); objects are visited in the order of their keys; functions cannot call themselves; no
//! number is infinite or NaN (an operation that would make one fails, and `try` catches it); `now`
//! is the time given in [`Scope`]; regexes are those of the Rust regex crate (linear time, no
//! look-around); dates are UTC.
//!
//! Deliberately not here: the environment, other inputs, modules, time zones of the machine,
//! clocks, randomness, and any way to end the process; which variables a field of a workflow sees
//! (qc-workflow knows that).

mod builtins;
pub mod codes;
mod expression;
mod fault;
mod lexer;
mod lower;
mod machine;
mod meter;
mod native;
mod number;
mod order;
mod parser;
mod paths;
mod pattern;
mod suggest;
mod syntax;
mod template;
mod tree;
mod value;

pub use expression::{Expression, SOURCE_LIMIT, Scope};
pub use fault::{EvalError, ParseError};
pub use meter::Limits;
pub use template::Template;

/// Every function that an expression can call, as `name/arity`, in order: for completion,
/// documentation and fuzzing.
pub fn functions() -> Vec<String> {
    builtins::names().into_iter().map(|(name, arity)| format!("{name}/{arity}")).collect()
}
