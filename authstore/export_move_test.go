package authstore

import "context"

// KeepMoves makes the log of changes short, so that a test sees it cut.
func (s *Store) KeepMoves(revisions int64) { s.keepMoves = revisions }

// PruneMoves cuts the log of changes, as the store does every minute.
func (s *Store) PruneMoves(ctx context.Context) error { return s.pruneMoves(ctx) }

// ForgetReplays forgets old requests, as the store does every minute.
func (s *Store) ForgetReplays(ctx context.Context) error { return s.forgetReplays(ctx) }
