-- How the store keeps itself: the audit sealed in blocks, and what tells this store from an older copy of it.
-- +goose Up
INSERT INTO counter (name, value) SELECT 'run', COALESCE(MAX(id), 0) FROM runs;

-- A block holds the digest of the one before. leaves has 56 octets per audit row: its id, its salt and its digest.
CREATE TABLE audit_block (
    number BIGINT NOT NULL PRIMARY KEY, first_id BIGINT NOT NULL, last_id BIGINT NOT NULL, size BIGINT NOT NULL, earlier TEXT NOT NULL,
    digest TEXT NOT NULL, sealed BIGINT NOT NULL, leaves BYTEA NOT NULL
);

-- The last block that was pruned: the chain begins behind it.
CREATE TABLE audit_anchor (
    id BIGINT NOT NULL PRIMARY KEY, number BIGINT NOT NULL, last_id BIGINT NOT NULL, digest TEXT NOT NULL
);
INSERT INTO audit_anchor (id, number, last_id, digest) VALUES (1, 0, 0, '');

-- What a sealed row whose texts were erased is verified by.
CREATE TABLE audit_erased (id BIGINT NOT NULL PRIMARY KEY, block BIGINT NOT NULL, proof BYTEA NOT NULL, at BIGINT NOT NULL);

-- One row. name is drawn at random when the store is made; cluster, object and timeline say where a PostgreSQL store lies;
-- needs_release and needs_schema are the oldest program that can work on schema; restored and what follows: an older copy was
-- found, and nobody accepted it yet.
CREATE TABLE installation (
    id BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, cluster TEXT NOT NULL, object TEXT NOT NULL, timeline BIGINT NOT NULL,
    needs_release TEXT NOT NULL, needs_schema BIGINT NOT NULL, schema_version BIGINT NOT NULL, restored BIGINT NOT NULL,
    backup BIGINT NOT NULL, lost BIGINT NOT NULL, lost_runs BIGINT NOT NULL, why TEXT NOT NULL
);
INSERT INTO installation (id, name, cluster, object, timeline, needs_release, needs_schema, schema_version, restored, backup, lost, lost_runs, why)
    VALUES (1, '', '', '', 0, '', 0, 0, 0, 0, 0, 0, '');
