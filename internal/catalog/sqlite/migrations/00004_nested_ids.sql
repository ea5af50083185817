-- +goose Up

-- Whether the id has a slash, as earlier versions allowed: then the folder of its
-- reports may be that of another configuration.
ALTER TABLE configurations ADD COLUMN nested BIGINT NOT NULL DEFAULT 0;
UPDATE configurations SET nested = 1 WHERE id LIKE '%/%';
CREATE INDEX configurations_nested ON configurations (bucket, id) WHERE nested = 1;

-- +goose Down
DROP INDEX configurations_nested;
ALTER TABLE configurations DROP COLUMN nested;
