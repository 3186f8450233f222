-- Version 3. Runs that go behind the others.

ALTER TABLE run ADD COLUMN low INTEGER NOT NULL DEFAULT 0;
