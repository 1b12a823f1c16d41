package idbridge

import (
	"cmp"
	"time"
)

// What a session is worth.
const (
	SessionIdle  = 30 * time.Minute // unused for so long it is over
	SessionLife  = 12 * time.Hour   // it is over then, however much it is used
	SessionsMost = 50               // of one user; the one that is idle for longest goes first
)

// Why sessions end, where a surface tells its client.
const (
	EndedByLogout  = "logout"
	EndedByLogin   = "logged in twice" // a single session gave way to a newer one
	EndedBySuspend = "user suspended"
	EndedByChange  = "password changed"
)

// UserSession is one sign-in on one surface (a Session is an open directory). It says who somebody is, and nothing about what he may do: that is read again for
// every request. The secret id is not in it, the store has a digest only.
type UserSession struct {
	ID      int64     `json:"id"`      // never reused; tokens name it
	Digest  []byte    `json:"-"`       // SHA-256 of the 256-bit id
	Context string    `json:"context"` // UUID that is shown to clients
	User    UserID    `json:"user"`
	Surface string    `json:"surface"` // rest, console, controlroom; the session is good there and nowhere else
	How     string    `json:"how"`     // password, bind, key, saml
	Single  bool      `json:"single"`  // gives way to the user's next single session on the surface
	Key     KeyID     `json:"key,omitempty"`
	Created time.Time `json:"createdAt"`
	Seen    time.Time `json:"lastSeenAt"` // may be a minute behind
	Expires time.Time `json:"expiresAt"`
	Address string    `json:"address,omitempty"`
	Agent   string    `json:"agent,omitempty"`
	Ended   time.Time `json:"endedAt,omitzero"`
	Reason  string    `json:"endReason,omitempty"`
}

// Over says why a session is not good any more at the moment now; "" when it is.
func (s *UserSession) Over(now time.Time) string {
	switch {
	case !s.Ended.IsZero():
		return cmp.Or(s.Reason, "ended")
	case !now.Before(s.Expires):
		return "expired"
	case now.Sub(s.Seen) >= SessionIdle:
		return "idle"
	}
	return ""
}

// SessionFilter chooses sessions that are not over. A User or a Surface is needed.
type SessionFilter struct {
	User    UserID // 0: of everybody
	Surface string // "": on all
	Single  bool   // only single ones
	Except  int64  // 0: none
}
