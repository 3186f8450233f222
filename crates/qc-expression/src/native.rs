//! The builtins that take their arguments as values, by subject.

pub(crate) mod arithmetic;
pub(crate) mod arrays;
mod dates;
pub(crate) mod formats;
mod math;
mod objects;
pub(crate) mod ordering;
pub(crate) mod strings;
pub(crate) mod text;

use crate::tree::Plain;

pub(crate) type Table = &'static [(&'static str, usize, Plain)];

/// Every native builtin.
pub(crate) fn tables() -> [Table; 6] {
    [arrays::TABLE, dates::TABLE, math::TABLE, objects::TABLE, strings::TABLE, text::TABLE]
}
