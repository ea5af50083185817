-- +goose Up

-- By which configuration an unfinished run is made, if that was replaced since; NULL:
-- by the present one.
ALTER TABLE runs ADD COLUMN document TEXT;
