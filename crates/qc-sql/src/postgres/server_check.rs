//! What a server must be so that an acknowledged write stays: read at every connect, since a
//! failover can bring another server.

use qc_store::Durability;
use tokio_postgres::{Client, Row};

use super::OpenError;

const LOOK: &str = "SELECT current_setting('server_version_num')::integer, \
     current_setting('server_version'), current_setting('fsync'), \
     current_setting('full_page_writes'), current_setting('synchronous_commit'), \
     pg_is_in_recovery(), current_setting('transaction_read_only'), \
     current_setting('server_encoding'), current_setting('synchronous_standby_names'), \
     pg_backend_pid(), (SELECT backend_start::text FROM pg_stat_activity \
     WHERE pid = pg_backend_pid())";

/// The oldest version, as PostgreSQL counts.
const OLDEST: i32 = 150_000;

/// What a server says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerFacts {
    version_number: i32,
    pub(super) version: String,
    fsync: String,
    full_page_writes: String,
    pub(super) synchronous_commit: String,
    in_recovery: bool,
    read_only: String,
    encoding: String,
    standbys: String,
    pub(super) backend: Backend,
}

/// The server's process behind a connection; numbers of processes are used again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Backend {
    pub(super) process: i32,
    /// Its start, as the server writes it.
    pub(super) began: Option<String>,
}

impl ServerFacts {
    pub(super) async fn read(client: &Client) -> Result<Self, OpenError> {
        let row = client.query_one(LOOK, &[]).await.map_err(|error| OpenError::of(&error))?;
        Self::decode(&row).map_err(|error| OpenError::of(&error))
    }

    fn decode(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            version_number: row.try_get(0)?,
            version: row.try_get(1)?,
            fsync: row.try_get(2)?,
            full_page_writes: row.try_get(3)?,
            synchronous_commit: row.try_get(4)?,
            in_recovery: row.try_get(5)?,
            read_only: row.try_get(6)?,
            encoding: row.try_get(7)?,
            standbys: row.try_get(8)?,
            backend: Backend { process: row.try_get(9)?, began: row.try_get(10)? },
        })
    }

    /// Refuses what could lose or spoil what is stored.
    pub(super) fn check(&self) -> Result<(), OpenError> {
        if self.version_number < OLDEST {
            return Err(OpenError::TooOld { found: self.version.clone() });
        }
        if self.encoding != "UTF8" {
            return Err(OpenError::Encoding(self.encoding.clone()));
        }
        if self.in_recovery {
            return Err(OpenError::ReadOnly("it is a standby, in recovery".to_owned()));
        }
        if self.read_only != "off" {
            let why = "transactions are read-only by default (default_transaction_read_only)";
            return Err(OpenError::ReadOnly(why.to_owned()));
        }
        for (name, found) in [("fsync", &self.fsync), ("full_page_writes", &self.full_page_writes)]
        {
            if found != "on" {
                return Err(OpenError::Unsafe { name, found: found.clone() });
            }
        }
        if !["on", "remote_apply", "remote_write"].contains(&self.synchronous_commit.as_str()) {
            let found = self.synchronous_commit.clone();
            return Err(OpenError::Unsafe { name: "synchronous_commit", found });
        }
        Ok(())
    }

    /// What a commit survives: another machine, when it waits for that machine's disk.
    pub(super) fn durability(&self) -> Durability {
        if self.standbys.trim().is_empty() || self.synchronous_commit == "remote_write" {
            Durability::Machine
        } else {
            Durability::Node
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> ServerFacts {
        ServerFacts {
            version_number: 150_018,
            version: "15.18".to_owned(),
            fsync: "on".to_owned(),
            full_page_writes: "on".to_owned(),
            synchronous_commit: "on".to_owned(),
            in_recovery: false,
            read_only: "off".to_owned(),
            encoding: "UTF8".to_owned(),
            standbys: String::new(),
            backend: Backend { process: 1, began: None },
        }
    }

    #[test]
    fn what_keeps_its_word_is_taken() {
        assert_eq!(facts().check(), Ok(()));
        for mode in ["remote_apply", "remote_write"] {
            let facts = ServerFacts { synchronous_commit: mode.to_owned(), ..facts() };
            assert_eq!(facts.check(), Ok(()));
        }
        let with_standby = ServerFacts { standbys: "s1".to_owned(), ..facts() };
        assert_eq!(with_standby.durability(), Durability::Node);
        assert_eq!(facts().durability(), Durability::Machine);
    }

    #[test]
    fn what_does_not_is_refused_by_name() {
        let off = || "off".to_owned();
        let old = ServerFacts { version_number: 140_011, version: "14.11".to_owned(), ..facts() };
        assert_eq!(old.check(), Err(OpenError::TooOld { found: "14.11".to_owned() }));
        let name = |facts: ServerFacts| match facts.check() {
            Err(OpenError::Unsafe { name, .. }) => name,
            other => panic!("{other:?}"),
        };
        assert_eq!(name(ServerFacts { fsync: off(), ..facts() }), "fsync");
        assert_eq!(name(ServerFacts { full_page_writes: off(), ..facts() }), "full_page_writes");
        for mode in ["off", "local"] {
            let facts = ServerFacts { synchronous_commit: mode.to_owned(), ..facts() };
            assert_eq!(name(facts), "synchronous_commit");
        }
        let standby = ServerFacts { in_recovery: true, ..facts() };
        assert!(matches!(standby.check(), Err(OpenError::ReadOnly(_))));
        let read_only = ServerFacts { read_only: "on".to_owned(), ..facts() };
        assert!(matches!(read_only.check(), Err(OpenError::ReadOnly(_))));
        let latin = ServerFacts { encoding: "LATIN1".to_owned(), ..facts() };
        assert!(matches!(latin.check(), Err(OpenError::Encoding(_))));
    }
}
