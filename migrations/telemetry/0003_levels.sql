-- Coarser levels of the series: what remains of the points when they are forgotten.
CREATE TABLE bucket (
  series  INTEGER NOT NULL REFERENCES series (id),
  level_s INTEGER NOT NULL,
  at_ns   INTEGER NOT NULL,
  low     REAL    NOT NULL,
  high    REAL    NOT NULL,
  total   REAL    NOT NULL,
  count   INTEGER NOT NULL,
  PRIMARY KEY (series, level_s, at_ns)
) STRICT, WITHOUT ROWID;
-- Buckets that changed below and must be made anew.
CREATE TABLE dirty (
  level_s INTEGER NOT NULL,
  at_ns   INTEGER NOT NULL,
  series  INTEGER NOT NULL REFERENCES series (id),
  PRIMARY KEY (level_s, at_ns, series)
) STRICT, WITHOUT ROWID;
-- Nothing older is held: level 0 are the points.
CREATE TABLE horizon (
  level_s INTEGER PRIMARY KEY,
  at_ns   INTEGER NOT NULL
) STRICT;
INSERT INTO dirty SELECT DISTINCT 60, at_ns / 60000000000 * 60000000000, series FROM point WHERE at_ns >= 0;
DELETE FROM point WHERE at_ns < 0;
