package token

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/idbridge/idbridge"
)

// maxToken bounds a token in octets; longer ones are not parsed.
const maxToken = 8 << 10

// parse reads a token in the compact form with the one algorithm. It proves nothing. Encrypted tokens, which have more
// dots, do not get here.
func parse(text string, a algorithm) (*jwt.JSONWebToken, error) {
	if len(text) > maxToken || strings.Count(text, ".") != 2 || strings.ContainsFunc(text, foreign) {
		return nil, refused("not a token")
	}
	// The library takes any last letter whose upper bits are right, so that one token had several texts.
	if _, err := base64.RawURLEncoding.Strict().DecodeString(text[strings.LastIndexByte(text, '.')+1:]); err != nil {
		return nil, refused("a token that cannot be read")
	}
	t, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(a)})
	if err != nil || len(t.Headers) != 1 {
		return nil, refused("a token that cannot be read")
	}
	return t, nil
}

// foreign tells what is in no token: the library would pass over blanks and line ends.
func foreign(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}

// verify takes the claims out of a token that one of the ring's keys signed. fits chooses the keys that may have.
func (g *Ring) verify(ctx context.Context, t *jwt.JSONWebToken, fits func(*key) bool, into ...any) error {
	var tried []key
	for _, again := range []bool{false, true} {
		keys, err := g.verifiers(ctx, again)
		if err != nil {
			return err
		}
		for i := range keys {
			k := &keys[i]
			if !fits(k) || slices.ContainsFunc(tried, func(o key) bool { return o.ID == k.ID }) {
				continue
			}
			if t.Claims(k.private.Public(), into...) == nil {
				return nil
			}
		}
		tried = keys
	}
	return refused("a token that nobody here signed")
}

// within judges the registered claims at the moment now, without leeway. All that a token must have are asked for: a claim
// that is not there would pass.
func within(c *jwt.Claims, issuer, audience string, now time.Time) error {
	if c.Expiry == nil || c.IssuedAt == nil || c.Issuer == "" || c.Subject == "" || c.ID == "" {
		return refused("a token without one of exp, iat, iss, sub, jti")
	}
	want := jwt.Expected{Issuer: issuer, Time: now}
	if audience != "" {
		want.AnyAudience = jwt.Audience{audience}
	}
	if err := c.ValidateWithLeeway(want, 0); err != nil || !now.Before(c.Expiry.Time()) {
		return refused("a token of another issuer, for somebody else, or not of this time")
	}
	return nil
}

func refused(why string) error { return &idbridge.Error{Kind: idbridge.Unauthentic, Msg: why} }
