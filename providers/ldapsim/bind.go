package ldapsim

import (
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // {SSHA} is what directories store
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

// bind does a simple bind. Whatever happens, the connection is anonymous first.
func (c *conn) bind(m message) *Result {
	c.who, c.name = "", ""
	r := &reader{b: m.op.body}
	version, name := r.int(tagInteger), r.text(tagOctets)
	auth := r.next()
	switch {
	case r.err != nil:
		return refuse(ProtocolError, "malformed bind")
	case version != 3:
		return refuse(ProtocolError, "requested protocol version not supported")
	case auth.tag != 0x80:
		return refuse(AuthNotSupported, "only simple bind is supported")
	}
	if refused := critical(m.controls); refused != nil {
		return refused
	}
	password := string(auth.body)
	if name == "" && password == "" {
		return &Result{}
	}
	if password == "" {
		return refuse(Unwilling, "unauthenticated bind (DN with no password) disallowed")
	}
	key, spelled, refused := c.s.db.lockedBind(name, password)
	if refused == nil {
		c.who, c.name = key, spelled
		return &Result{}
	}
	return refused
}

// lockedBind checks a password. Unknown names and wrong passwords look the same.
func (d *database) lockedBind(name, password string) (key, spelled string, refused *Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	parsed, err := parseDN(name)
	key, ok := d.schema.key(parsed)
	if err != nil || !ok {
		return "", "", refuse(InvalidDN, "invalid DN")
	}
	spelled = d.schema.pretty(parsed).String()
	if key == d.root && d.rootPassword != "" && subtle.ConstantTimeCompare([]byte(password), []byte(d.rootPassword)) == 1 {
		return key, spelled, nil
	}
	if e := d.seen().byKey[key]; e != nil {
		for _, stored := range e.raw("userPassword") {
			if passwordIs(stored, password) {
				return key, e.name.String(), nil
			}
		}
	}
	return "", "", &Result{Code: InvalidCredentials}
}

// passwordIs compares with a stored password: plain, or {SSHA}.
func passwordIs(stored, password string) bool {
	if !strings.HasPrefix(stored, "{SSHA}") {
		return subtle.ConstantTimeCompare([]byte(stored), []byte(password)) == 1
	}
	raw, err := base64.StdEncoding.DecodeString(stored[6:])
	if err != nil || len(raw) < sha1.Size {
		return false
	}
	sum := sha1.Sum(append([]byte(password), raw[sha1.Size:]...)) //nolint:gosec // as above
	return subtle.ConstantTimeCompare(sum[:], raw[:sha1.Size]) == 1
}

func storedPassword(password string) string {
	salt := make([]byte, 8)
	_, _ = rand.Read(salt)                             // never fails
	sum := sha1.Sum(append([]byte(password), salt...)) //nolint:gosec // as above
	return "{SSHA}" + base64.StdEncoding.EncodeToString(append(sum[:], salt...))
}
