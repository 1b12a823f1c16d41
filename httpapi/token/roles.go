package token

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/idbridge/idbridge"
)

const (
	// RoleTTL is the longest that a role token lives, and the default: it is checked offline, and nothing ends it sooner.
	RoleTTL = 5 * time.Minute
	// RoleType is the header typ of role tokens.
	RoleType = "idbridge-role+jwt"

	maxAudience = 200
)

// Role is what a role token says.
type Role struct {
	User     idbridge.UserID
	Audience string // for whom it is, mandatory
	Roles    []string
	Admin    bool
	Revision int64 // of the store, when it was made
	ID       string
	Issued   time.Time
	Expires  time.Time
}

// Roles makes and proves role tokens. Safe for concurrent use.
type Roles struct {
	ring   *Ring
	issuer string
}

// NewRoles returns the tokens whose keys the store keeps. issuer is the claim iss, the public URL; now is the clock.
func NewRoles(store Keys, issuer string, now func() time.Time) *Roles {
	return &Roles{newRing(store, idbridge.SignsRoleTokens, eddsa, RoleTTL, now), issuer}
}

// roleClaims are the claims of a role token beside the registered ones.
type roleClaims struct {
	Roles    []string `json:"roles"`
	Admin    bool     `json:"admin"`
	Revision int64    `json:"rev"`
}

// Mint makes a token for one audience. It lives for ttl, 0 for RoleTTL. ID, Issued and Expires of r are set here. Errors:
// Invalid (no audience, a ttl out of bounds), Unavailable.
func (o *Roles) Mint(ctx context.Context, r Role, ttl time.Duration) (idbridge.Secret, Role, error) {
	if ttl == 0 {
		ttl = RoleTTL
	}
	switch {
	case r.Audience == "" || len(r.Audience) > maxAudience:
		return idbridge.Secret{}, r, &idbridge.Error{Kind: idbridge.Invalid, Msg: "aud must name who the token is for, in at most 200 characters"}
	case ttl < time.Second || ttl > RoleTTL:
		return idbridge.Secret{}, r, &idbridge.Error{Kind: idbridge.Invalid, Msg: "ttl must be from 1 to 300 seconds"}
	}
	k, err := o.ring.signer(ctx)
	if err != nil {
		return idbridge.Secret{}, r, err
	}
	var id [16]byte
	if _, err := io.ReadFull(o.ring.random, id[:]); err != nil {
		return idbridge.Secret{}, r, fmt.Errorf("draw the id of a token: %w", err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: k.private},
		(&jose.SignerOptions{}).WithType(RoleType).WithHeader("kid", k.ID))
	if err != nil {
		return idbridge.Secret{}, r, fmt.Errorf("sign a token: %w", err)
	}
	if r.Roles == nil {
		r.Roles = []string{}
	}
	r.ID, r.Issued = hex.EncodeToString(id[:]), o.ring.now().UTC().Truncate(time.Second)
	r.Expires = r.Issued.Add(ttl)
	text, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: o.issuer, Subject: strconv.FormatInt(int64(r.User), 10), Audience: jwt.Audience{r.Audience}, ID: r.ID,
		IssuedAt: jwt.NewNumericDate(r.Issued), NotBefore: jwt.NewNumericDate(r.Issued), Expiry: jwt.NewNumericDate(r.Expires),
	}).Claims(roleClaims{r.Roles, r.Admin, r.Revision}).Serialize()
	if err != nil {
		return idbridge.Secret{}, r, fmt.Errorf("sign a token: %w", err)
	}
	return idbridge.NewSecret(text), r, nil
}

// Read proves a token that is for the audience; "" takes one for anybody, as introspection does. Errors: Unauthentic,
// Unavailable.
func (o *Roles) Read(ctx context.Context, token, audience string) (Role, error) {
	t, err := parse(token, eddsa)
	if err != nil {
		return Role{}, err
	}
	header := t.Headers[0]
	if typ, ok := header.ExtraHeaders[jose.HeaderType].(string); !ok || typ != RoleType || header.KeyID == "" {
		return Role{}, refused("a token of another sort")
	}
	var claims jwt.Claims
	var own roleClaims
	if err := o.ring.verify(ctx, t, func(k *key) bool { return k.ID == header.KeyID }, &claims, &own); err != nil {
		return Role{}, err
	}
	if err := within(&claims, o.issuer, audience, o.ring.now()); err != nil {
		return Role{}, err
	}
	user, err := strconv.ParseInt(claims.Subject, 10, 64)
	if err != nil || user <= 0 || len(claims.Audience) != 1 || claims.NotBefore == nil {
		return Role{}, refused("a token without user, audience or nbf")
	}
	return Role{
		User: idbridge.UserID(user), Audience: claims.Audience[0], Roles: own.Roles, Admin: own.Admin, Revision: own.Revision, ID: claims.ID,
		Issued: claims.IssuedAt.Time(), Expires: claims.Expiry.Time(),
	}, nil
}

// JWKS returns the key set (RFC 7517) by which role tokens are checked: the key that signs, the next one from a lifetime
// before it signs, and earlier ones until their last token has expired. Errors: Unavailable.
func (o *Roles) JWKS(ctx context.Context) ([]byte, error) {
	if _, err := o.ring.signer(ctx); err != nil { // the first key, and the next one, are made in time also when nobody asks for tokens
		return nil, err
	}
	keys, err := o.ring.verifiers(ctx, false)
	if err != nil {
		return nil, err
	}
	set := jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, 0, len(keys))}
	for i := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: keys[i].private.Public(), KeyID: keys[i].ID, Algorithm: string(eddsa), Use: "sig"})
	}
	out, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("write the key set: %w", err)
	}
	return out, nil
}
