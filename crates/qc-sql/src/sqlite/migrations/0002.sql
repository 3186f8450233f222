-- Version 2. Signals, waits, lines, business keys, claims and the tally. Nothing here costs a write
-- where it is not used, but `run_event` and the tally.

ALTER TABLE run ADD COLUMN trace TEXT;
ALTER TABLE run ADD COLUMN claims INTEGER NOT NULL DEFAULT 0;  -- since the last commit
CREATE INDEX run_event ON run (event);
CREATE INDEX run_trace ON run (trace) WHERE trace IS NOT NULL;

-- Events that runs may listen for. A place is never given twice, so that who reads on after the
-- last one misses none. Kinds are texts of senders, too many to be words.
CREATE TABLE signal (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  scope      INTEGER NOT NULL,  -- word
  kind       TEXT NOT NULL,
  id         TEXT NOT NULL,
  at         INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  body       BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX signal_id ON signal (scope, id);
CREATE INDEX signal_kind ON signal (scope, kind, at);
CREATE INDEX signal_expiry ON signal (expires_at);

-- What runs wait for. By the run's id, so that `wait_site` yields a page in its order.
CREATE TABLE wait (
  run    BLOB NOT NULL,     -- the run's id
  id     TEXT NOT NULL,
  bucket INTEGER NOT NULL,
  scope  INTEGER NOT NULL,  -- word
  kind   TEXT NOT NULL,     -- empty: any
  site   TEXT NOT NULL,
  key    TEXT NOT NULL,
  PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX wait_site ON wait (scope, kind, site, key, run, id);

-- The lines of runs that go one after the other; the smallest `no` of a scope and key is first.
CREATE TABLE turn (
  no    INTEGER PRIMARY KEY AUTOINCREMENT,
  scope INTEGER NOT NULL,  -- word
  key   TEXT NOT NULL,
  run   INTEGER NOT NULL   -- run.no
) STRICT;
CREATE INDEX turn_line ON turn (scope, key, no);
CREATE UNIQUE INDEX turn_run ON turn (run);

CREATE TABLE run_key (
  value TEXT NOT NULL,
  name  TEXT NOT NULL,
  run   INTEGER NOT NULL,  -- run.no
  PRIMARY KEY (value, name, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_key_run ON run_key (run);

-- What was counted as it happened; survives pruning.
CREATE TABLE tally (
  tenant             INTEGER NOT NULL,  -- word
  environment        INTEGER NOT NULL,  -- word
  integration        INTEGER NOT NULL,  -- word
  accepted           INTEGER NOT NULL DEFAULT 0,
  replays            INTEGER NOT NULL DEFAULT 0,
  completed          INTEGER NOT NULL DEFAULT 0,
  faulted            INTEGER NOT NULL DEFAULT 0,
  cancelled          INTEGER NOT NULL DEFAULT 0,
  reopened_completed INTEGER NOT NULL DEFAULT 0,
  reopened_faulted   INTEGER NOT NULL DEFAULT 0,
  reopened_cancelled INTEGER NOT NULL DEFAULT 0,
  pruned_completed   INTEGER NOT NULL DEFAULT 0,
  pruned_faulted     INTEGER NOT NULL DEFAULT 0,
  pruned_cancelled   INTEGER NOT NULL DEFAULT 0,
  dead_made          INTEGER NOT NULL DEFAULT 0,
  dead_settled       INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant, environment, integration)
) STRICT, WITHOUT ROWID;

-- What was never counted is taken from what is there: what was pruned before is not in it.
INSERT INTO tally (tenant, environment, integration, accepted, replays, completed, faulted,
                   cancelled, dead_made, dead_settled)
SELECT tenant, environment, integration, sum(accepted), sum(replays), sum(completed),
       sum(faulted), sum(cancelled), sum(made), sum(settled)
FROM (
  SELECT tenant, environment, integration, 1 AS accepted, replay_of IS NOT NULL AS replays,
         status = 3 AS completed, status = 4 AS faulted, status = 5 AS cancelled,
         0 AS made, 0 AS settled
  FROM run
  UNION ALL
  SELECT tenant, environment, integration, 0, 0, 0, 0, 0, 1, state <> 0 FROM dead
)
GROUP BY tenant, environment, integration;
