package authstore

import "context"

// Checkpoint writes SQLite's log back into the file, as SQLite itself does now and then.
func (s *Store) Checkpoint(ctx context.Context) error {
	_, err := s.write.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return fault("write the log back", err)
}
