-- +goose Up
ALTER TABLE runs ADD COLUMN kind TEXT NOT NULL DEFAULT 'full';

-- The process that works on an unfinished run, and until when no other process may
-- take it, by the clock of the machine; cancel: its end was requested.
ALTER TABLE runs ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN lease BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN cancel BIGINT NOT NULL DEFAULT 0;

-- A configuration has one unfinished run of each kind, at most.
DROP INDEX runs_going;
CREATE UNIQUE INDEX runs_one_unfinished ON runs (bucket, configuration, kind) WHERE ended = 0;
CREATE INDEX runs_owner ON runs (owner) WHERE ended = 0;

-- What an unfinished run publishes, in whichever attempt: the bytes of its
-- manifest, as its runner encodes them.
CREATE TABLE reports (
    run  TEXT NOT NULL PRIMARY KEY,
    body BLOB NOT NULL
);

-- +goose Down
DROP TABLE reports;
DROP INDEX runs_owner;
DROP INDEX runs_one_unfinished;
CREATE UNIQUE INDEX runs_going ON runs (bucket, configuration) WHERE ended = 0;
ALTER TABLE runs DROP COLUMN cancel;
ALTER TABLE runs DROP COLUMN lease;
ALTER TABLE runs DROP COLUMN owner;
ALTER TABLE runs DROP COLUMN kind;
