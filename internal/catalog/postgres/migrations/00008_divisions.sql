-- +goose Up

-- How often the limits of a store were divided. A process that writes its share names
-- the version that it has read.
CREATE TABLE store_divisions (
    store   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);

-- Whether a process that has something to send has a share that it can use. served is when
-- it got that, or began to wait.
ALTER TABLE store_shares ADD COLUMN serving BOOLEAN NOT NULL DEFAULT false;
