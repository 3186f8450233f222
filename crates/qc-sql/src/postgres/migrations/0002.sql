-- Version 2. Signals, waits, lines, business keys, claims and the tally. `mark` and `place` columns
-- are the first half of a SHA-256 over texts that together may be longer than an index entry.

ALTER TABLE run
  ADD COLUMN trace  text COLLATE "C",
  ADD COLUMN claims bigint NOT NULL DEFAULT 0,                        -- since the last commit
  ADD COLUMN was    text COLLATE "C" NOT NULL DEFAULT 'running';      -- status before the last commit
CREATE INDEX run_event ON run (event);
CREATE INDEX run_trace ON run (trace) WHERE trace IS NOT NULL;

-- Events that runs may listen for. Places as in the ledger.
CREATE TABLE signal (
  seq        bigint PRIMARY KEY,
  mark       uuid NOT NULL UNIQUE,        -- of scope, id
  place      uuid NOT NULL,               -- of scope, kind
  scope      text COLLATE "C" NOT NULL,
  kind       text COLLATE "C" NOT NULL,
  id         text COLLATE "C" NOT NULL,
  at         bigint NOT NULL,
  expires_at bigint NOT NULL,
  body       bytea NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX signal_kind ON signal (place, at);
CREATE INDEX signal_expiry ON signal (expires_at, seq);

-- What runs wait for.
CREATE TABLE wait (
  run    uuid NOT NULL,
  id     text COLLATE "C" NOT NULL,
  bucket integer NOT NULL,
  mark   uuid NOT NULL,                   -- of scope, kind, site, key
  place  uuid NOT NULL,                   -- of scope, kind
  scope  text COLLATE "C" NOT NULL,
  kind   text COLLATE "C" NOT NULL,       -- empty: any
  site   text COLLATE "C" NOT NULL,
  key    text COLLATE "C" NOT NULL,
  PRIMARY KEY (run, id)
);
CREATE INDEX wait_mark ON wait (mark, run, id);
CREATE INDEX wait_site ON wait (place, site);

-- The lines of runs that go one after the other; the smallest `no` of a mark is first. Who joins
-- holds the line from before it has its number to its commit.
CREATE TABLE turn (
  no    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  mark  uuid NOT NULL,                    -- of scope, key
  scope text COLLATE "C" NOT NULL,
  key   text COLLATE "C" NOT NULL,
  run   uuid NOT NULL UNIQUE
);
CREATE INDEX turn_line ON turn (mark, no);

CREATE TABLE run_key (
  value text COLLATE "C" NOT NULL,
  name  text COLLATE "C" NOT NULL,
  run   uuid NOT NULL,
  PRIMARY KEY (value, name, run)
);
CREATE INDEX run_key_run ON run_key (run);

-- What was counted as it happened; survives pruning. Each connection that writes counts in a part
-- of its own, so that none waits for another; -1 counts what was pruned.
CREATE TABLE tally (
  tenant             text COLLATE "C" NOT NULL,
  environment        text COLLATE "C" NOT NULL,
  integration        text COLLATE "C" NOT NULL,
  part               integer NOT NULL,
  accepted           bigint NOT NULL DEFAULT 0,
  replays            bigint NOT NULL DEFAULT 0,
  completed          bigint NOT NULL DEFAULT 0,
  faulted            bigint NOT NULL DEFAULT 0,
  cancelled          bigint NOT NULL DEFAULT 0,
  reopened_completed bigint NOT NULL DEFAULT 0,
  reopened_faulted   bigint NOT NULL DEFAULT 0,
  reopened_cancelled bigint NOT NULL DEFAULT 0,
  pruned_completed   bigint NOT NULL DEFAULT 0,
  pruned_faulted     bigint NOT NULL DEFAULT 0,
  pruned_cancelled   bigint NOT NULL DEFAULT 0,
  dead_made          bigint NOT NULL DEFAULT 0,
  dead_settled       bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant, environment, integration, part)
) WITH (fillfactor = 50);                 -- room for counting, which touches no indexed column

-- What was never counted is taken from what is there: what was pruned before is not in it.
INSERT INTO tally (tenant, environment, integration, part, accepted, replays, completed, faulted,
                   cancelled, dead_made, dead_settled)
SELECT tenant, environment, integration, 0, sum(accepted), sum(replays), sum(completed),
       sum(faulted), sum(cancelled), sum(made), sum(settled)
FROM (
  SELECT tenant, environment, integration, 1 AS accepted, (replay_of IS NOT NULL)::integer AS replays,
         (status = 'completed')::integer AS completed, (status = 'faulted')::integer AS faulted,
         (status = 'cancelled')::integer AS cancelled, 0 AS made, 0 AS settled
  FROM run
  UNION ALL
  SELECT tenant, environment, integration, 0, 0, 0, 0, 0, 1, (state <> 'open')::integer FROM dead
) AS there
GROUP BY tenant, environment, integration;

-- `place_floor`: at or above the places of everything that was ever pruned, in transactions.
INSERT INTO fact (name, value) VALUES ('place_floor', 0);
