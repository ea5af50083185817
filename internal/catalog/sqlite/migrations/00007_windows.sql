-- +goose Up

-- The window of a run of kind incremental; 0 of others.
ALTER TABLE runs ADD COLUMN window_start BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN window_end BIGINT NOT NULL DEFAULT 0;

-- How far the incremental reports of a configuration have come; one row for each
-- configuration that has them. Positions of the journal have a sequence and a time
-- in milliseconds.
CREATE TABLE windows (
    bucket              TEXT   NOT NULL,
    configuration       TEXT   NOT NULL,
    window_start        BIGINT NOT NULL, -- of the next window
    wake                BIGINT NOT NULL, -- when its run is made; 0: a run of it has not ended
    after_sequence      BIGINT NOT NULL, -- its changes begin behind this
    after_time          BIGINT NOT NULL,
    joined_sequence     BIGINT NOT NULL, -- up to here goes the last report that was written
    joined_time         BIGINT NOT NULL,
    subscribed_sequence BIGINT NOT NULL, -- where the configuration began
    subscribed_time     BIGINT NOT NULL,
    report              BLOB,            -- of the next window, recorded by a run that failed
    PRIMARY KEY (bucket, configuration)
);

CREATE INDEX windows_wake ON windows (wake) WHERE wake > 0;

-- +goose Down
DROP TABLE windows;
ALTER TABLE runs DROP COLUMN window_end;
ALTER TABLE runs DROP COLUMN window_start;
