-- Time series. WAL, synchronous=NORMAL: the last second may be lost on power loss.
CREATE TABLE series (
  id          INTEGER PRIMARY KEY,
  measurement TEXT NOT NULL,
  tags        TEXT NOT NULL,
  UNIQUE (measurement, tags)
) STRICT;
CREATE TABLE point (
  series INTEGER NOT NULL REFERENCES series (id),
  at_ns  INTEGER NOT NULL,
  value  REAL    NOT NULL,
  PRIMARY KEY (series, at_ns)
) STRICT, WITHOUT ROWID;
