-- +goose Up

-- The version of the tables that the program of a process knows; 0: an earlier one than this.
ALTER TABLE processes ADD COLUMN tables BIGINT NOT NULL DEFAULT 0;

-- The version of the tables that a program must know at least to work with them as they are. A migration that
-- earlier programs would not survive raises it: they end.
CREATE TABLE stocktake_oldest (version BIGINT NOT NULL);
INSERT INTO stocktake_oldest (version) VALUES (12);
