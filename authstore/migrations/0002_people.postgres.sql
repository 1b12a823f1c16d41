-- +goose Up
-- The tables with a row or more per user, whose keys decide how fast a first import is. Their SQLite form is in the file beside this one.

CREATE TABLE users (
    id BIGINT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, suspended BOOLEAN NOT NULL, revision BIGINT NOT NULL,
    created BIGINT NOT NULL, updated BIGINT NOT NULL, user_name TEXT NOT NULL, folded TEXT NOT NULL, profile TEXT NOT NULL
);

CREATE TABLE links (
    directory TEXT NOT NULL, id TEXT NOT NULL, user_id BIGINT NOT NULL, state TEXT NOT NULL, digest BYTEA NOT NULL,
    sightings BIGINT NOT NULL, version BIGINT NOT NULL, sent BIGINT NOT NULL, since BIGINT NOT NULL, seen TEXT NOT NULL,
    seen_order BIGINT NOT NULL, locator TEXT NOT NULL, base TEXT NOT NULL, PRIMARY KEY (id, directory)
);
CREATE INDEX links_user ON links (user_id);

-- Who holds which unique value, normalised.
CREATE TABLE claims (attribute TEXT NOT NULL, value TEXT NOT NULL, user_id BIGINT NOT NULL, PRIMARY KEY (value, attribute));
