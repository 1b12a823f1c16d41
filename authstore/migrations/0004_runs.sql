-- +goose Up
-- What a run leaves behind to be shown and reversed, what it complained about, and what is left alone for a while.
ALTER TABLE run_change ADD COLUMN grants TEXT NOT NULL DEFAULT '';
ALTER TABLE run_change ADD COLUMN author TEXT NOT NULL DEFAULT '';
ALTER TABLE run_change ADD COLUMN why TEXT NOT NULL DEFAULT '';
-- For a user's history. Memberships are left out: there are many in a first import, and the audit has the roles they give.
CREATE INDEX run_change_user ON run_change (user_id, id) WHERE verb IN ('update', 'link');

-- Users that runs made, as ranges of ids: a row for each commit, not for each user.
CREATE TABLE run_created (first BIGINT NOT NULL PRIMARY KEY, last BIGINT NOT NULL, run BIGINT NOT NULL);
CREATE INDEX run_created_run ON run_created (run, first);

-- Written beside the rest of source, which a run writes as a whole.
ALTER TABLE source ADD COLUMN alarm TEXT NOT NULL DEFAULT '';

-- Records whose writes the directory refuses.
CREATE TABLE backoff (
    directory TEXT NOT NULL, link TEXT NOT NULL, user_id BIGINT NOT NULL, attempts BIGINT NOT NULL, until BIGINT NOT NULL, since BIGINT NOT NULL,
    why TEXT NOT NULL, PRIMARY KEY (link, directory)
);
CREATE INDEX backoff_user ON backoff (user_id);

-- Attributes that were written to a directory, and how often their direction changed since, run by run.
CREATE TABLE flip (
    directory TEXT NOT NULL, link TEXT NOT NULL, attribute TEXT NOT NULL, user_id BIGINT NOT NULL, direction TEXT NOT NULL,
    changes BIGINT NOT NULL, run BIGINT NOT NULL, PRIMARY KEY (link, directory, attribute)
);
CREATE INDEX flip_user ON flip (user_id);
