//! The crate from outside: the standard's conformance kit and examples, our own semantics, laws.

mod bounds;
mod calls;
mod compiling;
mod conformance;
mod data_flow;
mod driver;
mod editor_schema;
mod examples;
mod fork;
mod laws;
mod loading;
mod reopen;
mod retry;
mod timeouts;
mod try_catch;
