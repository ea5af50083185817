-- +goose Up

-- What processes do together for an unfinished run: see internal/runner/cluster.
CREATE TABLE works (
    run     TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    stopped BIGINT NOT NULL DEFAULT 0, -- no task may write any more
    numbers BIGINT NOT NULL DEFAULT 0, -- of segments given so far
    outline TEXT,                      -- engine.RunPlan as JSON; NULL: not planned yet
    report  BYTEA,                     -- what the run would publish; NULL: not summed up yet
    kept    BYTEA,                     -- what it publishes
    outcome TEXT,                      -- inventory.Outcome as JSON; NULL: not published yet
    failure TEXT                       -- why it has failed
);

CREATE TABLE tasks (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run        TEXT COLLATE "C" NOT NULL REFERENCES works (run) ON DELETE CASCADE,
    kind       TEXT   NOT NULL, -- plan, slice, sum, publish
    done       BIGINT NOT NULL DEFAULT 0,
    generation BIGINT NOT NULL DEFAULT 1, -- the attempt that may write; one more each time it is taken from a worker
    worker     TEXT   NOT NULL DEFAULT '', -- the attempt at work; empty: it waits
    host       TEXT   NOT NULL DEFAULT '', -- where, for people
    lease      BIGINT NOT NULL DEFAULT 0,  -- until when no other attempt begins
    due        BIGINT NOT NULL DEFAULT 0,  -- it waits until then
    job        BIGINT NOT NULL DEFAULT 0,  -- of River, which wakes a worker
    input      TEXT   NOT NULL DEFAULT '', -- of a slice: engine.Slice as JSON
    result     TEXT,                       -- of a slice: []engine.SliceResult as JSON
    listed     BIGINT NOT NULL DEFAULT 0,
    matched    BIGINT NOT NULL DEFAULT 0,
    bytes      BIGINT NOT NULL DEFAULT 0,
    written    BIGINT NOT NULL DEFAULT 0,
    shards     BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX tasks_run ON tasks (run);
CREATE INDEX tasks_open ON tasks (id) WHERE done = 0;

-- The processes that are there.
CREATE TABLE processes (
    id    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    host  TEXT   NOT NULL, -- its name for people
    slots BIGINT NOT NULL, -- slices that it scans at once
    seen  BIGINT NOT NULL
);
