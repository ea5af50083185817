-- +goose Up

-- A listing of a bucket that several unfinished runs share: see internal/runner/cluster.
CREATE TABLE listings (
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    bucket  TEXT COLLATE "C" NOT NULL,
    login   TEXT COLLATE "C" NOT NULL, -- how the bucket is listed
    prefix  TEXT COLLATE "C" NOT NULL, -- of all keys that are listed, percent-encoded
    closed  BIGINT NOT NULL DEFAULT 0, -- no other run may join it
    numbers BIGINT NOT NULL DEFAULT 0  -- of segments given so far
);
CREATE INDEX listings_open ON listings (bucket) WHERE closed = 0;

-- The listing that a run shares; NULL: it lists the bucket by itself, or all is listed.
ALTER TABLE works ADD COLUMN listing TEXT COLLATE "C" REFERENCES listings (id);
ALTER TABLE works ADD COLUMN prefix TEXT COLLATE "C" NOT NULL DEFAULT ''; -- of the keys of such a run, percent-encoded
CREATE INDEX works_listing ON works (listing) WHERE listing IS NOT NULL;

-- Tasks of a listing are of no run. members has what the attempt at work is writing for which
-- run: {run: [listed, matched, bytes, written, shards]}.
ALTER TABLE tasks ALTER COLUMN run DROP NOT NULL;
ALTER TABLE tasks ADD COLUMN listing TEXT COLLATE "C" REFERENCES listings (id) ON DELETE CASCADE;
ALTER TABLE tasks ADD COLUMN members JSONB;
CREATE INDEX tasks_listing ON tasks (listing) WHERE listing IS NOT NULL;
