//! What data may go where: the classes of fields, and the policy of their movement.
//!
//! Here: [`DataClass`]; [`Labels`], the class of each field of a document by its path; [`Movement`], rules that let a
//! field pass to a destination, mask it, put a token in its place, or refuse the whole; and [`Known`], the values of
//! which a class is known, wherever they turn up, in texts too.
//!
//! PURE: the key of tokens is an argument.
//!
//! Deliberately not here: how policies and labels are written, what is sent, and where it is stored.

mod class;
mod known;
mod labels;
mod movement;
mod token;

#[cfg(test)]
mod tests;

pub use class::DataClass;
pub use known::{Known, MASK, spellings};
pub use labels::{Labels, classes};
pub use movement::{Denied, Destination, Movement, Rule, Sent, Verdict};
pub use token::TokenKey;
