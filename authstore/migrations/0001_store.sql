-- What tells rows apart comes first in a key, the directory last: PostgreSQL then looks a list of ids up in the index
-- instead of filtering a directory's rows.
-- Times are microseconds since 1970, 0 for never. Profiles are JSON text. Ids are Go's, from counter, and never reused.
-- +goose Up
CREATE TABLE counter (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO counter (name, value) VALUES ('user', 0), ('conflict', 0), ('sent', 0), ('plan', 0), ('audit', 0), ('outbox', 0), ('change', 0);

CREATE TABLE revision (id BIGINT NOT NULL PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO revision (id, value) VALUES (1, 0);

CREATE TABLE lease (
    name TEXT NOT NULL PRIMARY KEY, holder TEXT NOT NULL, epoch BIGINT NOT NULL, acquired BIGINT NOT NULL, expires BIGINT NOT NULL
);

CREATE TABLE directory_group (
    directory TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, digest BYTEA NOT NULL, members BIGINT NOT NULL,
    PRIMARY KEY (directory, id)
);

CREATE TABLE membership (
    directory TEXT NOT NULL, group_id TEXT NOT NULL, member TEXT NOT NULL, PRIMARY KEY (directory, group_id, member)
);
CREATE INDEX membership_member ON membership (member, directory);

-- What a group gives to its members, as the last one who joined was given it; for records that are linked later.
CREATE TABLE group_role (
    directory TEXT NOT NULL, group_id TEXT NOT NULL, role TEXT NOT NULL, application TEXT NOT NULL,
    PRIMARY KEY (directory, group_id, role, application)
);

CREATE TABLE grants (
    user_id BIGINT NOT NULL, role TEXT NOT NULL, application TEXT NOT NULL, directory TEXT NOT NULL, group_id TEXT NOT NULL,
    group_name TEXT NOT NULL, granted_by TEXT NOT NULL, since BIGINT NOT NULL,
    PRIMARY KEY (user_id, role, application, directory, group_id)
);
CREATE INDEX grants_role ON grants (role, application, user_id);

CREATE TABLE keys (
    id TEXT NOT NULL PRIMARY KEY, user_id BIGINT NOT NULL, slot TEXT NOT NULL, digest BYTEA NOT NULL, enabled BOOLEAN NOT NULL,
    created BIGINT NOT NULL, created_by TEXT NOT NULL, not_before BIGINT NOT NULL, expires BIGINT NOT NULL, revoked BIGINT NOT NULL,
    reason TEXT NOT NULL, scopes TEXT NOT NULL, last_used BIGINT NOT NULL, last_address TEXT NOT NULL, version BIGINT NOT NULL
);
CREATE INDEX keys_user ON keys (user_id);

CREATE TABLE outbox (
    id BIGINT NOT NULL PRIMARY KEY, directory TEXT NOT NULL, link TEXT NOT NULL, user_id BIGINT NOT NULL, author TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX outbox_directory ON outbox (directory, id);
CREATE INDEX outbox_user ON outbox (user_id);

CREATE TABLE sent (
    id BIGINT NOT NULL PRIMARY KEY, run BIGINT NOT NULL, directory TEXT NOT NULL, link TEXT NOT NULL, user_id BIGINT NOT NULL,
    revision BIGINT NOT NULL, state TEXT NOT NULL, step TEXT NOT NULL, at BIGINT NOT NULL, ended BIGINT NOT NULL
);
CREATE INDEX sent_open ON sent (directory, id) WHERE state IN ('sent', 'in doubt');

CREATE TABLE runs (
    id BIGINT NOT NULL PRIMARY KEY, directory TEXT NOT NULL, kind TEXT NOT NULL, slot BIGINT NOT NULL, author TEXT NOT NULL,
    state TEXT NOT NULL, complete BOOLEAN NOT NULL, started BIGINT NOT NULL, ended BIGINT NOT NULL, counts TEXT NOT NULL,
    plan TEXT NOT NULL, error TEXT NOT NULL, hint TEXT NOT NULL, epoch BIGINT NOT NULL
);
CREATE UNIQUE INDEX runs_slot ON runs (directory, kind, slot) WHERE slot <> 0;
CREATE INDEX runs_directory ON runs (directory, id);

-- A plan is visible once its state is not empty; its decisions are rows of their own.
CREATE TABLE plans (
    id BIGINT NOT NULL PRIMARY KEY, hash TEXT NOT NULL, run BIGINT NOT NULL, directory TEXT NOT NULL, state TEXT NOT NULL,
    header TEXT NOT NULL, created BIGINT NOT NULL, decided BIGINT NOT NULL, decided_by TEXT NOT NULL
);
CREATE INDEX plans_hash ON plans (hash);
CREATE INDEX plans_directory ON plans (directory, id);
CREATE TABLE plan_decision (
    plan BIGINT NOT NULL, phase BIGINT NOT NULL, seq BIGINT NOT NULL, decision TEXT NOT NULL, PRIMARY KEY (plan, phase, seq)
);

-- What a run changed, creations excepted: those are the user rows themselves.
CREATE TABLE run_change (
    id BIGINT NOT NULL PRIMARY KEY, run BIGINT NOT NULL, directory TEXT NOT NULL, link TEXT NOT NULL, user_id BIGINT NOT NULL,
    side TEXT NOT NULL, verb TEXT NOT NULL, group_id TEXT NOT NULL, state_before TEXT NOT NULL, state_after TEXT NOT NULL,
    before TEXT NOT NULL, after TEXT NOT NULL, at BIGINT NOT NULL
);
CREATE INDEX run_change_run ON run_change (run, id);

CREATE TABLE conflicts (
    id BIGINT NOT NULL PRIMARY KEY, directory TEXT NOT NULL, link TEXT NOT NULL, user_id BIGINT NOT NULL, attribute TEXT NOT NULL,
    base TEXT NOT NULL, store TEXT NOT NULL, shown TEXT NOT NULL, winner TEXT NOT NULL, why TEXT NOT NULL, opened BIGINT NOT NULL,
    closed BIGINT NOT NULL, decided_by TEXT NOT NULL
);
CREATE INDEX conflicts_open ON conflicts (link, directory) WHERE closed = 0;
CREATE INDEX conflicts_user ON conflicts (user_id, id);

CREATE TABLE quarantine (
    directory TEXT NOT NULL, id TEXT NOT NULL, locator TEXT NOT NULL, attribute TEXT NOT NULL, value TEXT NOT NULL, holder BIGINT NOT NULL,
    why TEXT NOT NULL, since BIGINT NOT NULL
);
CREATE INDEX quarantine_id ON quarantine (id, directory);

CREATE TABLE tombstone (
    directory TEXT NOT NULL, id TEXT NOT NULL, user_id BIGINT NOT NULL, user_name TEXT NOT NULL, at BIGINT NOT NULL,
    deleted_by TEXT NOT NULL, PRIMARY KEY (id, directory)
);
CREATE INDEX tombstone_name ON tombstone (user_name);

CREATE TABLE source (
    directory TEXT NOT NULL PRIMARY KEY, cursor_text TEXT NOT NULL, server TEXT NOT NULL, scope TEXT NOT NULL, complete BIGINT NOT NULL,
    runs BIGINT NOT NULL, records BIGINT NOT NULL, held TEXT NOT NULL, holders TEXT NOT NULL, last_start BIGINT NOT NULL,
    canary TEXT NOT NULL
);

CREATE TABLE audit (
    id BIGINT NOT NULL PRIMARY KEY, at BIGINT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL,
    user_id BIGINT NOT NULL, result TEXT NOT NULL, reason TEXT NOT NULL, address TEXT NOT NULL, request TEXT NOT NULL,
    run BIGINT NOT NULL
);
CREATE INDEX audit_user ON audit (user_id, id);
