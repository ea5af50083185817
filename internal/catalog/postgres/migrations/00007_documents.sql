-- +goose Up

-- Small documents of secrets that all processes share, encrypted with the master key:
-- see internal/securerow.
CREATE TABLE documents (
    name    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL, -- one more with each change
    content BYTEA  NOT NULL, -- encrypted
    writer  TEXT   NOT NULL, -- who has changed it last, for people
    changed BIGINT NOT NULL
);

-- The processes that read them.
CREATE TABLE document_readers (
    id       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    host     TEXT   NOT NULL, -- its name for people
    settings TEXT   NOT NULL, -- digests of settings that should be the same, JSON by name
    versions TEXT   NOT NULL, -- that it has in force, JSON by document
    seen     BIGINT NOT NULL
);
