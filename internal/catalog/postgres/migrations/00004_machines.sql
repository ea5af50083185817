-- +goose Up

-- What people are told of a process.
ALTER TABLE processes ADD COLUMN roles TEXT NOT NULL DEFAULT ''; -- with commas
ALTER TABLE processes ADD COLUMN version TEXT NOT NULL DEFAULT '';
ALTER TABLE processes ADD COLUMN started BIGINT NOT NULL DEFAULT 0;

-- When the attempt at work began, or the waiting for one.
ALTER TABLE tasks ADD COLUMN since BIGINT NOT NULL DEFAULT 0;

-- What one process at a time does for all, and until when no other one may.
CREATE TABLE duties (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    owner TEXT   NOT NULL, -- processes.id, or none
    lease BIGINT NOT NULL
);
INSERT INTO duties (name, owner, lease) VALUES ('scheduler', '', 0);

-- Which part of the limits of a store a process may use until when.
CREATE TABLE store_shares (
    store   TEXT COLLATE "C" NOT NULL,
    process TEXT COLLATE "C" NOT NULL,
    rate    BIGINT NOT NULL, -- requests in 1,000 seconds
    places  BIGINT NOT NULL, -- requests at once
    served  BIGINT NOT NULL, -- when it had a place last; 0: it has nothing to send
    lease   BIGINT NOT NULL,
    PRIMARY KEY (store, process)
);
