package idbridge

import "time"

// Replay remembers a request that must not be done twice, by the token that its maker gave it (Idempotency-Key).
type Replay struct {
	Caller string    // who asks: the user's id in decimal, so that nobody finds another's answer and an erasure finds all of his
	Token  string    // as the caller gave it
	Body   [32]byte  // SHA-256 of what was asked: another body under the same token is another request
	Answer []byte    // sealed by whoever keeps it; nil while the work is under way, and after five minutes
	At     time.Time // when it was asked
}
