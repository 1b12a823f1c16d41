package ldap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// plain is one entry of a small search, with its attributes by name in lower case.
type plain struct {
	dn     string
	values map[string][]string
}

// of returns an attribute's values.
func (p *plain) of(name string) []string { return p.values[strings.ToLower(name)] }

// first returns an attribute's first value, or "".
func (p *plain) first(name string) string {
	if v := p.of(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// messages walks over whole messages that stand one after another, and stops at the first error. The string is one
// message.
func messages(batch []byte, each func(msg string) error) error {
	for len(batch) > 0 {
		size, err := messageSize(batch)
		if err != nil {
			return err
		}
		if err := each(string(batch[:size])); err != nil {
			return err
		}
		batch = batch[size:]
	}
	return nil
}

// messageSize returns the length of the first whole message.
func messageSize(b []byte) (int, error) {
	if len(b) < 2 {
		return 0, errMalformed
	}
	n, at := int(b[1]), 2
	if n >= 0x80 {
		at += n & 0x7f
		if at > len(b) || at > 6 {
			return 0, errMalformed
		}
		n = 0
		for _, c := range b[2:at] {
			n = n<<8 | int(c)
		}
	}
	if n > len(b)-at {
		return 0, errMalformed
	}
	return at + n, nil
}

// entries makes a search, hands each entry on, and returns the server's verdict. An error is one of each, a lost
// connection or an ended context, never a result code. Many may run at once on one connection.
func (c *conn) entries(ctx context.Context, r request, each func(*entry) error) (result, error) {
	if err := ctx.Err(); err != nil {
		return result{}, context.Cause(ctx) //nolint:wrapcheck // the caller's own reason
	}
	s, err := c.tap.search(r)
	if err != nil {
		return result{}, lost(ctx, "search", err)
	}
	defer s.abandon()
	var e entry
	var end result
	var references []string
	for done := false; !done; {
		batch, err := s.next(ctx)
		if err != nil {
			return result{}, lost(ctx, "search", err)
		}
		err = messages(batch, func(msg string) error {
			tag, from, to, err := operation(msg)
			switch {
			case err != nil:
				return err
			case tag == tagEntry:
				if err := e.read(msg, from, to); err != nil {
					return err
				}
				return each(&e)
			case tag == tagReference:
				if len(references) < maxReferences {
					references = append(references, strings.Clone(firstText(msg, from, to)))
				}
			case tag == tagDone:
				done = true
				end, err = readResult([]byte(msg))
				end.references = references
			}
			return err
		})
		if errors.Is(err, errMalformed) {
			c.tap.fail(err)
			return result{}, lost(ctx, "search", err)
		}
		if err != nil {
			return result{}, err
		}
		s.recycle(batch)
	}
	return end, nil
}

// maxReferences is how many are kept of one search; how many there are does not matter.
const maxReferences = 100

// firstText returns the first octet string of s[i:end], "" for none: of a reference the first URI, and all its URIs lead
// to the same.
func firstText(s string, i, end int) string {
	tag, from, to, ok := element(s, i, end)
	if !ok || tag != tagOctets {
		return ""
	}
	return s[from:to]
}

// small makes a search with few answers and returns them.
func (c *conn) small(ctx context.Context, r request) ([]plain, result, error) {
	var found []plain
	end, err := c.entries(ctx, r, func(e *entry) error {
		found = append(found, e.plain())
		return nil
	})
	return found, end, err
}

// plain copies the entry into a map.
func (e *entry) plain() plain {
	p := plain{dn: e.dn, values: make(map[string][]string, len(e.attributes))}
	for _, a := range e.attributes {
		name := strings.ToLower(a.name)
		p.values[name] = append(p.values[name], e.of(a)...)
	}
	return p
}

// base reads one entry by its DN; nil when there is none, or none that we may see.
func (c *conn) base(ctx context.Context, dn, filter string, attributes ...string) (*plain, error) {
	return oneEntry(dn, filter, attributes, func(r request, each func(*entry) error) (result, error) { return c.entries(ctx, r, each) })
}

// oneEntry reads one entry by its DN, by the given way of searching.
func oneEntry(dn, filter string, attributes []string, search func(request, func(*entry) error) (result, error)) (*plain, error) {
	var found *plain
	r := request{base: dn, scope: ldap.ScopeBaseObject, filter: filter, attributes: attributes}
	end, err := search(r, func(e *entry) error {
		p := e.plain()
		found = &p
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read an entry: %w", err)
	}
	switch end.code {
	case ldap.LDAPResultNoSuchObject, ldap.LDAPResultReferral, ldap.LDAPResultInvalidDNSyntax:
		return nil, nil //nolint:nilnil // no entry and no error is the answer
	}
	if err := end.err(fmt.Sprintf("read %q", dn)); err != nil {
		return nil, err
	}
	return found, nil
}

// logSearch writes a search as a line that can be pasted into a shell.
func (d *Directory) logSearch(ctx context.Context, r request) {
	if !d.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	scope := map[int]string{ldap.ScopeBaseObject: "base", ldap.ScopeSingleLevel: "one", ldap.ScopeWholeSubtree: "sub"}[r.scope]
	var words []string
	if d.cfg.TLS.CAFile != "" {
		words = append(words, "LDAPTLS_CACERT="+quote(d.cfg.TLS.CAFile))
	}
	words = append(words, "ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-H", quote(d.cfg.URLs[0]))
	if d.cfg.TLS.StartTLS {
		words = append(words, "-ZZ")
	}
	if d.cfg.Bind.DN != "" {
		words = append(words, "-x", "-D", quote(d.cfg.Bind.DN), "-w", `"$LDAPPASSWORD"`)
	} else {
		words = append(words, "-x")
	}
	for _, c := range r.controls {
		if _, paged := c.(*ldap.ControlPaging); paged {
			words = append(words, "-E", fmt.Sprintf("pr=%d/noprompt", d.cfg.PageSize))
		}
	}
	words = append(words, "-b", quote(r.base), "-s", scope, quote(r.filter))
	for _, a := range r.attributes {
		words = append(words, quote(a))
	}
	d.log.DebugContext(ctx, "search", "command", strings.Join(words, " "))
}

// quote makes a word safe for a shell.
func quote(s string) string {
	plain := s != ""
	for i := range len(s) {
		c := s[i]
		plain = plain && (c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-_./:=,@%+", c) >= 0)
	}
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
