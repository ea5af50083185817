-- Times are microseconds since 1970 in UTC, 0 for none. Truth values are 0 and 1.
-- Text compares by its bytes.

-- +goose Up

-- One row for each bucket that has or had configurations. Changes of what the
-- bucket has wait for each other on it.
CREATE TABLE buckets (
    bucket         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    configurations BIGINT NOT NULL
);

CREATE TABLE configurations (
    bucket       TEXT COLLATE "C" NOT NULL,
    id           TEXT COLLATE "C" NOT NULL,
    document     TEXT   NOT NULL, -- InventoryConfiguration as XML
    created      BIGINT NOT NULL,
    due          BIGINT NOT NULL,
    wake         BIGINT NOT NULL,
    suspended    BIGINT NOT NULL,
    keep_reports BIGINT NOT NULL,
    keep_days    BIGINT NOT NULL,
    runs         BIGINT NOT NULL, -- made so far
    last_run     BIGINT NOT NULL, -- seq of the newest that was not skipped, 0: none
    nested       BIGINT NOT NULL, -- the id has a slash
    PRIMARY KEY (bucket, id)
);

CREATE INDEX configurations_wake ON configurations (wake) WHERE wake > 0;
CREATE INDEX configurations_nested ON configurations (bucket, id) WHERE nested = 1;

CREATE TABLE runs (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    bucket        TEXT COLLATE "C" NOT NULL,
    configuration TEXT COLLATE "C" NOT NULL,
    kind          TEXT   NOT NULL,
    seq           BIGINT NOT NULL, -- counts the runs of the configuration from 1
    run_trigger   TEXT   NOT NULL,
    state         TEXT   NOT NULL,
    attempt       BIGINT NOT NULL,
    due           BIGINT NOT NULL,
    queued        BIGINT NOT NULL,
    started       BIGINT NOT NULL,
    ended         BIGINT NOT NULL,
    listed        BIGINT NOT NULL,
    matched       BIGINT NOT NULL,
    bytes         BIGINT NOT NULL,
    written       BIGINT NOT NULL,
    shards        BIGINT NOT NULL,
    expected      BIGINT NOT NULL,
    object_key    TEXT   NOT NULL, -- percent-encoded
    reason        TEXT   NOT NULL,
    manifest      TEXT   NOT NULL,
    destination   TEXT   NOT NULL,
    late          BIGINT NOT NULL,

    -- The process that works on an unfinished run, and until when no other process
    -- may take it, by the clock of this database; cancel: its end was requested.
    owner  TEXT   NOT NULL,
    lease  BIGINT NOT NULL,
    cancel BIGINT NOT NULL DEFAULT 0,

    -- What an unfinished run publishes, in whichever attempt.
    report BYTEA
);

CREATE UNIQUE INDEX runs_history ON runs (bucket, configuration, seq);

-- A configuration has one unfinished run of each kind, at most.
CREATE UNIQUE INDEX runs_one_unfinished ON runs (bucket, configuration, kind) WHERE ended = 0;
CREATE INDEX runs_unfinished ON runs (id) WHERE ended = 0;
CREATE INDEX runs_punctual ON runs (due) WHERE ended = 0 AND late = 0;

-- Messages to receivers outside that are not delivered yet, or were given up.
CREATE TABLE notices (
    id       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    target   TEXT COLLATE "C" NOT NULL, -- the receiver
    made     BIGINT NOT NULL,
    payload  TEXT   NOT NULL,
    attempts BIGINT NOT NULL,
    due      BIGINT NOT NULL, -- when to try next; 0: it was given up
    error    TEXT   NOT NULL  -- of the last attempt
);

CREATE INDEX notices_due ON notices (target, due, id);
CREATE INDEX notices_dead ON notices (id) WHERE due = 0;

-- Files that no manifest names, and when they were first found so.
CREATE TABLE strays (
    bucket        TEXT COLLATE "C" NOT NULL,
    configuration TEXT COLLATE "C" NOT NULL,
    object_key    TEXT COLLATE "C" NOT NULL, -- percent-encoded
    found         BIGINT NOT NULL,
    PRIMARY KEY (bucket, configuration, object_key)
);
