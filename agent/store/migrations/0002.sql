-- What tasks remember from run to run, how far a run is, and the HTTP request
-- that triggered it (JSON; empty when none did).

CREATE TABLE states (
  source  TEXT NOT NULL,
  task    TEXT NOT NULL,
  key     TEXT NOT NULL,
  value   BLOB NOT NULL, -- JSON
  updated INTEGER NOT NULL,
  PRIMARY KEY (source, task, key)
) WITHOUT ROWID;

-- When a webhook was last told of a task's trouble, and of how many it was not
-- told since.
CREATE TABLE tellings (
  source   TEXT NOT NULL,
  task     TEXT NOT NULL,
  webhook  TEXT NOT NULL,
  told     INTEGER NOT NULL,
  left_out INTEGER NOT NULL,
  PRIMARY KEY (source, task, webhook)
) WITHOUT ROWID;

ALTER TABLE runs ADD COLUMN progress TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN request TEXT NOT NULL DEFAULT '';
