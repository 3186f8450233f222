//! The crate from outside: the standard's conformance kit and examples, our own semantics, laws.

mod bounds;
mod calls;
mod compensation;
mod compiling;
mod conformance;
mod data_flow;
mod deadline;
mod driver;
mod editor_schema;
mod examples;
mod fork;
mod journal;
mod laws;
mod loading;
mod profile;
mod reopen;
mod retry;
mod same;
mod timeouts;
mod try_catch;
mod unavailable;
