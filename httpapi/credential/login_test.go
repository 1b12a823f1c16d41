package credential_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// TestLocalPasswords: whoever the name means, there is one hash, one directory is asked, and one answer.
func TestLocalPasswords(t *testing.T) {
	h := newHome(t)
	h.person("hal") // has no password
	if _, err := h.store.AddUser(h.ctx, idbridge.NewUser{Kind: idbridge.Service, By: "test", Profile: idbridge.Profile{idbridge.UserName: {"app"}}}); err != nil {
		t.Fatal(err)
	}
	if err := h.store.SetSuspended(h.ctx, h.ids["bob"], true, "test", ""); err != nil {
		t.Fatal(err)
	}
	h.corp.passwords["stranger"] = "known to the directory"
	s := rest()
	for _, name := range []string{"ann", "ANN", "Ann"} {
		c := h.admits("ann", request("Authorization", basic(name, "pw-ann")), s)
		if c.How != credential.ByPassword || !c.Whole() || !c.MayMint("keys.generate") {
			t.Errorf("%+v", c)
		}
	}
	if len(h.corp.asked) != 0 {
		t.Errorf("a good local password was shown to a directory: %q", h.corp.asked)
	}
	cases := map[string]struct{ name, password, why string }{
		"wrong":                     {"ann", "pw-Ann", "wrong password"},
		"suspended, right":          {"bob", "pw-bob", "suspended"},
		"suspended, wrong":          {"bob", "x", "wrong password"},
		"without a password":        {"hal", "x", "no password"},
		"service":                   {"app", "x", "no password"},
		"unknown":                   {"nobody", "x", "unknown user"},
		"unlinked, at his director": {"stranger", "known to the directory", "unknown user"},
		"local, at a directory":     {`corp\ann`, "pw-ann", "no password"},
	}
	var first *problem.Problem
	for what, c := range cases {
		hashes, asked := h.hashes.n.Load(), len(h.corp.asked)
		p := h.refuses(401, c.why, request("Authorization", basic(c.name, c.password)), s)
		if h.hashes.n.Load() != hashes+1 || len(h.corp.asked) != asked+1 {
			t.Errorf("%s: %d hashes, %d directories asked", what, h.hashes.n.Load()-hashes, len(h.corp.asked)-asked)
		}
		if first == nil {
			first = p
		}
		if p.Detail != first.Detail || p.Type != first.Type || p.Title != first.Title {
			t.Errorf("%s: %+v differs from %+v", what, p, first)
		}
	}
	for _, asked := range h.corp.asked {
		if strings.Contains(asked, "pw-") || strings.HasPrefix(asked, "ann") || strings.HasPrefix(asked, "bob") {
			t.Errorf("the directory was asked %q", asked)
		}
	}
	before := h.hashes.n.Load()
	h.refuses(401, "empty", request("Authorization", basic("ann", "")), s)
	if _, err := h.res.Login(h.ctx, "ann", idbridge.NewSecret(strings.Repeat("x", 2000)), netip.MustParseAddr("192.0.2.1")); problem.From(err).Status != 401 {
		t.Errorf("%v", err)
	}
	if h.hashes.n.Load() != before {
		t.Error("an empty or endless password was hashed")
	}
}

// generous says that everybody has a password here: "local".
type generous struct{ owner idbridge.UserID }

func (g generous) Password(context.Context, string) (idbridge.UserID, idbridge.Secret, error) {
	return g.owner, idbridge.NewSecret("local"), nil
}

func (generous) Verify(_ context.Context, password, phc idbridge.Secret) (bool, error) {
	return !phc.IsEmpty() && password.Reveal() == phc.Reveal(), nil
}

// TestWhoMayHaveALocalPassword: whatever the store says, no service and nobody whom a directory knows.
func TestWhoMayHaveALocalPassword(t *testing.T) {
	b := newBed(t)
	b.store.users["loc"] = idbridge.Access{User: 7, UserName: "loc", Exists: true, May: true, Kind: idbridge.Person}
	b.store.users["app"] = idbridge.Access{User: 8, UserName: "app", Exists: true, May: true, Kind: idbridge.Service}
	for _, c := range []struct {
		name  string
		owner idbridge.UserID
		ok    bool
	}{{"loc", 7, true}, {"loc", 6, false}, {"app", 8, false}, {"ann", 1, false}, {"bob", 2, false}, {"nobody", 9, false}} {
		b.res = credential.New(credential.Config{Store: b.store, Passwords: generous{c.owner}, Hasher: generous{}, Doors: []credential.Door{{Name: "corp", Auth: b.corp}}})
		_, err := b.res.Login(context.Background(), c.name, idbridge.NewSecret("local"), netip.MustParseAddr("192.0.2.1"))
		if (err == nil) != c.ok || err != nil && problem.From(err).Status != http.StatusUnauthorized {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestDirectoryDownForLocalUsers(t *testing.T) {
	h := newHome(t)
	s := rest()
	h.corp.err = &idbridge.Error{Kind: idbridge.Unavailable, Msg: "down"}
	h.admits("ann", request("Authorization", basic("ann", "pw-ann")), s)
	for _, name := range []string{"ann", "nobody"} {
		if p := h.refuses(503, "", request("Authorization", basic(name, "x")), s); p.GetHeaders().Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", name)
		}
	}
}

// full is a hasher at which all places are taken.
type full struct{}

func (full) Verify(context.Context, idbridge.Secret, idbridge.Secret) (bool, error) {
	return false, &idbridge.Error{Kind: idbridge.Unavailable, Msg: "too many sign-ins at once"}
}

func TestTooManySignIns(t *testing.T) {
	h := newHome(t, func(c *credential.Config) { c.Hasher = full{} })
	for _, name := range []string{"ann", "nobody"} {
		if p := h.refuses(503, "", request("Authorization", basic(name, "pw-ann")), rest()); p.GetHeaders().Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", name)
		}
	}
	h.admits("ann", request("Authorization", basic("ann", h.keys["ann"].Plain())), rest())
}

// TestOneCountForAllDoors: what fails at one door counts at the others, keys count against nobody, and the victim gets in
// elsewhere.
func TestOneCountForAllDoors(t *testing.T) {
	now := time.Now()
	h := newHome(t, func(c *credential.Config) {
		c.Limits, c.Now = credential.Limits{}, func() time.Time { return now }
	})
	s := rest()
	attacker, victim := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("192.0.2.9")
	ask := func(from netip.Addr, headers ...string) *problem.Problem {
		if _, err := h.res.ResolveAt(request(headers...), &s, from, now); err != nil {
			return problem.From(err)
		}
		return nil
	}
	login := func(from netip.Addr, password string) *problem.Problem {
		if _, err := h.res.Login(h.ctx, "ANN", idbridge.NewSecret(password), from); err != nil {
			return problem.From(err)
		}
		return nil
	}
	for i := range 5 {
		var p *problem.Problem
		if i%2 == 0 {
			p = ask(attacker, "Authorization", basic("ann", "x"))
		} else {
			p = login(attacker, "x")
		}
		if p == nil || p.Status != 401 {
			t.Fatalf("failure %d: %v", i+1, p)
		}
	}
	hashes := h.hashes.n.Load()
	for _, p := range []*problem.Problem{login(attacker, "pw-ann"), ask(attacker, "Authorization", basic("ann", "pw-ann"))} {
		if p == nil || p.Status != 429 || p.GetHeaders().Get("Retry-After") != "1" {
			t.Errorf("%v", p)
		}
	}
	if h.hashes.n.Load() != hashes {
		t.Error("who waits costs work")
	}
	if p := login(victim, "pw-ann"); p != nil {
		t.Errorf("the victim is locked out: %v", p)
	}
	for range 20 { // failed keys of a user are no failures of his
		ask(netip.MustParseAddr("203.0.113.1"), "X-Api-Key", h.keys["ann"].Plain()[:39]+"!")
		ask(netip.MustParseAddr("203.0.113.1"), "Authorization", basic("ann", h.keys["bob"].Plain()))
	}
	if w := h.res.Limiter().Wait("203.0.113.1", "", now); w == 0 {
		t.Error("an address guesses keys for ever")
	}
	now = now.Add(time.Hour)
	if w := h.res.Limiter().Wait("203.0.113.1", "ann", now); w != 0 {
		t.Errorf("failed keys count against their user: %v", w)
	}
	for range 12 { // the delays double, and end at a minute
		login(attacker, "x")
		now = now.Add(h.res.Limiter().Wait("198.51.100.7", "ann", now))
	}
	login(attacker, "x")
	if w := h.res.Limiter().Wait("198.51.100.7", "ann", now); w != time.Minute {
		t.Errorf("waits %v", w)
	}
	if p := login(victim, "pw-ann"); p != nil {
		t.Errorf("the victim is locked out: %v", p)
	}
}

func TestTell(t *testing.T) {
	now := time.Now()
	h := newHome(t, func(c *credential.Config) {
		c.Limits, c.Now, c.Trusted = credential.Limits{}, func() time.Time { return now }, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	r := request("X-Forwarded-For", "203.0.113.5") // httptest's peer is 192.0.2.1
	for left := 10; left >= 0; left-- {
		w := httptest.NewRecorder()
		h.res.Tell(w, r)
		want := `"failures";r=` + []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}[left] + ";t=60"
		if w.Header().Get("RateLimit-Policy") != `"failures";q=10;w=60` || w.Header().Get("RateLimit") != want {
			t.Errorf("%v, wanted %s", w.Header(), want)
		}
		if left > 0 {
			h.refuses(401, "", request("X-Api-Key", "junk", "X-Forwarded-For", "203.0.113.5"), rest())
		}
	}
	h.refuses(429, "", request("X-Api-Key", "junk", "X-Forwarded-For", "203.0.113.5"), rest())
	h.refuses(401, "", request("X-Api-Key", "junk", "X-Forwarded-For", "203.0.113.6"), rest())
}

func TestAPIUser(t *testing.T) {
	h := newHome(t)
	key := h.keys["ann"].Dotted()
	ignore, enforce := rest(), rest()
	ignore.APIUser, enforce.APIUser = credential.IgnoreAPIUser, credential.EnforceAPIUser
	for _, name := range []string{"ann", "ANN", `corp\ann`, "bob", "who@knows", ""} {
		r := request("X-Api-Key", key, "X-Api-User", name)
		h.admits("ann", r, ignore)
		if strings.EqualFold(strings.TrimPrefix(name, `corp\`), "ann") {
			h.admits("ann", r, enforce)
		} else {
			h.refuses(401, "X-API-USER", r, enforce)
		}
	}
	h.admits("ann", request("X-Api-Key", key), enforce)
	h.refuses(401, "X-API-USER", request("X-Api-Key", key, "X-Api-User", "ann", "X-Api-User", "ann"), enforce)
	if c, p := h.resolve(request("X-Api-User", "ann"), enforce); p != nil || c.How != credential.Nobody {
		t.Errorf("X-API-USER alone: %v %+v", p, c)
	}
	h.admits("ann", request("X-Api-User", "bob", "Authorization", basic("ann", "pw-ann")), enforce) // it is about keys in X-API-KEY
}

func TestRotatedKeys(t *testing.T) {
	now := time.Now()
	h := newHome(t, func(c *credential.Config) { c.Now = func() time.Time { return now } })
	old := h.keys["ann"]
	fresh, err := idbridge.NewKeyText(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.store.RotateKey(h.ctx, old.ID(), idbridge.Key{ID: fresh.ID(), User: h.ids["ann"], Slot: idbridge.PrimarySlot, Digest: fresh.Digest(), Enabled: true, Created: now}, time.Hour, "test")
	if err != nil {
		t.Fatal(err)
	}
	h.admits("ann", request("X-Api-Key", old.Plain()), rest())
	h.admits("ann", request("X-Api-Key", fresh.Plain()), rest())
	now = now.Add(2 * time.Hour)
	p := h.refuses(401, "rotated", request("X-Api-Key", old.Plain()), rest())
	var why *credential.Refusal
	if !asRefusal(p, &why) || why.Action != credential.RefusedReuse || why.Key != old.ID() || why.User != h.ids["ann"] {
		t.Errorf("%+v", why)
	}
	if p := h.refuses(401, "unknown key", request("X-Api-Key", old.Plain()[:39]+"!"), rest()); !asRefusal(p, &why) || why.Action != credential.RefusedSignIn || why.Key != "" {
		t.Errorf("a guess at a rotated key's secret is no reuse: %+v", why)
	}
	h.admits("ann", request("X-Api-Key", fresh.Plain()), rest())
}

func TestPepper(t *testing.T) {
	b := newBed(t)
	b.res = credential.New(credential.Config{Store: b.store, Now: func() time.Time { return b.now }, Peppers: map[string]idbridge.Secret{"p1": idbridge.NewSecret("pepper"), "none": {}}})
	text := b.keys["ann"]
	k := b.store.keys[text.ID()]
	for name, c := range map[string]struct {
		pepper, made string
		status       int
	}{
		"right": {"p1", "pepper", 0}, "another": {"p1", "salt", 401}, "unknown": {"p2", "pepper", 401}, "unknown, empty": {"p2", "", 401}, "empty": {"none", "", 401},
	} {
		mac := hmac.New(sha256.New, []byte(c.made))
		mac.Write([]byte(text.Plain()))
		k.Pepper, k.Digest = c.pepper, mac.Sum(nil)
		b.store.keys[text.ID()] = k
		if _, p := b.ask("X-Api-Key", text.Native()); (p == nil) != (c.status == 0) || p != nil && p.Status != c.status {
			t.Errorf("%s: %v", name, p)
		}
	}
	k.Pepper, k.Digest = "p1", text.Digest()
	b.store.keys[text.ID()] = k
	if _, p := b.ask("X-Api-Key", text.Native()); p == nil {
		t.Error("a digest without pepper is good for a key that has one")
	}
}

func TestSessionStoreDown(t *testing.T) {
	h := newHome(t)
	cookies, one := h.in(rest(), "Authorization", basic("ann", "pw-ann"))
	text, err := h.tokens.Mint(h.ctx, h.ids["ann"], one.ID)
	if err != nil {
		t.Fatal(err)
	}
	res := credential.New(credential.Config{Store: h.store, Sessions: broken{}, Tokens: h.tokens})
	for _, headers := range [][]string{{"Cookie", cookies}, {"X-Authorization", text.Reveal()}, {"Cookie", cookies, "X-Api-Key", h.keys["ann"].Plain()}} {
		if _, err := res.Resolve(request(headers...), rest()); err == nil || problem.From(err).Status != http.StatusServiceUnavailable {
			t.Errorf("%v: %v", headers[0], err)
		}
	}
	who := h.admits("ann", request("X-Api-Key", h.keys["ann"].Plain()), rest())
	w := httptest.NewRecorder()
	if _, err := res.Begin(w, request(), &who, rest()); err == nil || len(w.Result().Cookies()) != 0 {
		t.Errorf("%v", err)
	}
	if err := res.End(httptest.NewRecorder(), request("Cookie", cookies), rest(), "logout"); err == nil {
		t.Error("a logout that did not happen is told as done")
	}
	without := credential.New(credential.Config{Store: h.store})
	if c, err := without.Resolve(request("Cookie", cookies), rest()); err != nil || c.How != credential.Nobody {
		t.Errorf("%v", err)
	}
	if _, err := without.Resolve(request("X-Authorization", text.Reveal()), rest()); err == nil || problem.From(err).Status != 401 {
		t.Errorf("%v", err)
	}
}

// broken is a store of sessions that does not answer.
type broken struct{}

func (broken) down() error { return &idbridge.Error{Kind: idbridge.Unavailable, Msg: "down"} }

func (b broken) NewSession(_ context.Context, s idbridge.UserSession, _ int) (idbridge.UserSession, error) {
	return s, b.down()
}

func (b broken) SessionAccess(context.Context, []byte) (idbridge.UserSession, idbridge.Access, error) {
	return idbridge.UserSession{}, idbridge.Access{}, b.down()
}

func (b broken) SessionByID(context.Context, int64) (idbridge.UserSession, idbridge.Access, error) {
	return idbridge.UserSession{}, idbridge.Access{}, b.down()
}

func (b broken) EndSession(context.Context, int64, string, string) error { return b.down() }

func (broken) TouchSession(int64, time.Time) {}
