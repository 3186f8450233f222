-- Version 4. Rows of the audit are numbered, each by who writes it, so that one that was taken away is missed.

ALTER TABLE ledger ADD COLUMN writer INTEGER;  -- of a row of the audit; NULL: of before version 4
ALTER TABLE ledger ADD COLUMN no INTEGER;      -- of that writer's rows of the audit
CREATE INDEX ledger_audit ON ledger (seq) WHERE kind = 5;

-- The last number that each writer gave; 0 is this database's own, others came with a backup.
CREATE TABLE audit_writer (
  writer INTEGER PRIMARY KEY,
  last   INTEGER NOT NULL
) STRICT;
