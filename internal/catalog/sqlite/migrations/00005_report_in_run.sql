-- +goose Up

-- What an unfinished run publishes lies in its row, so that neither recording nor
-- forgetting it takes a statement of its own.
ALTER TABLE runs ADD COLUMN report BLOB;
UPDATE runs SET report = (SELECT body FROM reports WHERE run = runs.id) WHERE ended = 0;
DROP TABLE reports;

-- +goose Down
CREATE TABLE reports (
    run  TEXT NOT NULL PRIMARY KEY,
    body BLOB NOT NULL
);
INSERT INTO reports (run, body) SELECT id, report FROM runs WHERE report IS NOT NULL;
ALTER TABLE runs DROP COLUMN report;
