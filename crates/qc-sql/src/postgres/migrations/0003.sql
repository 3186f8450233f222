-- Version 3. Large bodies, in chunks, under their hashes, for the runs that hold a marker.

CREATE TABLE blob (
  no      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  hash    bytea UNIQUE,                   -- NULL: it is being written, or on its way out
  size    bigint NOT NULL DEFAULT 0,
  touched timestamptz NOT NULL DEFAULT clock_timestamp()  -- when it was written last; -infinity: on its way out
);
CREATE INDEX blob_unsettled ON blob (touched) WHERE hash IS NULL;

CREATE TABLE blob_chunk (
  blob bigint NOT NULL,                   -- blob.no
  no   integer NOT NULL,
  body bytea NOT NULL,
  PRIMARY KEY (blob, no)
);
ALTER TABLE blob_chunk ALTER COLUMN body SET STORAGE EXTERNAL;  -- mostly compressed already

CREATE TABLE blob_marker (
  hash bytea NOT NULL,
  run  uuid NOT NULL,
  PRIMARY KEY (hash, run)
);
CREATE INDEX blob_marker_run ON blob_marker (run);
