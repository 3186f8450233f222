-- Version 4. Runs that go behind the others. Bodies of events and journal entries beyond 16 KiB may be markers of large
-- bodies, which programs of version 3 would take for the bodies.

ALTER TABLE run ADD COLUMN low bigint NOT NULL DEFAULT 0; -- 1: behind the others
