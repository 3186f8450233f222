use std::fmt;

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A stable error code such as `QC-W012`. Every code has a page, `docs/errors/QC-W012.md`; a test
/// of the workspace checks both directions. A code never changes its meaning.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(Cow<'static, str>);

impl Code {
    /// Declares a code. `text` has the form `QC-<letter><three digits>`.
    pub const fn new(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address of the code's page, as used in the `type` of a problem document.
    pub fn page(&self) -> String {
        page_of(&self.0)
    }
}

/// The address of a code's page, of a code as text.
pub fn page_of(code: &str) -> String {
    format!("https://quickconnect.app/errors/{code}")
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
