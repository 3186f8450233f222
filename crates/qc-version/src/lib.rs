//! Several live versions of one contract, and how a document of one becomes a document of another. Pure: documents,
//! dates and moments in, documents and verdicts out.
//!
//! Here: [`Naming`] and [`VersionName`] (what versions are called, and which is newer), [`Window`] and [`State`] (how
//! long a version lives), [`Step`] and [`Chain`] (taking documents up and down), [`laws`] (what a chain must keep,
//! checked on documents), [`Versions`] (all of it for one contract: which version somebody speaks) [`usage`]
//! (who uses what of it), [`expectation`] (what consumers say that they need) and [`gate`] (whether a release may take another one's place).
//!
//! Not here: reading files and telling where in them something is wrong (`qc-project`), comparing two contracts
//! (`qc-contract`), clocks (a moment is given), and HTTP (`qc-server`).

mod chain;
pub mod codes;
pub mod expectation;
pub mod gate;
pub mod laws;
mod name;
mod path;
mod step;
pub mod usage;
mod versions;
mod window;

pub use chain::{Chain, ConvertError};
pub use name::{Date, Naming, Semver, VersionName};
pub use path::Path;
pub use step::{Budget, Direction, Fill, Jq, Move, Step, Stuck, Words};
pub use usage::Usage;
pub use versions::{Entry, Guide, Select, Spoken, Unknown, Versions};
pub use window::{State, Window};
