-- +goose Up

-- What the process can use of the limits; 0: any amount.
ALTER TABLE store_shares ADD COLUMN needs_rate BIGINT NOT NULL DEFAULT 0;   -- requests in 1,000 seconds
ALTER TABLE store_shares ADD COLUMN needs_places BIGINT NOT NULL DEFAULT 0; -- requests at once
