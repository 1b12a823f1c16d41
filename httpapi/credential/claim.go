package credential

import (
	"encoding/base64"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// Claim is one credential as a request carries it. Nothing in it is proved.
type Claim struct {
	Key      idbridge.Secret // an API key in any rendering, or a token
	Name     string          // Basic: who it claims to be
	Password idbridge.Secret // Basic: his password, or a key of his
	Basic    bool
	Token    bool // Key holds a JWT
}

// maxClaims is how many header credentials a request can carry: X-API-KEY, X-Authorization, Authorization.
const maxClaims = 3

// Read finds the credentials of a request in X-API-KEY and Authorization (Bearer with a key, Basic). Other headers prove
// nothing and are not looked at. Errors: *problem.Problem, 400 for a repeated header, 401 for one that cannot be read.
func Read(h http.Header) ([]Claim, error) {
	return read(h, &Surface{Key: true, Bearer: true, Basic: true}, nil)
}

// read appends the credentials in the headers that the surface looks at, in their order.
func read(h http.Header, s *Surface, claims []Claim) ([]Claim, error) {
	var keys, raw, auth []string
	if s.Key {
		keys = h["X-Api-Key"]
	}
	if s.Token {
		raw = h["X-Authorization"]
	}
	if s.Bearer || s.Basic || s.Token {
		auth = h["Authorization"]
	}
	if len(keys) > 1 || len(raw) > 1 || len(auth) > 1 {
		return nil, problem.New(problem.Malformed, "A header that carries a credential comes twice.")
	}
	if len(keys) == 1 {
		claims = append(claims, Claim{Key: idbridge.NewSecret(keys[0])})
	}
	if len(raw) == 1 {
		c, ok := bearer(raw[0], s)
		if !ok {
			return nil, Refuse("neither token nor key in X-Authorization")
		}
		claims = append(claims, c)
	}
	if len(auth) == 1 {
		c, seen, ok := authorization(auth[0], s)
		if !ok {
			return nil, Refuse("unreadable Authorization header")
		}
		if seen {
			claims = append(claims, c)
		}
	}
	return claims, nil
}

// authorization reads the header Authorization. seen is false for a scheme that is good elsewhere, ok for one that is not
// good at all.
func authorization(value string, s *Surface) (c Claim, seen, ok bool) {
	scheme, rest, _ := strings.Cut(value, " ")
	rest = strings.TrimLeft(rest, " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		if !s.Bearer && !s.Token {
			return Claim{}, false, true
		}
		c, ok = bearer(rest, s)
		return c, ok, ok
	case strings.EqualFold(scheme, "Basic"):
		if !s.Basic {
			return Claim{}, false, true
		}
		name, password, ok := ParseBasic(rest)
		return Claim{Name: name, Password: idbridge.NewSecret(password), Basic: true}, ok, ok
	}
	return Claim{}, false, false
}

// bearer tells tokens from keys by their look. ok is false for what the surface admits neither as one nor as the other.
func bearer(value string, s *Surface) (c Claim, ok bool) {
	token := s.Token && LooksLikeToken(value)
	return Claim{Key: idbridge.NewSecret(value), Token: token}, token || s.Bearer
}

// LooksLikeToken tells a JWT from an API key: it starts eyJ and has two dots.
func LooksLikeToken(value string) bool {
	return strings.HasPrefix(value, "eyJ") && strings.Count(value, ".") == 2
}

// maxBasic bounds the decoded pair; longer ones are nobody's.
const maxBasic = 1024

// ParseBasic reads the base64 part of Basic credentials (RFC 7617): UTF-8, the password may contain colons, the name must
// not be empty, and neither holds control characters.
func ParseBasic(encoded string) (name, password string, ok bool) {
	if len(encoded) > base64.StdEncoding.EncodedLen(maxBasic) {
		return "", "", false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(raw) > maxBasic || !utf8.Valid(raw) {
		return "", "", false
	}
	name, password, ok = strings.Cut(string(raw), ":")
	if !ok || name == "" || hasControl(name) || hasControl(password) {
		return "", "", false
	}
	return name, password, true
}

func hasControl(s string) bool {
	for _, r := range s {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xFFFE || r == 0xFFFF {
			return true
		}
	}
	return false
}
