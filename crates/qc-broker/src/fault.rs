use std::fmt;

use qc_model::{Code, Finding};

/// Why a broker cannot be used now. Holds no secret and no payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its stable code.
    pub code: Code,
    /// What happened.
    pub message: String,
    /// What the reader does about it.
    pub help: &'static str,
}

impl Fault {
    /// A fault.
    pub fn new(code: Code, message: impl Into<String>, help: &'static str) -> Self {
        Self { code, message: message.into(), help }
    }

    /// As people see it.
    pub fn finding(&self) -> Finding {
        Finding::error(self.code.clone(), self.message.clone()).help(self.help)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.code, self.message)
    }
}
