-- The ledger: what must never be lost. WAL, synchronous=FULL.
CREATE TABLE audit (
  seq       INTEGER PRIMARY KEY,
  at_ns     INTEGER NOT NULL,
  operator  TEXT,
  signature TEXT,
  mode      TEXT    NOT NULL,
  kind      TEXT    NOT NULL,
  body      TEXT    NOT NULL,
  prev_hash TEXT    NOT NULL,
  hash      TEXT    NOT NULL
) STRICT;
CREATE TABLE journal (
  change   INTEGER NOT NULL,
  idx      INTEGER NOT NULL,
  finished INTEGER NOT NULL,
  record   TEXT    NOT NULL,
  PRIMARY KEY (change, idx)
) STRICT;
-- A permit's number is burnt before the first byte goes out; the primary key makes it one-use.
CREATE TABLE permit (
  id       INTEGER PRIMARY KEY,
  change   INTEGER NOT NULL UNIQUE,
  proposal INTEGER NOT NULL,
  operator TEXT    NOT NULL,
  plan     TEXT    NOT NULL
) STRICT;
CREATE TABLE mark (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT;
