package credential

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/idbridge/idbridge"
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

// Sessions is the store as sessions need it.
type Sessions interface {
	// NewSession keeps a session. Of more than most of one user the longest idle goes; a single one ends the other single ones
	// of its surface.
	NewSession(ctx context.Context, s idbridge.UserSession, most int) (idbridge.UserSession, error)
	// SessionAccess reads a session by the digest of its secret id, and its user's rights, as one picture. Errors: NotFound;
	// Unauthentic, with the session and the Reason, for one that is over.
	SessionAccess(ctx context.Context, digest []byte) (idbridge.UserSession, idbridge.Access, error)
	// SessionByID is the same for the number that tokens carry.
	SessionByID(ctx context.Context, id int64) (idbridge.UserSession, idbridge.Access, error)
	// EndSession ends a session; one that is over already is no error. Error: NotFound.
	EndSession(ctx context.Context, id int64, by, reason string) error
	// TouchSession notes a use; it is kept in memory and never fails.
	TouchSession(id int64, at time.Time)
}

// Passwords is the store as local passwords need it.
type Passwords interface {
	// Password reads the hash of a local user, empty when he has none. Error: NotFound.
	Password(ctx context.Context, userName string) (idbridge.UserID, idbridge.Secret, error)
}

// Hasher checks local passwords against hashes. An empty hash matches nothing and takes as long.
type Hasher interface {
	// Verify tells whether the hash is the password's. Errors: Unavailable when too many are at it.
	Verify(ctx context.Context, password, phc idbridge.Secret) (bool, error)
}

// Tokens proves JWTs that belong to sessions.
type Tokens interface {
	// Bearer verifies a token and returns its session, its user and its end. Errors: Unauthentic, Unavailable.
	Bearer(ctx context.Context, token string, now time.Time) (session int64, user idbridge.UserID, expires time.Time, err error)
}

// Door is a directory at whose door a password can be tried.
type Door struct {
	Name string
	Auth idbridge.Authenticator
}

// Config is what a Resolver is made of. Only Store is needed; what is nil is not offered: without Sessions no cookie and no
// token is good, without Tokens no token, without Passwords and Hasher no local password.
type Config struct {
	Store     Store
	Sessions  Sessions
	Tokens    Tokens
	Passwords Passwords
	Hasher    Hasher
	Doors     []Door // directories that check passwords
	Limits    Limits
	Trusted   []netip.Prefix              // proxies whose X-Forwarded-For is believed
	PublicURL string                      // https makes cookies Secure with the prefix __Host-, also behind a proxy that ends TLS
	Peppers   map[string]idbridge.Secret  // by name: keys may be digested with one
	Now       func() time.Time            // default time.Now
	Random    io.Reader                   // default crypto/rand.Reader
	cross     *http.CrossOriginProtection // of requests that browsers authenticate by themselves
	secure    bool                        // PublicURL is https
}

func (c *Config) withDefaults() {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	c.cross = http.NewCrossOriginProtection()
	if u, err := url.Parse(c.PublicURL); err == nil && u.Host != "" {
		c.secure = u.Scheme == "https"
		_ = c.cross.AddTrustedOrigin(u.Scheme + "://" + u.Host) // an origin that cannot be trusted stays foreign
	}
}
