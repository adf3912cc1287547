-- Topics of the bus: where their numbers go on after a restart, and where their readers stand.
CREATE TABLE topic (
  name TEXT PRIMARY KEY,
  next INTEGER NOT NULL
) STRICT;
CREATE TABLE place (
  reader TEXT NOT NULL,
  topic  TEXT NOT NULL,
  next   INTEGER NOT NULL,
  PRIMARY KEY (reader, topic)
) STRICT, WITHOUT ROWID;
