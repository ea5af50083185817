-- +goose Up

-- The unfinished runs of one owner are found among all unfinished ones, which are
-- few, by runs_unfinished. An index of owners cost each run two more pages to write.
DROP INDEX runs_owner;

-- +goose Down
CREATE INDEX runs_owner ON runs (owner) WHERE ended = 0;
