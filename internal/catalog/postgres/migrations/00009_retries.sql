-- +goose Up

-- A run that has failed for a temporary reason resumes later where it stopped.
ALTER TABLE works ADD COLUMN passes BIGINT NOT NULL DEFAULT 0; -- the failure may pass by itself
ALTER TABLE works ADD COLUMN paused BIGINT NOT NULL DEFAULT 0; -- the run may be tried again
ALTER TABLE tasks ADD COLUMN spent BIGINT NOT NULL DEFAULT 0;  -- attempts before the run was tried again
