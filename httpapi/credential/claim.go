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
	Key      idbridge.Secret // an API key in any rendering
	Name     string          // Basic: who it claims to be
	Password idbridge.Secret // Basic: his password, or a key of his
	Basic    bool
}

// Read finds the credentials of a request in X-API-KEY and Authorization (Bearer with a key, Basic). Other headers prove
// nothing and are not looked at. Errors: *problem.Problem, 400 for a repeated header, 401 for one that cannot be read.
func Read(h http.Header) ([]Claim, error) { return read(h, nil) }

func read(h http.Header, claims []Claim) ([]Claim, error) {
	keys, auth := h["X-Api-Key"], h["Authorization"]
	if len(keys) > 1 || len(auth) > 1 {
		return nil, problem.New(problem.Malformed, "A header that carries a credential comes twice.")
	}
	if len(keys) == 1 {
		claims = append(claims, Claim{Key: idbridge.NewSecret(keys[0])})
	}
	if len(auth) == 1 {
		c, ok := authorization(auth[0])
		if !ok {
			return nil, Refuse("unreadable Authorization header")
		}
		claims = append(claims, c)
	}
	return claims, nil
}

func authorization(value string) (Claim, bool) {
	scheme, rest, _ := strings.Cut(value, " ")
	rest = strings.TrimLeft(rest, " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return Claim{Key: idbridge.NewSecret(rest)}, true
	case strings.EqualFold(scheme, "Basic"):
		name, password, ok := ParseBasic(rest)
		return Claim{Name: name, Password: idbridge.NewSecret(password), Basic: true}, ok
	}
	return Claim{}, false
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

// Refuse is the one answer to every credential that fails. why is for the log and the audit alone.
func Refuse(why string) *problem.Problem {
	return problem.New(problem.Unauthenticated, "").
		With("WWW-Authenticate", `Bearer realm="idbridge"`).
		With("WWW-Authenticate", `Basic realm="idbridge", charset="UTF-8"`).
		Because(&idbridge.Error{Kind: idbridge.Unauthentic, Msg: why})
}
