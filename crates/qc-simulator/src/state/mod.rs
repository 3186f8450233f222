//! What a simulated provider remembers: its resources and the keys it has seen.

mod collection;
mod remembered;
mod resources;

pub(crate) use collection::Collection;
pub(crate) use remembered::{Recall, Remembered};
pub(crate) use resources::Resources;
