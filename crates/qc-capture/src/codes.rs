//! The error codes of this crate. Each has a page in `docs/errors/`.

use qc_model::Code;

/// There is no such capture.
pub const NO_CAPTURE: Code = Code::new("QC-A037");
/// A capture cannot be asked for, decided on or ended so.
pub const CAPTURE: Code = Code::new("QC-A038");
/// What a capture held cannot be seen: it is over, or nobody agreed to it.
pub const CAPTURE_CLOSED: Code = Code::new("QC-A039");
