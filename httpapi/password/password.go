package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"io"
	"runtime"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/idbridge/idbridge"
)

const (
	saltLen   = 16
	sumLen    = 32
	perCore   = 2
	placeWait = 5 * time.Second // for a place; 200 sign-ins at once on two slow cores all find one
)

// Hasher makes and checks hashes, few at a time. Safe for concurrent use.
type Hasher struct {
	random io.Reader
	wait   time.Duration
	places chan struct{}
}

// New returns a Hasher that draws salts from crypto/rand and computes two hashes per processor at once.
func New() *Hasher {
	return &Hasher{random: rand.Reader, wait: placeWait, places: make(chan struct{}, perCore*runtime.GOMAXPROCS(0))}
}

// With returns a Hasher of other measures: places is how many hashes are under way at once, at least one, wait how long one
// more waits for a place.
func With(places int, wait time.Duration) *Hasher {
	return &Hasher{random: rand.Reader, wait: wait, places: make(chan struct{}, max(1, places))}
}

// Hash returns the PHC string of a password, with a fresh salt. Errors: Invalid for an empty password, Unavailable when too
// many are at it.
func (h *Hasher) Hash(ctx context.Context, password idbridge.Secret) (idbridge.Secret, error) {
	if password.IsEmpty() {
		return idbridge.Secret{}, &idbridge.Error{Kind: idbridge.Invalid, Msg: "a password must not be empty"}
	}
	salt := make([]byte, saltLen)
	if _, err := io.ReadFull(h.random, salt); err != nil {
		return idbridge.Secret{}, fmt.Errorf("draw a salt: %w", err)
	}
	p := phc{cost: today(), salt: salt}
	var err error
	if p.sum, err = h.sum(ctx, password, &p, sumLen); err != nil {
		return idbridge.Secret{}, err
	}
	return idbridge.NewSecret(p.String()), nil
}

// Verify tells whether hash, a PHC string of Argon2id, is the password's. For a hash that is empty, of another sort or
// broken the answer is no, and it takes as long as for a good one: who has no password here looks like who mistyped his.
// Error: Unavailable when too many are at it.
func (h *Hasher) Verify(ctx context.Context, password, hash idbridge.Secret) (bool, error) {
	p, known := parse(hash.Reveal())
	if !known {
		p = phc{cost: today(), salt: make([]byte, saltLen), sum: make([]byte, sumLen)}
	}
	sum, err := h.sum(ctx, password, &p, len(p.sum))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(sum, p.sum) == 1 && known && !password.IsEmpty(), nil
}

// Stale tells whether a hash should be made again at the next good sign-in: it is not of today's sort and cost.
func Stale(hash idbridge.Secret) bool {
	p, known := parse(hash.Reveal())
	return !known || p.cost != today() || len(p.salt) < saltLen || len(p.sum) < sumLen
}

func (h *Hasher) sum(ctx context.Context, password idbridge.Secret, p *phc, length int) ([]byte, error) {
	timer := time.NewTimer(h.wait)
	defer timer.Stop()
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	case <-timer.C:
		return nil, &idbridge.Error{Kind: idbridge.Unavailable, Msg: "too many sign-ins at once", Hint: "passwords cost time on purpose; see who is guessing"}
	case <-ctx.Done():
		return nil, &idbridge.Error{Kind: idbridge.Unavailable, Msg: "the client went away", Err: ctx.Err()}
	}
	c := p.cost
	return argon2.IDKey([]byte(password.Reveal()), p.salt, c.time, c.memory, c.threads, uint32(length)), nil //nolint:gosec // at most maxLen
}
