package credential_test

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/idbridge/idbridge/httpapi/credential"
)

// FuzzBasic: what ParseBasic takes is exactly what base64 of NAME:PASSWORD says, without anything that could break a log
// line or a search filter; and the header around it proves nobody, whatever it is.
func FuzzBasic(f *testing.F) {
	b := newBed(f)
	b.corp.passwords = nil
	f.Add("Basic YW5uOnBhc3M=")
	f.Add("basic  OjpOOg==")
	f.Fuzz(func(t *testing.T, header string) {
		_, encoded, _ := strings.Cut(header, " ")
		name, password, ok := credential.ParseBasic(encoded)
		if ok {
			again := base64.StdEncoding.EncodeToString([]byte(name + ":" + password))
			if name == "" || strings.Contains(name, ":") || again != strings.NewReplacer("\r", "", "\n", "").Replace(encoded) {
				t.Fatalf("%q read as %q %q", encoded, name, password)
			}
			if strings.ContainsFunc(name+password, unicode.IsControl) {
				t.Fatalf("control characters in %q %q", name, password)
			}
		}
		b.res = credential.NewResolver(b.store, nil, credential.Limits{}, func() time.Time { return b.now })
		c, p := b.ask("Authorization", header)
		if p == nil && c.How != credential.Nobody && !holdsKey(b, header, password) {
			t.Fatalf("%q let in %+v", header, c)
		}
		if p != nil && p.Status != http.StatusUnauthorized {
			t.Fatalf("%q: %v", header, p)
		}
	})
}

// holdsKey tells whether a header holds one of the bed's keys, which the fuzzer cannot know but for luck.
func holdsKey(b *bed, texts ...string) bool {
	for _, k := range b.keys {
		for _, text := range texts {
			if strings.Contains(text, k.Native()) || strings.Contains(text, k.Dotted()) || strings.Contains(text, k.Plain()) {
				return true
			}
		}
	}
	return false
}

// FuzzKeyHeader: with or without pieces of a good key in it (ID, SECRET), only its three renderings, octet for octet, are
// let in, by both headers that take keys.
func FuzzKeyHeader(f *testing.F) {
	b := newBed(f)
	key := b.keys["ann"]
	good := map[string]bool{key.Native(): true, key.Dotted(): true, key.Plain(): true}
	id, secret := key.Plain()[:8], key.Plain()[8:]
	for _, text := range []string{"idb_ID_SECRET", "ID.SECRET", "IDSECRET", "SECRETID", " IDSECRET", "IDSECRET ", "ID_SECRET", "IDB_ID_SECRET"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.NewReplacer("ID", id, "SECRET", secret).Replace(text)
		for _, headers := range [][]string{{"X-Api-Key", text}, {"Authorization", "Bearer " + text}} {
			b.res = credential.NewResolver(b.store, nil, credential.Limits{}, func() time.Time { return b.now })
			c, p := b.ask(headers...)
			want := good[text] || headers[0] == "Authorization" && good[strings.TrimLeft(text, " ")]
			switch {
			case want != (p == nil):
				t.Fatalf("%s %q: %v", headers[0], text, p)
			case p != nil && (p.Status != http.StatusUnauthorized || len(text) > 8 && strings.Contains(p.Error(), text)):
				t.Fatalf("%s %q: %v", headers[0], text, p)
			case p == nil && c.User() != 1:
				t.Fatalf("%s %q: %+v", headers[0], text, c)
			}
		}
	})
}

// FuzzForwarded: whatever a client writes into X-Forwarded-For, an untrusted peer counts as itself, and behind a trusted one
// the address is that peer's or a hop's whose every later hop is trusted.
func FuzzForwarded(f *testing.F) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	f.Add("10.0.0.1:5", "203.0.113.9, 198.51.100.1, 10.0.0.2", "")
	f.Add("[::1]:5", "2001:db8::1", "fe80::1%eth0")
	f.Add("192.0.2.1:5", "127.0.0.1", "10.0.0.1")
	f.Fuzz(func(t *testing.T, peer, one, two string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {one, two}, "Forwarded": {"for=" + one}, "X-Real-Ip": {two}}, URL: &url.URL{Path: "/"}}
		got := credential.Address(r, trusted)
		if direct := credential.Address(r, nil); !within(trusted, direct) {
			if got != direct {
				t.Fatalf("peer %q counts as %v", peer, got)
			}
			return
		}
		if got.Zone() != "" || got.Is4In6() {
			t.Fatalf("%v has several spellings", got)
		}
		// A client behind the trusted proxy that appends its true address cannot change what is seen.
		const client = "198.51.100.77"
		r.Header["X-Forwarded-For"] = []string{one, two, client}
		if seen := credential.Address(r, trusted); seen != netip.MustParseAddr(client) {
			t.Fatalf("%q %q %q: %v", peer, one, two, seen)
		}
		if !got.IsValid() {
			t.Fatalf("%q %q %q: no address", peer, one, two)
		}
	})
}

func within(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
