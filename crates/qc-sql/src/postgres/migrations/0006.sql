-- Version 6. Limits that nodes share: what is used of each, and the slices that nodes have drawn of it.

CREATE TABLE budgets (
  key     bytea PRIMARY KEY,              -- 16 bytes: a hash of the limit and of whom it counts
  full_at bigint NOT NULL,                -- nanoseconds since 1970: from then on the row says nothing
  body    bytea NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX budgets_full ON budgets (full_at);
