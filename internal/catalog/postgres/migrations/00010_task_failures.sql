-- +goose Up

-- Attempts that were not the task's fault do not count: its worker ended, or the database was away.
ALTER TABLE tasks ADD COLUMN failures BIGINT NOT NULL DEFAULT 0; -- since the run was last tried again
