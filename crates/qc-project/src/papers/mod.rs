//! Papers for those who rely on an integration, made from what is declared, so that they cannot say anything else.
//!
//! Here: [`changelog`] (what changes for everybody, or for one sender), [`guide`] (how to move from one version of a
//! contract to another one, with pairs of payloads that both contracts admit), [`Marks`] (the generated part of a
//! file that people write, too) and [`Migration`] (a sender's own documents, rewritten and verified).
//!
//! Not here: telling changes apart (`qc-contract`), steps and laws (`qc-version`), and files that are written (the
//! command line). A paper depends on files alone, never on the day on which it is made, but for the changelog,
//! which says what is offered at a moment.

mod changelog;
mod guide;
mod marks;
mod migration;
mod snippet;
mod terms;
#[cfg(test)]
mod tests;
mod written;

pub use changelog::{Changelog, Entry, changelog};
pub use guide::{Guide, Pair, Request, guide};
pub use marks::{Marks, Unmarked};
pub use migration::{Form, Migration, Refusal, Rewritten, Verdict};
pub use terms::{Answer, Question};
pub(crate) use written::stale;

use std::fmt::Write as _;

/// Texts of contracts come from strangers: in a cell of a table they must not end it or begin markup.
fn cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '|' => safe.push_str("\\|"),
            '<' => safe.push_str("&lt;"),
            '\n' | '\r' => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{what}");
}
