-- What a key has beside its digest, ids that were keys once, requests that must not be done twice, and what changed when.
-- +goose Up
ALTER TABLE keys ADD COLUMN overlap_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE keys ADD COLUMN replaced_by TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN allow TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN pepper TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN uses BIGINT NOT NULL DEFAULT 0;
-- One key that is not on its way out for each user and slot.
CREATE UNIQUE INDEX keys_slot ON keys (user_id, slot) WHERE revoked = 0 AND overlap_until = 0;

-- Digests of the ids of keys whose users are gone: no id is given twice.
CREATE TABLE key_spent (id TEXT NOT NULL PRIMARY KEY);

CREATE TABLE replay (
    caller TEXT NOT NULL, token TEXT NOT NULL, body BYTEA NOT NULL, answer BYTEA NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (caller, token)
);
CREATE INDEX replay_at ON replay (at);

-- The counter move is the newest revision whose moves are not kept any more.
CREATE TABLE moves (
    revision BIGINT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, kind TEXT NOT NULL, user_id BIGINT NOT NULL, role TEXT NOT NULL,
    application TEXT NOT NULL, key_id TEXT NOT NULL, PRIMARY KEY (revision, seq)
);
INSERT INTO counter (name, value) SELECT 'move', value FROM revision;
