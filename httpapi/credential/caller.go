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
)

// Caller is who is asking, proved, with his rights at this moment. The zero Caller is nobody.
type Caller struct {
	How     How
	Access  idbridge.Access
	Key     idbridge.KeyID // ByKey
	Scopes  []string       // ByKey
	Expires time.Time      // ByKey: when the key ends; zero for never
}

// AllScopes is the scope of all rights of the user except minting keys.
const AllScopes = "*"

// User returns the caller's id, 0 for nobody.
func (c *Caller) User() idbridge.UserID { return c.Access.User }

// Name returns the caller's user name.
func (c *Caller) Name() string { return c.Access.UserName }

// Scoped tells whether the credential carries the scope: a password carries all, a key what it was given.
func (c *Caller) Scoped(scope string) bool {
	switch c.How {
	case ByPassword:
		return true
	case ByKey:
		return slices.Contains(c.Scopes, AllScopes) || slices.Contains(c.Scopes, scope)
	case Nobody:
	}
	return false
}

// Whole tells whether the credential carries all rights of its user.
func (c *Caller) Whole() bool {
	return c.How == ByPassword || c.How == ByKey && slices.Contains(c.Scopes, AllScopes)
}

// MayMint tells whether the credential may make keys: a key mints no keys unless it was told so by name.
func (c *Caller) MayMint(scope string) bool {
	return c.How == ByPassword || c.How == ByKey && slices.Contains(c.Scopes, scope)
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
