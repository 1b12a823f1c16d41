package authstore

import (
	"context"
	"fmt"

	"github.com/idbridge/idbridge"
)

// The oldest program that can work on the schema as the newest migration here leaves it: its release, and the schema it
// knows. A migration that an older program cannot live with moves both to its own; one that only adds leaves them, so that
// two neighbouring releases run side by side while daemons are replaced one by one.
const (
	needsRelease = "0.2.0"
	needsSchema  = 3
)

// stamp notes in the store who can work on it now.
func (s *Store) stamp(ctx context.Context, version int64) error {
	_, err := s.write.ExecContext(ctx, `UPDATE installation SET needs_release = $1, needs_schema = $2, schema_version = $3
		WHERE id = 1 AND schema_version < $3`, needsRelease, needsSchema, version)
	if err != nil {
		return fmt.Errorf("note the schema: %w", err)
	}
	return nil
}

// mayWork tells whether this program may work on a schema that is newer than those it knows: only when the release that wrote
// it said so. Error: Conflicting, naming both.
func (s *Store) mayWork(ctx context.Context, current, target int64) error {
	release := s.release
	if release == "" {
		release = "this program"
	} else {
		release = "this program is " + release + " and"
	}
	refused := &idbridge.Error{
		Kind: idbridge.Conflicting, Msg: fmt.Sprintf("the store's schema is version %d, %s knows up to %d", current, release, target),
		Hint: "start the newer release that wrote it, or restore a backup from before the upgrade",
	}
	if target < needsSchema {
		return refused
	}
	var oldest string
	var needs, version int64
	_, err := one(s.write.QueryRowContext(ctx, `SELECT needs_release, needs_schema, schema_version FROM installation WHERE id = 1`),
		&oldest, &needs, &version)
	if err != nil {
		return fmt.Errorf("read who may work on the schema: %w", err)
	}
	if version != current { // nobody said anything about this one
		return refused
	}
	if target < needs {
		refused.Msg = fmt.Sprintf("the store needs idbridge %s or newer: its schema is version %d, %s knows up to %d", oldest, current, release, target)
		refused.Hint = "start idbridge " + oldest + " or newer, or restore a backup from before the upgrade"
		return refused
	}
	s.log.WarnContext(ctx, "a newer release wrote the schema, and this one may still work on it: finish the upgrade",
		"schema", current, "knows", target)
	return nil
}
