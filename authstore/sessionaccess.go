package authstore

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"

	"github.com/idbridge/idbridge"
)

// SessionAccess returns the session whose id has that digest, and what its user may do now. It judges the session, by the
// store's clock, and not the user: ask May. It reads the database only when the cache does not know. Errors: NotFound;
// Unauthentic, with the session and why it is over, for one that is, and for every one while the store waits as an older copy.
func (s *Store) SessionAccess(ctx context.Context, digest []byte) (idbridge.UserSession, idbridge.Access, error) {
	if len(digest) != sha256.Size {
		return idbridge.UserSession{}, idbridge.Access{}, fault("read session", notFound("session"))
	}
	id, epoch, found := s.cache.digests.get([sha256.Size]byte(digest))
	if !found {
		err := s.ahead(ctx)
		if err == nil {
			found, err = one(s.read.QueryRowContext(ctx, `SELECT id FROM session WHERE digest = $1`, digest), &id)
		}
		if err == nil && !found {
			err = notFound("session")
		}
		if err != nil {
			return idbridge.UserSession{}, idbridge.Access{}, fault("read session", err)
		}
		s.cache.digests.put([sha256.Size]byte(digest), id, epoch)
	}
	session, access, err := s.SessionByID(ctx, id)
	if subtle.ConstantTimeCompare(session.Digest, digest) != 1 {
		return idbridge.UserSession{}, idbridge.Access{}, fault("read session", notFound("session"))
	}
	return session, access, err
}

// SessionByID is SessionAccess for the number of a session, as tokens name it.
func (s *Store) SessionByID(ctx context.Context, id int64) (idbridge.UserSession, idbridge.Access, error) {
	one, err := s.session(ctx, id)
	if err != nil {
		return idbridge.UserSession{}, idbridge.Access{}, fault("read session", err)
	}
	over := one.Over(s.now())
	if s.copied.Load() != 0 {
		over = sessionWait
	}
	a, err := s.access(ctx, one.User)
	switch {
	case err != nil:
		return idbridge.UserSession{}, idbridge.Access{}, err
	case !a.Exists: // purged: his sessions went with him
		s.cache.sessions.drop(id)
		return idbridge.UserSession{}, idbridge.Access{}, fault("read session", notFound("session"))
	case over != "":
		one.Reason = over
		return one, a.Access, fault("read session", &idbridge.Error{Kind: idbridge.Unauthentic, Msg: "the session is over", Hint: over})
	}
	return one, a.Access, nil
}

// session returns a session as it is. One that seems idle is looked up again: another process may have seen its user.
func (s *Store) session(ctx context.Context, id int64) (idbridge.UserSession, error) {
	known, epoch, found := s.cache.sessions.get(id)
	if found && s.feed.trusted() {
		if known.Over(s.now()) == "" {
			return known, nil
		}
		if known.Seen = s.seen.latest(&known); known.Over(s.now()) != "idle" {
			return known, nil
		}
	}
	if found {
		s.cache.sessions.drop(id)
		_, epoch, _ = s.cache.sessions.get(id)
	}
	if err := s.ahead(ctx); err != nil {
		return idbridge.UserSession{}, err
	}
	var c sessionCells
	there, err := one(s.read.QueryRowContext(ctx, `SELECT `+sessionColumns+` FROM session WHERE id = $1`, id), c.dest()...)
	if err != nil {
		return idbridge.UserSession{}, err
	}
	if !there {
		return idbridge.UserSession{}, notFound("session")
	}
	now := c.read()
	s.cache.sessions.put(id, now, epoch)
	now.Seen = s.seen.latest(&now)
	return now, nil
}

// ahead makes sure that what answers now is not behind what this process saw: on an older copy, what was ended would live.
func (s *Store) ahead(ctx context.Context) error {
	if !s.postgres {
		return nil
	}
	return s.feed.poll(ctx, s)
}
