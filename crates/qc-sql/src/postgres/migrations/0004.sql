-- Version 4. Bodies of events and journal entries beyond 16 KiB may be markers of large bodies. Nothing is changed here:
-- the number keeps programs of version 3, which would take a marker for the body, from reading them.
SELECT 1;
