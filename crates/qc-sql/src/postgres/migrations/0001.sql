-- Version 1, in the schema `quickconnect`. Times are milliseconds since 1970. Ids are UUIDs that
-- sort by the time of their making. Texts compare byte by byte, as in Rust; a NUL, which PostgreSQL
-- cannot hold, is written as U+0001 U+0001, and U+0001 itself as U+0001 U+0002.

-- Single numbers: `schema_version`; `lease_epoch`, the newest epoch of any lease; `ledger_base`,
-- what is added to a transaction's number to give places in the ledger.
CREATE TABLE fact (
  name  text COLLATE "C" PRIMARY KEY,
  value bigint NOT NULL
);
INSERT INTO fact (name, value) VALUES ('schema_version', 1), ('lease_epoch', 0), ('ledger_base', 0);

-- Who may take runs further: ranges of buckets that never overlap. A commit holds its lease's rows
-- FOR KEY SHARE, so that renewals (which change `until` only) go on beside it and a new owner,
-- who locks them FOR UPDATE, waits for it.
CREATE TABLE lease (
  first  integer PRIMARY KEY,
  beyond integer NOT NULL,
  node   text COLLATE "C" NOT NULL,
  epoch  bigint NOT NULL,
  until  timestamptz NOT NULL,
  CHECK (first >= 0 AND first < beyond)
);
CREATE INDEX lease_epoch ON lease (epoch);

-- Which nodes live: those whose moment is to come.
CREATE TABLE node (
  name  text COLLATE "C" PRIMARY KEY,
  until timestamptz NOT NULL
);

CREATE TABLE run (
  id          uuid PRIMARY KEY,
  bucket      integer NOT NULL,
  tenant      text COLLATE "C" NOT NULL,
  environment text COLLATE "C" NOT NULL,
  integration text COLLATE "C" NOT NULL,
  trigger     text COLLATE "C" NOT NULL,
  release     text COLLATE "C" NOT NULL,
  event       uuid NOT NULL,
  subject     text COLLATE "C",
  origin      uuid,                       -- NULL: the run itself
  replay_of   uuid,
  accepted_at bigint NOT NULL,
  status      text COLLATE "C" NOT NULL,
  cause       text COLLATE "C" NOT NULL,
  wake_at     bigint,
  summary     text COLLATE "C",
  updated_at  bigint NOT NULL,
  ended_at    bigint,                     -- updated_at, while the run is at its end
  version     bigint NOT NULL,
  last_txn    uuid NOT NULL
) WITH (fillfactor = 70);                 -- room for steps, which touch no indexed column
CREATE INDEX run_open ON run (id) INCLUDE (bucket) WHERE ended_at IS NULL;
CREATE INDEX run_due ON run (wake_at, id) INCLUDE (bucket) WHERE wake_at IS NOT NULL;
CREATE INDEX run_ended ON run (ended_at, id) WHERE ended_at IS NOT NULL;
-- A part of the text: an index entry has a greatest size, a subject has none.
CREATE INDEX run_subject ON run (left(subject, 200), id) WHERE subject IS NOT NULL;

CREATE TABLE event (
  run         uuid PRIMARY KEY,
  received_at bigint NOT NULL,
  body        bytea NOT NULL
);

-- Append-only. The key is the order, and a step's entries cannot be written twice.
CREATE TABLE journal (
  run     uuid NOT NULL,
  version bigint NOT NULL,                -- of the run after the step
  no      integer NOT NULL,               -- within the step
  at      bigint NOT NULL,
  body    bytea NOT NULL,
  PRIMARY KEY (run, version, no)
);

CREATE TABLE idempotency (
  scope      text COLLATE "C" NOT NULL,
  key        text COLLATE "C" NOT NULL,
  body_hash  bytea NOT NULL,
  run        uuid NOT NULL,               -- may outlive the run
  claimed_at bigint NOT NULL,             -- by the clock of the accept
  expires_at bigint NOT NULL,
  PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_expiry ON idempotency (expires_at);

CREATE TABLE dead (
  run         uuid PRIMARY KEY,
  tenant      text COLLATE "C" NOT NULL,
  environment text COLLATE "C" NOT NULL,
  integration text COLLATE "C" NOT NULL,
  at          bigint NOT NULL,
  state       text COLLATE "C" NOT NULL,
  fingerprint text COLLATE "C" NOT NULL,
  code        text COLLATE "C" NOT NULL,
  summary     text COLLATE "C" NOT NULL
);

-- `seq` is (number of the writing transaction + ledger_base) * 65536 + the row's number within it.
-- So the order of places is the order of transactions, and a reader who stops below the oldest
-- transaction that still writes misses nothing.
CREATE TABLE ledger (
  seq         bigint PRIMARY KEY,
  at          bigint NOT NULL,
  kind        text COLLATE "C" NOT NULL,
  tenant      text COLLATE "C" NOT NULL,
  environment text COLLATE "C",
  integration text COLLATE "C",
  run         uuid,
  event       uuid,
  actor       text COLLATE "C" NOT NULL,
  subject     text COLLATE "C" NOT NULL,
  outcome     text COLLATE "C" NOT NULL,
  code        text COLLATE "C",
  facts       bytea NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX ledger_run ON ledger (run, seq) WHERE run IS NOT NULL;
-- Finds a time without an entry for each row.
CREATE INDEX ledger_at ON ledger USING brin (at) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE document (
  kind       text COLLATE "C" NOT NULL,
  name       text COLLATE "C" NOT NULL,
  revision   bigint NOT NULL,
  updated_at bigint NOT NULL,
  body       bytea NOT NULL,
  PRIMARY KEY (kind, name)
);
