-- Settings and what was learned. WAL, synchronous=FULL.
CREATE TABLE setting (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
CREATE TABLE lesson (
  change   INTEGER PRIMARY KEY,
  proposal INTEGER NOT NULL,
  lesson   TEXT    NOT NULL
) STRICT;
