package credential

import (
	"slices"
	"time"

	"github.com/idbridge/idbridge"
)

// How says what proved the caller.
type How string

// The proofs.
const (
	Nobody     How = ""
	ByKey      How = "key"
	ByPassword How = "password"
	BySession  How = "session" // a cookie
	ByToken    How = "token"   // a JWT, which belongs to a session
)

// Caller is who is asking, proved, with his rights at this moment. The zero Caller is nobody.
type Caller struct {
	How     How
	Access  idbridge.Access
	Key     idbridge.KeyID        // ByKey, and of sessions and tokens that a key began
	Scopes  []string              // of Key
	Expires time.Time             // when the credential ends: of the key, the session or the token; zero for never
	Session *idbridge.UserSession // BySession, ByToken, and beside a header credential a live cookie of the same user; not to be changed
}

// AllScopes is the scope of all rights of the user except minting keys.
const AllScopes = "*"

// User returns the caller's id, 0 for nobody.
func (c *Caller) User() idbridge.UserID { return c.Access.User }

// Name returns the caller's user name.
func (c *Caller) Name() string { return c.Access.UserName }

// keyed tells whether the credential is a key, or what a key began: it has the key's scopes and no more.
func (c *Caller) keyed() bool { return c.How == ByKey || c.Key != "" }

// Scoped tells whether the credential carries the scope: a password carries all, a key what it was given.
func (c *Caller) Scoped(scope string) bool {
	switch {
	case c.How == Nobody:
		return false
	case c.keyed():
		return slices.Contains(c.Scopes, AllScopes) || slices.Contains(c.Scopes, scope)
	}
	return true
}

// Whole tells whether the credential carries all rights of its user.
func (c *Caller) Whole() bool {
	return c.How != Nobody && (!c.keyed() || slices.Contains(c.Scopes, AllScopes))
}

// MayMint tells whether the credential may make keys: a key mints no keys unless it was told so by name, nor does a session
// that a key began.
func (c *Caller) MayMint(scope string) bool {
	return c.How != Nobody && (!c.keyed() || slices.Contains(c.Scopes, scope))
}

// Has tells whether the caller has the role globally. A role on an application gives no permission here.
func (c *Caller) Has(role idbridge.Role) bool {
	if !c.Access.May {
		return false
	}
	for i := range c.Access.Grants {
		if g := &c.Access.Grants[i]; g.Role == role && g.Application == "" {
			return true
		}
	}
	return false
}
