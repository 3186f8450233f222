-- Version 5. Rows of the audit are numbered, each by who writes it, so that one that was taken away is missed.

ALTER TABLE ledger
  ADD COLUMN writer integer,              -- of a row of the audit; NULL: of before version 5
  ADD COLUMN no     bigint;               -- of that writer's rows of the audit
CREATE INDEX ledger_audit ON ledger (seq) WHERE kind = 'audit';

-- The last number that each writer gave. A connection that writes is a writer of its own, by its part of the tally.
CREATE TABLE audit_writer (
  writer integer PRIMARY KEY,
  last   bigint NOT NULL
) WITH (fillfactor = 50);
