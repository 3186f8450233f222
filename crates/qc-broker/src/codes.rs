//! The codes of this crate: QC-B for brokers. Each has a page in `docs/errors`.

use qc_model::Code;

/// The broker does not answer, or ended the connection.
pub const UNREACHABLE: Code = Code::new("QC-B001");
/// The broker refuses the user or its password.
pub const LOGIN: Code = Code::new("QC-B002");
/// There is no such virtual host, or the user may not enter it.
pub const VIRTUAL_HOST: Code = Code::new("QC-B003");
/// There is no such queue, or the user may not read it.
pub const QUEUE: Code = Code::new("QC-B004");
/// There is no such exchange, or the user may not write to it.
pub const EXCHANGE: Code = Code::new("QC-B005");
/// The broker's address cannot be used.
pub const ADDRESS: Code = Code::new("QC-B006");
/// The broker did not take a message into its care.
pub const NOT_CONFIRMED: Code = Code::new("QC-B007");
/// The broker's certificate is not trusted, or TLS fails otherwise.
pub const TLS: Code = Code::new("QC-B008");
