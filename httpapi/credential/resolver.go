package credential

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// keys is the store as keys need it: one cached lookup, and the note of the last use.
type keys interface {
	// KeyAccess reads a key and its owner's rights as one picture. Error: NotFound.
	KeyAccess(ctx context.Context, id idbridge.KeyID) (idbridge.Key, idbridge.Access, error)
	// Touch notes a use; it is kept in memory and never fails.
	Touch(id idbridge.KeyID, addr string, at time.Time)
}

// people is the store as passwords need it.
type people interface {
	// AccessByName reads a user's rights. Error: NotFound.
	AccessByName(ctx context.Context, name string) (idbridge.Access, error)
	// Links reads the records that are linked to the user.
	Links(ctx context.Context, id idbridge.UserID) ([]idbridge.Link, error)
}

// Store is what a Resolver asks of the store.
type Store interface {
	keys
	people
}

// Door is a directory at whose door a password can be tried.
type Door struct {
	Name string
	Auth idbridge.Authenticator
}

// Resolver proves the credentials of requests. Safe for concurrent use.
type Resolver struct {
	store   Store
	doors   []Door
	down    []atomic.Int64 // per door: when it was last found unreachable, Unix nanoseconds
	limiter *Limiter
	now     func() time.Time
	binding chan struct{} // bounds the binds under way
}

const (
	maxBinds  = 64               // binds at once; one more waits for a place, at most bindWait
	bindWait  = 2 * time.Second  // for a place
	bindLimit = 10 * time.Second // for the directory's answer
	downFor   = 30 * time.Second // so long after a directory could not be asked, no failed password is called wrong
)

// NewResolver returns a Resolver; now is the clock.
func NewResolver(store Store, doors []Door, limits Limits, now func() time.Time) *Resolver {
	return &Resolver{
		store: store, doors: doors, down: make([]atomic.Int64, len(doors)), limiter: NewLimiter(limits), now: now,
		binding: make(chan struct{}, maxBinds),
	}
}

// Limiter returns the resolver's counters.
func (v *Resolver) Limiter() *Limiter { return v.limiter }

// Resolve proves every credential that the request presents and returns whose they are; nobody when it presents none.
// Errors: *problem.Problem: 401 for any that fails, 400 when they are of different users or cannot be read, 429 when
// passwords from this address have to wait, 503 when a directory or the store cannot be asked. now is the moment of the request.
func (v *Resolver) Resolve(ctx context.Context, h http.Header, from netip.Addr, now time.Time) (Caller, error) {
	var room [2]Claim
	claims, err := read(h, room[:0])
	if err != nil {
		return Caller{}, v.failed(err, network(from), "")
	}
	var caller Caller
	for i := range claims {
		c, err := v.prove(ctx, &claims[i], from, now)
		if err != nil {
			return Caller{}, err
		}
		if caller.How != Nobody && caller.User() != c.User() {
			return Caller{}, problem.New(problem.ConflictingCredentials, "")
		}
		if caller.How != ByKey || c.How == ByKey { // of two proofs for one user the narrower counts
			caller = c
		}
	}
	return caller, nil
}

func (v *Resolver) prove(ctx context.Context, claim *Claim, from netip.Addr, now time.Time) (Caller, error) {
	if claim.Basic {
		return v.basic(ctx, claim, from, now)
	}
	text, ok := idbridge.ParseKeyText(claim.Key.Reveal())
	if !ok {
		return Caller{}, v.failed(Refuse("not a key"), network(from), "")
	}
	c, err := v.key(ctx, text, now)
	if err != nil {
		return Caller{}, v.failed(err, network(from), "")
	}
	v.store.Touch(c.Key, from.String(), now)
	return c, nil
}

// key proves a key: one lookup by id, one comparison in constant time, then the key's state and its owner's.
func (v *Resolver) key(ctx context.Context, text idbridge.KeyText, now time.Time) (Caller, error) {
	key, access, err := v.store.KeyAccess(ctx, text.ID())
	if err != nil && idbridge.KindOf(err) != idbridge.NotFound {
		return Caller{}, problem.From(err)
	}
	if !text.Matches(key.Digest) || err != nil { // compared also when the id is unknown: the same time for both
		return Caller{}, Refuse("unknown key")
	}
	if state := key.State(now); state != idbridge.KeyActive {
		return Caller{}, Refuse("key " + string(key.ID) + " is " + string(state))
	}
	if !access.Exists || !access.May {
		return Caller{}, Refuse("owner of key " + string(key.ID) + " is " + access.Why)
	}
	return Caller{How: ByKey, Access: access, Key: key.ID, Scopes: key.Scopes, Expires: key.Expires}, nil
}

// failed counts a failure and returns the error, or a 429 instead of a 401 when the address has failed too often. Trouble
// of our own (5xx) and malformed requests count against nobody.
func (v *Resolver) failed(err error, address, name string) error {
	p := problem.From(err)
	if p.Status != http.StatusUnauthorized {
		return p
	}
	now := v.now()
	wait := v.limiter.Wait(address, "", now)
	v.limiter.Failed(address, name, now)
	if wait > 0 {
		return tooMany(wait).Because(p.Cause)
	}
	return p
}

func tooMany(wait time.Duration) *problem.Problem {
	return problem.New(problem.RateLimited, "").After(wait)
}

// split takes DOMAIN\user and user@domain apart when the domain is the name of a directory here; any other name is whole.
func (v *Resolver) split(name string) (directory, user string) {
	if d, u, ok := strings.Cut(name, `\`); ok && u != "" {
		for i := range v.doors {
			if strings.EqualFold(v.doors[i].Name, d) {
				return v.doors[i].Name, u
			}
		}
	}
	if at := strings.LastIndexByte(name, '@'); at > 0 {
		for i := range v.doors {
			if strings.EqualFold(v.doors[i].Name, name[at+1:]) {
				return v.doors[i].Name, name[:at]
			}
		}
	}
	return "", name
}

// Left returns how many failures the address has left in this minute.
func (v *Resolver) Left(from netip.Addr, now time.Time) int {
	return v.limiter.Left(network(from), now)
}
