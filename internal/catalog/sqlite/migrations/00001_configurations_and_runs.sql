-- Times are microseconds since 1970 in UTC, 0 for none. Truth values are 0 and 1.
-- Text compares by its bytes.

-- +goose Up

-- One row for each bucket that has or had configurations. The row is what two
-- puts to the same bucket wait for each other on, so that the limit holds.
CREATE TABLE buckets (
    bucket         TEXT   NOT NULL PRIMARY KEY,
    configurations BIGINT NOT NULL
);

CREATE TABLE configurations (
    bucket    TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    document  TEXT   NOT NULL, -- InventoryConfiguration as XML
    created   BIGINT NOT NULL,
    due       BIGINT NOT NULL,
    wake      BIGINT NOT NULL,
    suspended BIGINT NOT NULL,
    runs      BIGINT NOT NULL, -- made so far
    last_run  BIGINT NOT NULL, -- seq of the newest that was not skipped, 0: none
    PRIMARY KEY (bucket, id)
);

CREATE INDEX configurations_wake ON configurations (wake) WHERE wake > 0;

CREATE TABLE runs (
    id            TEXT   NOT NULL PRIMARY KEY,
    bucket        TEXT   NOT NULL,
    configuration TEXT   NOT NULL,
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
    destination   TEXT   NOT NULL
);

CREATE UNIQUE INDEX runs_history ON runs (bucket, configuration, seq);

-- A configuration has one run that goes, at most.
CREATE UNIQUE INDEX runs_going ON runs (bucket, configuration) WHERE ended = 0;
CREATE INDEX runs_unfinished ON runs (id) WHERE ended = 0;

-- +goose Down
DROP TABLE runs;
DROP TABLE configurations;
DROP TABLE buckets;
