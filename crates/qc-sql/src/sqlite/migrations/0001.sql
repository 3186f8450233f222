-- Version 1. Times are milliseconds since 1970; ids are 16 big-endian bytes, so that they sort by
-- the time of their making; `word` columns refer to texts that repeat.

CREATE TABLE word (
  no   INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
) STRICT;

-- A run by a small number, so that journal, event and indexes stay small and new runs lie together.
CREATE TABLE run (
  no          INTEGER PRIMARY KEY,
  id          BLOB NOT NULL,
  bucket      INTEGER NOT NULL,
  tenant      INTEGER NOT NULL,  -- word
  environment INTEGER NOT NULL,  -- word
  integration INTEGER NOT NULL,  -- word
  trigger     INTEGER NOT NULL,  -- word
  release     INTEGER NOT NULL,  -- word
  event       BLOB NOT NULL,
  subject     TEXT,
  origin      BLOB,              -- NULL: the run itself
  replay_of   BLOB,
  accepted_at INTEGER NOT NULL,
  status      INTEGER NOT NULL,  -- 0 running, 1 waiting, 2 parked, 3 completed, 4 faulted, 5 cancelled
  cause       INTEGER NOT NULL,  -- 0 ended, 1 activity, 2 timer, 3 parked
  wake_at     INTEGER,
  summary     TEXT,
  updated_at  INTEGER NOT NULL,
  ended_at    INTEGER,           -- updated_at, while the run is at its end
  version     INTEGER NOT NULL,
  last_txn    BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX run_id ON run (id);
CREATE INDEX run_open ON run (id, bucket) WHERE ended_at IS NULL;
CREATE INDEX run_due ON run (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX run_ended ON run (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX run_subject ON run (subject) WHERE subject IS NOT NULL;

CREATE TABLE event (
  run         INTEGER PRIMARY KEY,  -- run.no
  received_at INTEGER NOT NULL,
  body        BLOB NOT NULL
) STRICT;

-- Append-only: new entries of all runs lie together; the index finds those of one run in order.
CREATE TABLE journal (
  seq  INTEGER PRIMARY KEY,
  run  INTEGER NOT NULL,  -- run.no
  at   INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT;
CREATE INDEX journal_run ON journal (run);

CREATE TABLE idempotency (
  scope      INTEGER NOT NULL,  -- word
  key        TEXT NOT NULL,
  body_hash  BLOB NOT NULL,
  run        BLOB NOT NULL,     -- the run's id: the key may outlive the run
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_expiry ON idempotency (expires_at);

CREATE TABLE dead (
  run         BLOB PRIMARY KEY,  -- the run's id
  tenant      INTEGER NOT NULL,  -- word
  environment INTEGER NOT NULL,  -- word
  integration INTEGER NOT NULL,  -- word
  at          INTEGER NOT NULL,
  state       INTEGER NOT NULL,  -- 0 open, 1 retried, 2 discarded
  fingerprint TEXT NOT NULL,
  code        TEXT NOT NULL,
  summary     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
  seq         INTEGER PRIMARY KEY,
  at          INTEGER NOT NULL,
  kind        INTEGER NOT NULL,  -- 0 event, 1 run, 2 task, 3 call, 4 decision, 5 audit
  tenant      INTEGER NOT NULL,  -- word
  environment INTEGER,           -- word
  integration INTEGER,           -- word
  run         BLOB,
  event       BLOB,
  actor       TEXT NOT NULL,
  subject     TEXT NOT NULL,
  outcome     INTEGER NOT NULL,  -- word
  code        INTEGER,           -- word
  facts       BLOB NOT NULL
) STRICT;
CREATE INDEX ledger_run ON ledger (run) WHERE run IS NOT NULL;

-- The earliest and latest moment of every 1,024 places of the ledger: finds a time without an
-- index entry for each row, also when clocks have jumped.
CREATE TABLE ledger_span (
  no     INTEGER PRIMARY KEY,  -- seq / 1024
  at_min INTEGER NOT NULL,
  at_max INTEGER NOT NULL
) STRICT;

CREATE TABLE document (
  no         INTEGER PRIMARY KEY,
  kind       TEXT NOT NULL,
  name       TEXT NOT NULL,
  revision   INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  body       BLOB NOT NULL,
  UNIQUE (kind, name)
) STRICT;

-- Single numbers: `lease_epoch`, the newest epoch of any lease; `ledger_floor`, the highest place
-- of a ledger row ever removed.
CREATE TABLE fact (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
