-- +goose Up
ALTER TABLE configurations ADD COLUMN keep_reports BIGINT NOT NULL DEFAULT 0;
ALTER TABLE configurations ADD COLUMN keep_days BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN late BIGINT NOT NULL DEFAULT 0;

CREATE INDEX runs_punctual ON runs (due) WHERE ended = 0 AND late = 0;

-- What is still to be told to the world, and what could not be.
CREATE TABLE notices (
    id       TEXT   NOT NULL PRIMARY KEY,
    target   TEXT   NOT NULL, -- the webhook to notify
    made     BIGINT NOT NULL,
    payload  TEXT   NOT NULL,
    attempts BIGINT NOT NULL,
    due      BIGINT NOT NULL, -- when to try next; 0: it is dead
    error    TEXT   NOT NULL  -- of the last attempt
);

CREATE INDEX notices_due ON notices (target, due, id);
CREATE INDEX notices_dead ON notices (id) WHERE due = 0;

-- Files that no manifest names, and when they were first found so.
CREATE TABLE strays (
    bucket        TEXT   NOT NULL,
    configuration TEXT   NOT NULL,
    object_key    TEXT   NOT NULL, -- percent-encoded
    found         BIGINT NOT NULL,
    PRIMARY KEY (bucket, configuration, object_key)
);

-- +goose Down
DROP TABLE strays;
DROP TABLE notices;
DROP INDEX runs_punctual;
ALTER TABLE runs DROP COLUMN late;
ALTER TABLE configurations DROP COLUMN keep_days;
ALTER TABLE configurations DROP COLUMN keep_reports;
