-- Version 3. Runs that go behind the others. Rows of the audit have a time of their own: a span knows the earliest of either class,
-- 9223372036854775807 when there is none; `at_min` is that of the others. Both begin as the earliest of all, and are
-- made exact when the span is looked at. Bodies beyond 16 KiB may be markers of large bodies, which version 2 would
-- have taken for the bodies.

ALTER TABLE ledger_span ADD COLUMN audit_min INTEGER NOT NULL DEFAULT 9223372036854775807;
UPDATE ledger_span SET audit_min = at_min;

ALTER TABLE run ADD COLUMN low INTEGER NOT NULL DEFAULT 0;
