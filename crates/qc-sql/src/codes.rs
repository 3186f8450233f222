//! The codes of findings about a store that cannot be opened; each has a page in `docs/errors/`.

use qc_model::Code;

/// The directory of the database does not exist.
pub const DIRECTORY_MISSING: Code = Code::new("QC-S001");
/// The file is not an SQLite database.
pub const NOT_A_DATABASE: Code = Code::new("QC-S002");
/// The database or its write-ahead log is damaged.
pub const DAMAGED: Code = Code::new("QC-S003");
/// The database was written by a newer version.
pub const NEWER_SCHEMA: Code = Code::new("QC-S004");
/// Another process uses the database.
pub const LOCKED: Code = Code::new("QC-S005");
/// The database or its directory cannot be written.
pub const READ_ONLY: Code = Code::new("QC-S006");
/// SQLite did not take a setting on which durability depends.
pub const SETTING: Code = Code::new("QC-S007");
/// The database belongs to another application.
pub const FOREIGN: Code = Code::new("QC-S008");
/// The disk is full.
pub const DISK_FULL: Code = Code::new("QC-S009");
/// The operating system or SQLite refused for another reason.
pub const CANNOT_OPEN: Code = Code::new("QC-S010");
/// The place for a backup, or for what is restored, is taken.
pub const PLACE_TAKEN: Code = Code::new("QC-S011");
/// A backup is not whole, or not as it was written.
pub const BACKUP_DAMAGED: Code = Code::new("QC-S012");
/// A backup could not be made or restored.
pub const BACKUP_FAILED: Code = Code::new("QC-S013");
/// Nobody answers at the address of the PostgreSQL server.
pub const UNREACHABLE: Code = Code::new("QC-S014");
/// The PostgreSQL server does not accept user or password.
pub const SIGN_IN: Code = Code::new("QC-S015");
/// The database on the PostgreSQL server does not exist.
pub const NO_DATABASE: Code = Code::new("QC-S016");
/// TLS with the PostgreSQL server cannot be had as `sslmode` asks.
pub const TLS_REFUSED: Code = Code::new("QC-S017");
/// The PostgreSQL server is older than 15.
pub const SERVER_TOO_OLD: Code = Code::new("QC-S018");
/// A setting of the PostgreSQL server can lose what was acknowledged.
pub const UNSAFE_SETTING: Code = Code::new("QC-S019");
/// The PostgreSQL server takes no writes.
pub const READ_ONLY_SERVER: Code = Code::new("QC-S020");
/// The database has another encoding than UTF-8.
pub const ENCODING: Code = Code::new("QC-S021");
/// The user may not make the schema.
pub const NO_RIGHT: Code = Code::new("QC-S022");
/// The database into which a backup should go holds something.
pub const TARGET_NOT_EMPTY: Code = Code::new("QC-S023");
/// The database into which a backup should go is in use.
pub const TARGET_IN_USE: Code = Code::new("QC-S024");
/// A backup has a format that this version does not read.
pub const BACKUP_FORMAT: Code = Code::new("QC-S025");
/// The database has another schema than the program that should back it up.
pub const BACKUP_SCHEMA: Code = Code::new("QC-S026");
/// There is no database to back up.
pub const NOTHING_TO_BACK_UP: Code = Code::new("QC-S027");
