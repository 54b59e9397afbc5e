-- The first version. Times are microseconds since 1970 in UTC, 0 is none.
-- Every key begins with the source's name, or belongs to a row whose key does.

CREATE TABLE revisions (
  n         INTEGER PRIMARY KEY,
  source    TEXT NOT NULL,
  commit_id TEXT NOT NULL,
  state     TEXT NOT NULL,
  title     TEXT NOT NULL,
  author    TEXT NOT NULL,
  committed INTEGER NOT NULL,
  seen      INTEGER NOT NULL,
  live      INTEGER NOT NULL,
  tasks     INTEGER NOT NULL,
  problems  TEXT NOT NULL,
  UNIQUE (source, commit_id)
);

-- What each task's schedule has come to. A row is there while the active
-- revision has the schedule.
CREATE TABLE schedules (
  source      TEXT NOT NULL,
  task        TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  considered  INTEGER NOT NULL,
  PRIMARY KEY (source, task)
) WITHOUT ROWID;

-- What outlives the runs of a task.
CREATE TABLE tasks (
  source    TEXT NOT NULL,
  task      TEXT NOT NULL,
  number    INTEGER NOT NULL, -- of the newest run
  last_run  INTEGER NOT NULL, -- n of the newest run
  last      TEXT NOT NULL,    -- state of the last conclusive run
  troubles  INTEGER NOT NULL, -- troubled runs in a row
  PRIMARY KEY (source, task)
) WITHOUT ROWID;

CREATE TABLE runs (
  n         INTEGER PRIMARY KEY,
  source    TEXT NOT NULL,
  id        TEXT NOT NULL,
  task      TEXT NOT NULL,
  task_name TEXT NOT NULL,
  number    INTEGER NOT NULL,
  revision  TEXT NOT NULL DEFAULT '',
  triggered TEXT NOT NULL,
  slot      INTEGER NOT NULL,
  due       INTEGER NOT NULL,
  created   INTEGER NOT NULL,
  started   INTEGER NOT NULL DEFAULT 0,
  ended     INTEGER NOT NULL DEFAULT 0,
  state     TEXT NOT NULL,
  reason    TEXT NOT NULL,
  exit_code INTEGER,
  attempt   INTEGER NOT NULL DEFAULT 0,
  attempts  INTEGER NOT NULL,
  payload   BLOB,
  -- The lease: while an owner is named, its process for the run may exist. The
  -- fence grows with each lease, so that a late owner can be told from the next.
  owner     TEXT NOT NULL DEFAULT '',
  expires   INTEGER NOT NULL DEFAULT 0,
  fence     INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX runs_id ON runs (id);
CREATE UNIQUE INDEX runs_number ON runs (source, task, number);
CREATE UNIQUE INDEX runs_slot ON runs (source, task, slot) WHERE slot <> 0;
CREATE INDEX runs_open ON runs (source, due) WHERE state IN ('queued', 'running');

CREATE TABLE attempts (
  run       INTEGER NOT NULL,
  number    INTEGER NOT NULL,
  started   INTEGER NOT NULL,
  ended     INTEGER NOT NULL,
  state     TEXT NOT NULL,
  exit_code INTEGER,
  signal    TEXT NOT NULL,
  pid       INTEGER NOT NULL,
  pid_start INTEGER NOT NULL,
  PRIMARY KEY (run, number)
) WITHOUT ROWID;

CREATE TABLE logs (
  run        INTEGER NOT NULL,
  attempt    INTEGER NOT NULL,
  seq        INTEGER NOT NULL,
  first_line INTEGER NOT NULL,
  first_byte INTEGER NOT NULL,
  lines      INTEGER NOT NULL,
  bytes      INTEGER NOT NULL,
  data       BLOB NOT NULL,
  PRIMARY KEY (run, attempt, seq)
) WITHOUT ROWID;

-- The outbox.
CREATE TABLE notices (
  n         INTEGER PRIMARY KEY,
  source    TEXT NOT NULL,
  id        TEXT NOT NULL,
  webhook   TEXT NOT NULL,
  run       TEXT NOT NULL, -- id; empty when it is about none
  event     TEXT NOT NULL,
  text      TEXT NOT NULL,
  channel   TEXT NOT NULL,
  created   INTEGER NOT NULL,
  state     TEXT NOT NULL,
  next      INTEGER NOT NULL,
  ended     INTEGER NOT NULL DEFAULT 0,
  expires   INTEGER NOT NULL
);
CREATE UNIQUE INDEX notices_id ON notices (id);
CREATE INDEX notices_pending ON notices (source, webhook, n) WHERE state = 'pending';
CREATE INDEX notices_run ON notices (run) WHERE run <> '';

CREATE TABLE deliveries (
  notice   INTEGER NOT NULL,
  number   INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  duration INTEGER NOT NULL,
  status   INTEGER NOT NULL,
  detail   TEXT NOT NULL,
  PRIMARY KEY (notice, number)
) WITHOUT ROWID;

-- What is left of pruned runs, so that an old link can say what it led to.
CREATE TABLE pruned (
  id     TEXT PRIMARY KEY,
  source TEXT NOT NULL,
  task   TEXT NOT NULL,
  number INTEGER NOT NULL,
  state  TEXT NOT NULL,
  ended  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX pruned_number ON pruned (source, task, number);

-- How many runs ended in each state, ever.
CREATE TABLE counts (
  source TEXT NOT NULL,
  state  TEXT NOT NULL,
  total  INTEGER NOT NULL,
  PRIMARY KEY (source, state)
) WITHOUT ROWID;
