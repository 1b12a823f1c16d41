-- +goose Up
-- Who is signed in, and what the store keeps for the doors: passwords, applications, settings, keys that sign tokens.
INSERT INTO counter (name, value) VALUES ('session', 0);

-- digest is of the secret id. A session that ended stays for a while, so that its tokens can be told why.
CREATE TABLE session (
    id BIGINT NOT NULL PRIMARY KEY, digest BYTEA NOT NULL, context TEXT NOT NULL, user_id BIGINT NOT NULL, surface TEXT NOT NULL,
    how TEXT NOT NULL, single BOOLEAN NOT NULL, key_id TEXT NOT NULL, created BIGINT NOT NULL, seen BIGINT NOT NULL, expires BIGINT NOT NULL,
    address TEXT NOT NULL, agent TEXT NOT NULL, ended BIGINT NOT NULL, reason TEXT NOT NULL
);
CREATE UNIQUE INDEX session_digest ON session (digest);
CREATE INDEX session_owner ON session (user_id, id);
CREATE INDEX session_expires ON session (expires);

-- Apart from users, so that nothing that reads or copies users meets a password. phc is an Argon2id hash.
CREATE TABLE password (user_id BIGINT NOT NULL PRIMARY KEY, phc TEXT NOT NULL, at BIGINT NOT NULL, set_by TEXT NOT NULL);

CREATE TABLE application (
    name TEXT NOT NULL PRIMARY KEY, href TEXT NOT NULL, db_type TEXT NOT NULL, adg_database TEXT NOT NULL, snapshots BIGINT NOT NULL,
    latest TEXT NOT NULL
);

-- value is sealed when the config has a secret key, as private is below.
CREATE TABLE setting (name TEXT NOT NULL PRIMARY KEY, value BYTEA NOT NULL, at BIGINT NOT NULL, set_by TEXT NOT NULL);

CREATE TABLE signing_key (
    id TEXT NOT NULL PRIMARY KEY, purpose TEXT NOT NULL, algorithm TEXT NOT NULL, private BYTEA NOT NULL, created BIGINT NOT NULL,
    sign_from BIGINT NOT NULL, until BIGINT NOT NULL
);
