package rest

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/idbridge/idbridge"
)

const (
	sessionsAtOnce = 40              // of one user, without a login
	sessionEvery   = 4 * time.Minute // one more
	spareUsers     = 10_000          // that are remembered
)

// spare bounds the sessions that are begun unasked. A script that sends its key with every request and keeps no cookie
// would else write a session each time, and push the user's sessions that are in use over the edge of SessionsMost. Whoever
// gets none goes on with his key or password. At one in four minutes, 40 at once and 7 in the half hour in which an unused
// one ends stay below SessionsMost.
type spare struct {
	mu    sync.Mutex
	users map[idbridge.UserID]*rate.Limiter
}

func newSpare() *spare { return &spare{users: map[idbridge.UserID]*rate.Limiter{}} }

func (s *spare) take(user idbridge.UserID, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.users[user]
	if l == nil {
		if len(s.users) >= spareUsers {
			clear(s.users) // bounded; a fresh allowance harms nobody
		}
		l = rate.NewLimiter(rate.Every(sessionEvery), sessionsAtOnce)
		s.users[user] = l
	}
	return l.AllowN(now, 1)
}
