-- Version 4. Runs that go behind the others.

ALTER TABLE run ADD COLUMN low boolean NOT NULL DEFAULT false;
