//! The guides say nothing that the program does not do, as far as a program can tell: commands and flags exist, snippets
//! check, tables agree with what they were made from, codes have pages and links lead somewhere.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod commands;
mod compose;
mod pages;
mod snippets;
mod tables;
