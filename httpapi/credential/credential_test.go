package credential_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// shelf is a store of a few users.
type shelf struct {
	mu      sync.Mutex
	users   map[string]idbridge.Access // by lower-case name
	links   map[idbridge.UserID][]idbridge.Link
	keys    map[idbridge.KeyID]idbridge.Key
	touched int
	down    error
}

func (s *shelf) KeyAccess(_ context.Context, id idbridge.KeyID) (idbridge.Key, idbridge.Access, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return idbridge.Key{}, idbridge.Access{}, s.down
	}
	k, ok := s.keys[id]
	if !ok {
		return idbridge.Key{}, idbridge.Access{}, &idbridge.Error{Kind: idbridge.NotFound, Msg: "no key"}
	}
	for _, a := range s.users {
		if a.User == k.User {
			return k, a, nil
		}
	}
	return k, idbridge.Access{}, nil
}

func (s *shelf) Touch(idbridge.KeyID, string, time.Time) { s.mu.Lock(); s.touched++; s.mu.Unlock() }

func (s *shelf) AccessByName(_ context.Context, name string) (idbridge.Access, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.users[strings.ToLower(name)], s.down
}

func (s *shelf) Links(_ context.Context, id idbridge.UserID) ([]idbridge.Link, error) {
	return s.links[id], s.down
}

// door is a directory that knows passwords.
type door struct {
	name      string
	passwords map[string]string
	err       error
	asked     []string
}

func (d *door) Authenticate(_ context.Context, name, password string) (idbridge.ExternalID, error) {
	d.asked = append(d.asked, name+"\x00"+password)
	if d.err != nil {
		return idbridge.ExternalID{}, d.err
	}
	if want, ok := d.passwords[strings.ToLower(name)]; !ok || want != password || password == "" {
		return idbridge.ExternalID{}, &idbridge.Error{Kind: idbridge.Unauthentic, Msg: "wrong"}
	}
	return idbridge.ExternalID{Directory: d.name, ID: strings.ToLower(name) + "-uuid"}, nil
}

type bed struct {
	store *shelf
	corp  *door
	hr    *door
	now   time.Time
	res   *credential.Resolver
	keys  map[string]idbridge.KeyText
}

func newBed(t testing.TB) *bed {
	t.Helper()
	b := &bed{now: time.Unix(1_800_000_000, 0), keys: map[string]idbridge.KeyText{}}
	b.store = &shelf{users: map[string]idbridge.Access{}, links: map[idbridge.UserID][]idbridge.Link{}, keys: map[idbridge.KeyID]idbridge.Key{}}
	b.corp = &door{name: "corp", passwords: map[string]string{"ann": "pä:ss", "bob": "b0b", "gone": "g"}}
	b.hr = &door{name: "hr", passwords: map[string]string{"ann": "other"}}
	for i, name := range []string{"ann", "bob", "gone"} {
		id := idbridge.UserID(i + 1)
		b.store.users[name] = idbridge.Access{User: id, UserName: name, Exists: true, May: name != "gone", Why: "suspended"}
		b.store.links[id] = []idbridge.Link{{ID: idbridge.ExternalID{Directory: "corp", ID: name + "-uuid"}, User: id}}
		text, err := idbridge.NewKeyText(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		b.keys[name] = text
		b.store.keys[text.ID()] = idbridge.Key{ID: text.ID(), User: id, Digest: text.Digest(), Enabled: true, Scopes: []string{"*"}}
	}
	b.res = credential.NewResolver(b.store, []credential.Door{{Name: "corp", Auth: b.corp}, {Name: "hr", Auth: b.hr}}, credential.Limits{}, func() time.Time { return b.now })
	return b
}

func basic(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

// plain is a surface of keys and passwords.
var plain = credential.Surface{Name: "api", Key: true, Bearer: true, Basic: true}

func (b *bed) ask(headers ...string) (credential.Caller, *problem.Problem) {
	return b.askFrom("192.0.2.1", headers...)
}

func (b *bed) askFrom(from string, headers ...string) (credential.Caller, *problem.Problem) {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	r := &http.Request{Header: h, Method: http.MethodGet, URL: &url.URL{Path: "/"}, Host: "id.example.org"}
	c, err := b.res.ResolveAt(r, &plain, netip.MustParseAddr(from), b.now)
	if err == nil {
		return c, nil
	}
	var p *problem.Problem
	if !errors.As(err, &p) {
		panic(err)
	}
	return c, p
}

func TestMatrix(t *testing.T) {
	b := newBed(t)
	ann, bob, gone := b.keys["ann"], b.keys["bob"], b.keys["gone"]
	wrong := strings.Repeat("x", 32)
	cases := []struct {
		name    string
		headers []string
		status  int // 0: let in
		user    idbridge.UserID
	}{
		{"nobody", nil, 0, 0},
		{"native", []string{"x-API-key", ann.Native()}, 0, 1},
		{"dotted", []string{"X-Api-Key", ann.Dotted()}, 0, 1},
		{"plain", []string{"X-Api-Key", ann.Plain()}, 0, 1},
		{"bearer", []string{"Authorization", "bEARER " + ann.Native()}, 0, 1},
		{"basic password", []string{"Authorization", basic("ann", "pä:ss")}, 0, 1},
		{"basic, other case", []string{"Authorization", basic("ANN", "pä:ss")}, 0, 1},
		{"basic, domain", []string{"Authorization", basic(`CORP\ann`, "pä:ss")}, 0, 1},
		{"basic, at domain", []string{"Authorization", basic("ann@corp", "pä:ss")}, 0, 1},
		{"basic, other domain", []string{"Authorization", basic(`hr\ann`, "other")}, 401, 0},
		{"basic key", []string{"Authorization", basic("ann", ann.Dotted())}, 0, 1},
		{"basic key of another", []string{"Authorization", basic("bob", ann.Dotted())}, 401, 0},
		{"key and basic, one user", []string{"X-Api-Key", ann.Plain(), "Authorization", basic("ann", ann.Native())}, 0, 1},
		{"key and password, one user", []string{"X-Api-Key", ann.Plain(), "Authorization", basic("ann", "pä:ss")}, 0, 1},
		{"two users", []string{"X-Api-Key", ann.Plain(), "Authorization", "Bearer " + bob.Plain()}, 400, 0},
		{"two users, a password", []string{"X-Api-Key", ann.Plain(), "Authorization", basic("bob", "b0b")}, 400, 0},
		{"good key, bad bearer", []string{"X-Api-Key", ann.Plain(), "Authorization", "Bearer nonsense"}, 401, 0},
		{"bad key, good basic", []string{"X-Api-Key", "nonsense", "Authorization", basic("ann", "pä:ss")}, 401, 0},
		{"repeated key", []string{"X-Api-Key", ann.Plain(), "X-Api-Key", ann.Plain()}, 400, 0},
		{"repeated authorization", []string{"Authorization", "Bearer " + ann.Plain(), "Authorization", "Bearer " + ann.Plain()}, 400, 0},
		{"empty key", []string{"X-Api-Key", ""}, 401, 0},
		{"empty bearer", []string{"Authorization", "Bearer"}, 401, 0},
		{"other scheme", []string{"Authorization", "Digest abc"}, 401, 0},
		{"broken base64", []string{"Authorization", "Basic !!!"}, 401, 0},
		{"no colon", []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("ann"))}, 401, 0},
		{"not UTF-8", []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:\xff"))}, 401, 0},
		{"wrong secret", []string{"X-Api-Key", string(ann.ID()) + wrong}, 401, 0},
		{"unknown id", []string{"X-Api-Key", "ZZZZZZZZ" + wrong}, 401, 0},
		{"id and secret swapped", []string{"X-Api-Key", ann.Plain()[8:] + ann.Plain()[:8]}, 401, 0},
		{"case changed", []string{"X-Api-Key", strings.ToLower(ann.Plain()) + ""}, 401, 0},
		{"truncated", []string{"X-Api-Key", ann.Plain()[:39]}, 401, 0},
		{"extended", []string{"X-Api-Key", ann.Plain() + "0"}, 401, 0},
		{"blank around", []string{"X-Api-Key", ann.Plain() + " "}, 401, 0},
		{"suspended, key", []string{"X-Api-Key", gone.Plain()}, 401, 0},
		{"suspended, password", []string{"Authorization", basic("gone", "g")}, 401, 0},
		{"wrong password", []string{"Authorization", basic("ann", "x")}, 401, 0},
		{"password of the other directory", []string{"Authorization", basic("ann", "other")}, 401, 0},
		{"unknown user", []string{"Authorization", basic("nobody", "x")}, 401, 0},
		{"empty password", []string{"Authorization", basic("ann", "")}, 401, 0},
		{"empty name", []string{"Authorization", basic("", "x")}, 401, 0},
		{"forged headers", []string{"X-Auth-User", "ann", "X-API-USER", "ann", "X-Authorization", ann.Plain(), "Cookie", "a=b"}, 0, 0},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			caller, p := b.askFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String(), c.headers...)
			switch {
			case c.status == 0 && p != nil:
				t.Fatalf("refused: %v", p)
			case c.status == 0 && caller.User() != c.user:
				t.Fatalf("user %d", caller.User())
			case c.status != 0 && (p == nil || p.Status != c.status):
				t.Fatalf("got %v", p)
			case c.status == 401 && (p.Title != "Not signed in" || len(p.GetHeaders()["Www-Authenticate"]) != 2 || caller.How != credential.Nobody):
				t.Fatalf("401s look alike: %+v", p)
			}
		})
	}
}

func TestEmptyPasswordNeverReachesADirectory(t *testing.T) {
	b := newBed(t)
	b.ask("Authorization", basic("ann", ""))
	if len(b.corp.asked)+len(b.hr.asked) != 0 {
		t.Errorf("asked %q %q", b.corp.asked, b.hr.asked)
	}
}

func TestAKeyIsNotShownToADirectory(t *testing.T) {
	b := newBed(t)
	other, err := idbridge.NewKeyText(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{other.Native(), other.Dotted(), other.Plain(), b.keys["bob"].Plain()} {
		if _, p := b.ask("Authorization", basic("ann", s)); p == nil || p.Status != 401 {
			t.Errorf("%v", p)
		}
	}
	if len(b.corp.asked)+len(b.hr.asked) != 0 {
		t.Errorf("asked %q %q", b.corp.asked, b.hr.asked)
	}
}

func TestPasswordGoesToOwnDirectoriesOnly(t *testing.T) {
	b := newBed(t)
	if _, p := b.ask("Authorization", basic("bob", "b0b")); p != nil {
		t.Fatal(p)
	}
	if _, p := b.ask("Authorization", basic("bob", "wrong")); p == nil {
		t.Fatal("let in")
	}
	if len(b.hr.asked) != 0 {
		t.Errorf("bob's password was shown to hr")
	}
}

func TestDirectoryDown(t *testing.T) {
	b := newBed(t)
	b.corp.err = &idbridge.Error{Kind: idbridge.Unavailable, Msg: "down"}
	for _, name := range []string{"ann", "nobody"} {
		_, p := b.ask("Authorization", basic(name, "pä:ss"))
		if p == nil || p.Status != 503 || p.GetHeaders().Get("Retry-After") == "" {
			t.Errorf("%s: %v", name, p)
		}
	}
	b.store.links[2] = []idbridge.Link{{ID: idbridge.ExternalID{Directory: "hr", ID: "bob-uuid"}, User: 2}}
	if _, p := b.ask("Authorization", basic("bob", "wrong")); p == nil || p.Status != 503 {
		t.Errorf("a failure while a directory is down must not say that the name is known: %v", p)
	}
	b.hr.passwords["bob"] = "b0b"
	if c, p := b.ask("Authorization", basic("bob", "b0b")); p != nil || c.User() != 2 {
		t.Errorf("the directory that works lets its people in: %v", p)
	}
	if c, p := b.ask("X-Api-Key", b.keys["ann"].Plain()); p != nil || c.User() != 1 {
		t.Errorf("a key needs no directory: %v", p)
	}
	b.corp.err = nil
	if _, p := b.ask("Authorization", basic("ann", "pä:ss")); p != nil {
		t.Errorf("back again: %v", p)
	}
}

func TestStoreDown(t *testing.T) {
	b := newBed(t)
	b.store.down = &idbridge.Error{Kind: idbridge.Unavailable, Msg: "x"}
	for _, h := range [][]string{{"X-Api-Key", b.keys["ann"].Plain()}, {"Authorization", basic("ann", "pä:ss")}, {"Authorization", basic("ann", b.keys["ann"].Plain())}} {
		if _, p := b.ask(h...); p == nil || p.Status != 503 {
			t.Errorf("%v", p)
		}
	}
}

func TestKeyStates(t *testing.T) {
	b := newBed(t)
	id := b.keys["ann"].ID()
	good := b.store.keys[id]
	for name, change := range map[string]func(*idbridge.Key){
		"disabled": func(k *idbridge.Key) { k.Enabled = false }, "expired": func(k *idbridge.Key) { k.Expires = b.now },
		"pending": func(k *idbridge.Key) { k.NotBefore = b.now.Add(time.Second) }, "revoked": func(k *idbridge.Key) { k.Revoked = b.now },
	} {
		k := good
		change(&k)
		b.store.keys[id] = k
		if _, p := b.ask("X-Api-Key", b.keys["ann"].Plain()); p == nil || p.Status != 401 || !strings.Contains(p.Error(), name) {
			t.Errorf("%s: %v", name, p)
		}
	}
}

func TestFailuresSlowDown(t *testing.T) {
	b := newBed(t)
	const attacker, victim = "198.51.100.7", "192.0.2.1"
	for i := range 4 {
		if _, p := b.askFrom(attacker, "Authorization", basic("ann", "guess")); p == nil || p.Status != 401 {
			t.Fatalf("failure %d: %v", i+1, p)
		}
	}
	if _, p := b.askFrom(attacker, "Authorization", basic("ann", "guess")); p == nil || p.Status != 401 {
		t.Fatalf("fifth failure: %v", p)
	}
	asked := len(b.corp.asked)
	_, p := b.askFrom(attacker, "Authorization", basic("ann", "pä:ss"))
	if p == nil || p.Status != 429 || p.GetHeaders().Get("Retry-After") != "1" || len(b.corp.asked) != asked {
		t.Fatalf("the sixth has to wait, unasked: %v", p)
	}
	if _, p := b.askFrom(victim, "Authorization", basic("ann", "pä:ss")); p != nil {
		t.Fatalf("the victim is locked out elsewhere: %v", p)
	}
	if _, p := b.askFrom(attacker, "X-Api-Key", b.keys["bob"].Plain()); p != nil {
		t.Fatalf("a good key from a bad address: %v", p)
	}
	b.now = b.now.Add(time.Second)
	if _, p := b.askFrom(attacker, "Authorization", basic("ann", "guess")); p == nil || p.Status != 401 {
		t.Fatalf("after the wait: %v", p)
	}
	if _, p := b.askFrom(attacker, "Authorization", basic("ann", "guess")); p == nil || p.Status != 429 || p.GetHeaders().Get("Retry-After") != "2" {
		t.Fatalf("the wait doubles: %v", p)
	}
	for i := range 20 {
		b.askFrom(attacker, "Authorization", basic("user"+string(rune('a'+i)), "guess"))
	}
	if _, p := b.askFrom(attacker, "Authorization", basic("bob", "b0b")); p == nil || p.Status != 429 {
		t.Fatalf("one address guesses many names: %v", p)
	}
	if _, p := b.askFrom(attacker, "X-Api-Key", "nonsense"); p == nil || p.Status != 429 {
		t.Fatalf("one address guesses keys: %v", p)
	}
	b.now = b.now.Add(3 * time.Minute)
	if _, p := b.askFrom(attacker, "Authorization", basic("ann", "pä:ss")); p != nil {
		t.Fatalf("all is forgotten after a while: %v", p)
	}
}

func TestLimiterIsBounded(t *testing.T) {
	l := credential.NewLimiter(credential.Limits{Remember: 64})
	now := time.Unix(1, 0)
	for range 20 {
		l.Failed("192.0.2.1", "ann", now)
	}
	if l.Wait("192.0.2.1", "ann", now) == 0 {
		t.Fatal("no wait")
	}
	for i := range 100_000 {
		l.Failed(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String(), "x", now)
	}
	if n := l.Len(); n > 2*64+16 {
		t.Errorf("%d entries kept", n)
	}
	if l.Wait("192.0.2.1", "ann", now) != 0 {
		t.Error("the longest idle entry is not forgotten")
	}
}

func TestAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, c := range []struct{ peer, forwarded, want string }{
		{"192.0.2.1:5", "198.51.100.1", "192.0.2.1"},
		{"10.0.0.1:5", "", "10.0.0.1"},
		{"10.0.0.1:5", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:5", "203.0.113.9, 198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:5", "203.0.113.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"},
		{"10.0.0.1:5", "198.51.100.1, nonsense", "10.0.0.1"},
		{"[::1]:5", "2001:db8::1", "2001:db8::1"},
		{"[::ffff:10.0.0.1]:5", "198.51.100.1", "198.51.100.1"},
		{"nonsense", "198.51.100.1", "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := credential.Address(r, trusted).String(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
