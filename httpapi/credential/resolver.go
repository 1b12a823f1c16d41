package credential

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// Resolver proves the credentials of requests. Safe for concurrent use.
type Resolver struct {
	config  Config
	store   Store
	doors   []Door
	down    []atomic.Int64 // per door: when it was last found unreachable, Unix nanoseconds
	limiter *Limiter
	policy  string // of the header RateLimit-Policy
	now     func() time.Time
	binding chan struct{} // bounds the binds under way
}

const (
	maxBinds  = 64               // binds at once; one more waits for a place, at most bindWait
	bindWait  = 2 * time.Second  // for a place
	bindLimit = 10 * time.Second // for the directory's answer
	downFor   = 30 * time.Second // so long after a directory could not be asked, no failed password is called wrong
)

// NewResolver returns a Resolver of keys and of passwords that directories check; now is the clock.
func NewResolver(store Store, doors []Door, limits Limits, now func() time.Time) *Resolver {
	return New(Config{Store: store, Doors: doors, Limits: limits, Now: now})
}

// New returns a Resolver.
func New(c Config) *Resolver {
	c.withDefaults()
	limiter := NewLimiter(c.Limits)
	return &Resolver{
		config: c, store: c.Store, doors: c.Doors, down: make([]atomic.Int64, len(c.Doors)), limiter: limiter,
		policy: limiter.policy(), now: c.Now, binding: make(chan struct{}, maxBinds),
	}
}

// Limiter returns the resolver's counters.
func (v *Resolver) Limiter() *Limiter { return v.limiter }

// Address returns the address of the client, which a trusted proxy may tell.
func (v *Resolver) Address(r *http.Request) netip.Addr { return Address(r, v.config.Trusted) }

// Resolve proves every credential that the request presents in the carriers of the surface and returns whose they are;
// nobody when it presents none. Errors: *problem.Problem: 401 for any that fails, 400 when they are of different users or
// come twice, 403 for a browser's request of another site, 429 when passwords from this address have to wait, 503 when a
// directory or the store cannot be asked.
func (v *Resolver) Resolve(r *http.Request, s Surface) (Caller, error) {
	return v.ResolveAt(r, &s, v.Address(r), v.now())
}

// ResolveAt is Resolve for a caller who knows the client's address and the moment of the request already.
func (v *Resolver) ResolveAt(r *http.Request, s *Surface, from netip.Addr, now time.Time) (Caller, error) {
	ctx := r.Context()
	caller, basic, err := v.headers(ctx, r.Header, s, from, now)
	if err != nil {
		return Caller{}, err
	}
	ambient := basic
	if s.Cookie && v.config.Sessions != nil {
		proved := caller.How != Nobody
		if err := v.cookie(ctx, r, s, from, now, &caller); err != nil {
			return Caller{}, err
		}
		ambient = ambient || !proved && caller.How == BySession
	}
	if ambient { // a browser sends these by itself, also for a page of another site
		if err := v.config.cross.Check(r); err != nil {
			return Caller{}, problem.New(problem.Forbidden, "A page of another site sent this.").Because(err)
		}
	}
	return caller, nil
}

// headers proves the credentials in headers. basic tells that a browser may have sent the only one by itself.
func (v *Resolver) headers(ctx context.Context, h http.Header, s *Surface, from netip.Addr, now time.Time) (caller Caller, basic bool, err error) {
	var room [maxClaims]Claim
	claims, err := read(h, s, room[:0])
	if err != nil {
		return Caller{}, false, v.failed(err, network(from), "")
	}
	for i := range claims {
		var c Caller
		if err := v.prove(ctx, &claims[i], from, now, &c); err != nil {
			return Caller{}, false, err
		}
		if !claims[i].Basic && !claims[i].Token && s.APIUser == EnforceAPIUser && !v.apiUser(h, &c) {
			return Caller{}, false, v.failed(refuse(&Refusal{Action: RefusedSignIn, Why: "X-API-USER is not the owner of the key", User: c.User(), Key: c.Key}), network(from), "")
		}
		if caller.How != Nobody && caller.User() != c.User() {
			return Caller{}, false, problem.New(problem.ConflictingCredentials, "")
		}
		if i == 0 || narrower(&c, &caller) {
			caller = c
		}
	}
	return caller, len(claims) == 1 && claims[0].Basic, nil
}

// narrower tells whether a second proof of the same user carries less than the first one: a key before all others.
func narrower(next, first *Caller) bool { return next.keyed() || !first.keyed() && next.How == ByToken }

// apiUser tells whether X-API-USER, where it is sent, names the key's owner.
func (v *Resolver) apiUser(h http.Header, c *Caller) bool {
	names := h["X-Api-User"]
	if len(names) == 0 {
		return true
	}
	_, name := v.split(names[0])
	return len(names) == 1 && idbridge.CaseIgnore.Normal(name) == idbridge.CaseIgnore.Normal(c.Name())
}

func (v *Resolver) prove(ctx context.Context, claim *Claim, from netip.Addr, now time.Time, into *Caller) error {
	switch {
	case claim.Basic:
		return v.basic(ctx, claim, from, now, into)
	case claim.Token:
		return v.token(ctx, claim.Key.Reveal(), from, now, into)
	}
	text, ok := idbridge.ParseKeyText(claim.Key.Reveal())
	if !ok {
		return v.failed(Refuse("not a key"), network(from), "")
	}
	if err := v.key(ctx, text, from, now, into); err != nil {
		return v.failed(err, network(from), "")
	}
	v.store.Touch(into.Key, from.String(), now)
	return nil
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

// Tell sets the headers RateLimit-Policy and RateLimit on the answer of a limited route: how many failures the client's
// address has left.
func (v *Resolver) Tell(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("RateLimit-Policy", v.policy)
	h.Set("RateLimit", `"failures";r=`+strconv.Itoa(v.Left(v.Address(r), v.now()))+`;t=60`)
}
