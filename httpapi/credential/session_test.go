package credential_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

func TestCookie(t *testing.T) {
	h := newHome(t)
	s := rest()
	ann, one := h.in(s, "Authorization", basic("ann", "pw-ann"))
	bob, _ := h.in(s, "X-Api-Key", h.keys["bob"].Plain())
	console := rest()
	console.CookieName = credential.ConsoleCookie
	foreign, _ := h.in(console, "Authorization", basic("ann", "pw-ann"))
	foreign = strings.ReplaceAll(foreign, credential.ConsoleCookie, credential.RestCookie)
	key := h.keys["ann"].Dotted()
	invented := credential.RestCookie + "=" + strings.Repeat("A", 43)

	c := h.admits("ann", request("Cookie", ann), s)
	if c.How != credential.BySession || c.Session == nil || c.Session.ID != one.ID || !c.Whole() || !c.MayMint("x") || c.Session.How != "password" {
		t.Errorf("%+v", c)
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(one.Context) {
		t.Errorf("context %q", one.Context)
	}
	c = h.admits("ann", request("Cookie", ann, "X-Api-Key", key), s)
	if c.How != credential.ByKey || c.Session == nil || c.Session.ID != one.ID || c.MayMint("x") {
		t.Errorf("key and cookie: %+v", c)
	}
	for _, stale := range []string{invented, credential.RestCookie + "=", credential.RestCookie + "=x", "other=1", foreign} {
		if c := h.admits("ann", request("Cookie", stale, "X-Api-Key", key), s); c.Session != nil {
			t.Errorf("%q beside a good key: %+v", stale, c)
		}
	}
	for _, nothing := range []string{credential.RestCookie + "=", credential.RestCookie + "=x", "other=1", "__Host-" + ann} {
		if c, p := h.resolve(request("Cookie", nothing), s); p != nil || c.How != credential.Nobody {
			t.Errorf("%q: %v %+v", nothing, p, c)
		}
	}
	h.refuses(401, "unknown session", request("Cookie", invented), s)
	h.refuses(401, "another surface", request("Cookie", foreign), s)
	h.refuses(401, "not a key", request("Cookie", ann, "X-Api-Key", "nonsense"), s)
	h.refuses(401, "wrong password", request("Cookie", ann, "Authorization", basic("ann", "x")), s)
	h.refuses(400, "different users", request("Cookie", bob, "X-Api-Key", key), s)
	h.refuses(400, "comes twice", request("Cookie", ann+"; "+bob), s)
	h.refuses(400, "comes twice", request("Cookie", ann, "Cookie", ann), s)
	s.Cookie = false
	if c, p := h.resolve(request("Cookie", ann), s); p != nil || c.How != credential.Nobody {
		t.Errorf("a cookie where none is admitted: %v %+v", p, c)
	}
}

func TestCookieAttributes(t *testing.T) {
	for name, c := range map[string]struct {
		url  string
		tls  bool
		want []string
	}{
		"plain":        {"http://id.example.org", false, []string{"idbridge_rest=ID; Path=/; HttpOnly; SameSite=Lax", "XSRF-TOKEN=SUM; Path=/; SameSite=Lax"}},
		"TLS":          {"", true, []string{"__Host-idbridge_rest=ID; Path=/; HttpOnly; Secure; SameSite=Lax", "XSRF-TOKEN=SUM; Path=/; Secure; SameSite=Lax"}},
		"public https": {"https://id.example.org", false, []string{"__Host-idbridge_rest=ID; Path=/; HttpOnly; Secure; SameSite=Lax", "XSRF-TOKEN=SUM; Path=/; Secure; SameSite=Lax"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t, func(x *credential.Config) { x.PublicURL = c.url })
			for _, surface := range []string{credential.RestCookie, credential.ConsoleCookie} {
				s := rest()
				s.CookieName = surface
				r := request("X-Api-Key", h.keys["ann"].Plain())
				if c.tls {
					r.TLS = &tls.ConnectionState{}
				}
				who := h.admits("ann", r, s)
				w := httptest.NewRecorder()
				if _, err := h.res.Begin(w, r, &who, s); err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, line := range w.Result().Header["Set-Cookie"] {
					line = regexp.MustCompile(`=[A-Za-z0-9_-]{43};`).ReplaceAllString(line, "=ID;")
					got = append(got, regexp.MustCompile(`=[0-9a-f]{64};`).ReplaceAllString(line, "=SUM;"))
				}
				want := strings.Join(c.want, "\n")
				if surface == credential.ConsoleCookie {
					want = strings.NewReplacer("_rest", "_console", "Lax", "Strict").Replace(want)
				}
				if strings.Join(got, "\n") != want {
					t.Errorf("%s\nwanted %s", strings.Join(got, "\n"), want)
				}
				back := request("Cookie", jar(w))
				back.TLS = r.TLS
				h.admits("ann", back, s)
				out := httptest.NewRecorder()
				if err := h.res.End(out, back, s, idbridge.EndedByLogout); err != nil {
					t.Fatal(err)
				}
				for _, gone := range out.Result().Cookies() {
					if gone.MaxAge >= 0 || gone.Value != "" || gone.Path != "/" || gone.Secure != (c.tls || strings.HasPrefix(c.url, "https")) {
						t.Errorf("%+v", gone)
					}
				}
				if p := h.refuses(401, "session is over: logout", back, s); p.Cause == nil {
					t.Error("no cause")
				}
			}
		})
	}
}

// TestFixation: an id that a client brings is never taken over, and none outlives a login.
func TestFixation(t *testing.T) {
	h := newHome(t)
	s := rest()
	planted := credential.RestCookie + "=" + strings.Repeat("A", 43)
	fresh, _ := h.in(s, "Cookie", planted, "Authorization", basic("ann", "pw-ann"))
	if strings.Contains(fresh, strings.Repeat("A", 43)) {
		t.Fatal("an invented id was taken")
	}
	h.refuses(401, "unknown session", request("Cookie", planted), s)
	again, two := h.in(s, "Cookie", fresh, "Authorization", basic("ann", "pw-ann"))
	h.refuses(401, "session is over", request("Cookie", fresh), s)
	if c := h.admits("ann", request("Cookie", again), s); c.Session.ID != two.ID {
		t.Errorf("%+v", c.Session)
	}
	third, three := h.in(s, "Cookie", again) // a change of privilege within a session
	h.refuses(401, "session is over", request("Cookie", again), s)
	if h.admits("ann", request("Cookie", third), s); three.How != "password" || three.Context == two.Context {
		t.Errorf("%+v", three)
	}
	nobody := credential.Caller{}
	w := httptest.NewRecorder()
	if _, err := h.res.Begin(w, request(), &nobody, s); err == nil || len(w.Result().Cookies()) != 0 {
		t.Errorf("a session for nobody: %v", err)
	}
}

func TestXSRF(t *testing.T) {
	h := newHome(t)
	s := rest()
	cookies, _ := h.in(s, "Authorization", basic("ann", "pw-ann"))
	other, _ := h.in(s, "Authorization", basic("ann", "pw-ann"))
	echo := func(cookies string) string { return cookies[strings.Index(cookies, "XSRF-TOKEN=")+len("XSRF-TOKEN="):] }
	key := h.keys["ann"].Plain()
	for name, c := range map[string]struct {
		headers []string
		demand  bool
		ok      bool
	}{
		"right echo":             {[]string{"Cookie", cookies, "X-XSRF-TOKEN", echo(cookies)}, true, true},
		"no echo, not demanded":  {[]string{"Cookie", cookies}, false, true},
		"no echo, demanded":      {[]string{"Cookie", cookies}, true, false},
		"wrong echo":             {[]string{"Cookie", cookies, "X-XSRF-TOKEN", "x"}, false, false},
		"another session's":      {[]string{"Cookie", cookies, "X-XSRF-TOKEN", echo(other)}, false, false},
		"empty echo":             {[]string{"Cookie", cookies, "X-XSRF-TOKEN", ""}, false, false},
		"echo twice":             {[]string{"Cookie", cookies, "X-XSRF-TOKEN", echo(cookies), "X-XSRF-TOKEN", echo(cookies)}, false, false},
		"key and cookie":         {[]string{"Cookie", cookies, "X-Api-Key", key}, true, true},
		"key and wrong echo":     {[]string{"Cookie", cookies, "X-Api-Key", key, "X-XSRF-TOKEN", "x"}, true, false},
		"key alone, an old echo": {[]string{"X-Api-Key", key, "X-XSRF-TOKEN", "x"}, true, true},
	} {
		r := request(c.headers...)
		who := h.admits("ann", r, s)
		if err := h.res.CheckXSRF(r, &who, s, c.demand); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if strings.Contains(echo(cookies), strings.TrimPrefix(strings.Split(cookies, ";")[0], credential.RestCookie+"=")) {
		t.Error("the readable cookie shows the id")
	}
}

func TestBrowsersOfOtherSites(t *testing.T) {
	h := newHome(t, func(c *credential.Config) { c.PublicURL = "http://public.example.org/x" })
	s := rest()
	cookies, _ := h.in(s, "Authorization", basic("ann", "pw-ann"))
	post := func(headers ...string) *http.Request {
		r := request(headers...)
		r.Method = http.MethodPost
		return r
	}
	cross := []string{"Sec-Fetch-Site", "cross-site"}
	h.refuses(403, "another site", post(append(cross, "Cookie", cookies)...), s)
	h.refuses(403, "another site", post(append(cross, "Authorization", basic("ann", "pw-ann"))...), s)
	h.refuses(403, "another site", post("Origin", "https://evil.example", "Cookie", cookies), s)
	h.admits("ann", post(append(cross, "X-Api-Key", h.keys["ann"].Plain(), "Cookie", cookies)...), s)
	h.admits("ann", post("Sec-Fetch-Site", "same-origin", "Cookie", cookies), s)
	h.admits("ann", post("Origin", "http://public.example.org", "Cookie", cookies), s)
	h.admits("ann", post("Cookie", cookies), s)
	h.admits("ann", request(append(cross, "Cookie", cookies)...), s) // a GET; who changes something with it asks Sec-Fetch-Site
}

// TestSessionsOfKeys: what a key began has no more than the key, and ends with it.
func TestSessionsOfKeys(t *testing.T) {
	h := newHome(t)
	s := rest()
	h.newKey("ann", "keys.verify")
	old := h.keys["ann"]
	cookies, _ := h.in(s, "X-Api-Key", old.Plain())
	c := h.admits("ann", request("Cookie", cookies), s)
	if c.How != credential.BySession || c.Key != old.ID() || c.Whole() || !c.Scoped("keys.verify") || c.Scoped("users.read") || c.MayMint("keys.generate") {
		t.Errorf("%+v", c)
	}
	again, three := h.in(s, "Cookie", cookies) // renewed, and no way out of the scopes
	if c := h.admits("ann", request("Cookie", again), s); c.Scoped("users.read") || three.Key != old.ID() || three.How != "key" {
		t.Errorf("%+v %+v", c, three)
	}
	if err := h.store.SetKeyEnabled(h.ctx, old.ID(), false, "test"); err != nil {
		t.Fatal(err)
	}
	h.refuses(401, "disabled", request("Cookie", again), s)
	if err := h.store.SetKeyEnabled(h.ctx, old.ID(), true, "test"); err != nil {
		t.Fatal(err)
	}
	h.admits("ann", request("Cookie", again), s)
	if _, err := h.store.PatchKey(h.ctx, old.ID(), idbridge.KeyPatch{Allow: []string{"10.0.0.0/8"}}, "test"); err != nil {
		t.Fatal(err)
	}
	h.refuses(401, "may not come from this address", request("Cookie", again), s)
	h.refuses(401, "may not come from this address", request("X-Api-Key", old.Plain()), s)
	if c, err := h.res.ResolveAt(request("X-Api-Key", old.Plain()), &s, netip.MustParseAddr("10.1.2.3"), time.Now()); err != nil || c.User() != h.ids["ann"] {
		t.Errorf("%v %+v", err, c)
	}
	if _, err := h.store.PatchKey(h.ctx, old.ID(), idbridge.KeyPatch{Allow: []string{}}, "test"); err != nil {
		t.Fatal(err)
	}
	h.newKey("ann")
	h.refuses(401, "", request("Cookie", again), s)
	h.refuses(401, "", request("X-Api-Key", old.Plain()), s)
}

func TestTokens(t *testing.T) {
	h := newHome(t)
	s := credential.Surface{Name: "controlroom", Token: true}
	start := func(name string, single bool) (string, idbridge.UserSession) {
		t.Helper()
		access, err := h.res.Login(h.ctx, name, idbridge.NewSecret("pw-"+name), netip.MustParseAddr("192.0.2.1"))
		if err != nil {
			t.Fatal(err)
		}
		who := credential.Caller{How: credential.ByPassword, Access: access}
		one, _, err := h.res.Start(request(), &who, credential.ControlSessions, single)
		if err != nil {
			t.Fatal(err)
		}
		text, err := h.tokens.Mint(h.ctx, access.User, one.ID)
		if err != nil {
			t.Fatal(err)
		}
		return text.Reveal(), one
	}
	text, one := start("ann", true)
	for _, headers := range [][]string{{"X-Authorization", text}, {"Authorization", "Bearer " + text}, {"X-Authorization", text, "Authorization", "Bearer " + text}} {
		c := h.admits("ann", request(headers...), s)
		if c.How != credential.ByToken || c.Session.ID != one.ID || c.Expires.IsZero() {
			t.Errorf("%+v", c)
		}
	}
	key := h.keys["ann"].Plain()
	h.refuses(401, "neither token nor key", request("X-Authorization", key), s)
	h.refuses(401, "unreadable", request("Authorization", "Bearer "+key), s)
	h.refuses(401, "token", request("X-Authorization", text[:len(text)-2]), s)
	h.refuses(401, "token", request("X-Authorization", "eyJ.a.b"), s)
	h.refuses(401, "neither", request("X-Authorization", ""), s)
	h.refuses(400, "comes twice", request("X-Authorization", text, "X-Authorization", text), s)
	if c, p := h.resolve(request("X-Api-Key", "nonsense", "Authorization", basic("x", "y")), s); p != nil || c.How != credential.Nobody {
		t.Errorf("what is not admitted is not looked at: %v %+v", p, c)
	}
	native := credential.Native()
	h.admits("ann", request("X-Authorization", key), native)
	for _, both := range [][]string{{"X-Authorization", text, "X-Api-Key", key}, {"X-Authorization", text, "Authorization", "Bearer " + key}} {
		if c := h.admits("ann", request(both...), native); c.How != credential.ByKey || c.MayMint("keys.generate") {
			t.Errorf("beside a key a token carries no more than the key: %+v", c)
		}
	}
	if c := h.admits("ann", request("X-Authorization", text, "Authorization", basic("ann", "pw-ann")), native); c.How != credential.ByToken {
		t.Errorf("%+v", c)
	}
	bobs, _ := start("bob", true)
	h.refuses(400, "different users", request("X-Authorization", text, "Authorization", "Bearer "+bobs), native)
	native.Token = false
	h.refuses(401, "not a key", request("Authorization", "Bearer "+text), native)

	cookies, inRest := h.in(rest(), "X-Api-Key", key) // another surface's session is not a token's
	lifted, err := h.tokens.Mint(h.ctx, h.ids["ann"], inRest.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.refuses(401, "another session", request("X-Authorization", lifted.Reveal()), s)
	h.admits("ann", request("Cookie", cookies), rest())

	multi, _ := start("ann", false)
	h.admits("ann", request("X-Authorization", text), s)
	second, two := start("ann", true)
	p := h.refuses(401, "logged in twice", request("X-Authorization", text), s)
	var why *credential.Refusal
	if !asRefusal(p, &why) || why.Ended != idbridge.EndedByLogin || why.User != h.ids["ann"] {
		t.Errorf("%+v", why)
	}
	h.admits("ann", request("X-Authorization", second), s)
	h.admits("ann", request("X-Authorization", multi), s)
	if err := h.store.EndSession(h.ctx, two.ID, "ann", idbridge.EndedByLogout); err != nil {
		t.Fatal(err)
	}
	h.refuses(401, "logout", request("X-Authorization", second), s)
	h.admits("ann", request("X-Authorization", multi), s)
	h.admits("bob", request("X-Authorization", bobs), s)
}

// TestSuspended: every credential of a user is refused on the next request, all with the same answer, and those that are
// not bound to a session come back with him.
func TestSuspended(t *testing.T) {
	h := newHome(t)
	s := rest()
	cookies, _ := h.in(s, "Authorization", basic("ann", "pw-ann"))
	ofKey, _ := h.in(s, "X-Api-Key", h.keys["ann"].Plain())
	who := h.admits("ann", request("X-Api-Key", h.keys["ann"].Plain()), s)
	one, _, err := h.res.Start(request(), &who, credential.ControlSessions, false)
	if err != nil {
		t.Fatal(err)
	}
	text, err := h.tokens.Mint(h.ctx, h.ids["ann"], one.ID)
	if err != nil {
		t.Fatal(err)
	}
	all := [][]string{
		{"Cookie", cookies}, {"Cookie", ofKey}, {"X-Authorization", text.Reveal()}, {"X-Api-Key", h.keys["ann"].Plain()},
		{"Authorization", "Bearer " + h.keys["ann"].Native()}, {"Authorization", basic("ann", "pw-ann")}, {"Authorization", basic("ann", h.keys["ann"].Plain())},
	}
	for _, headers := range all {
		h.admits("ann", request(headers...), s)
	}
	if err := h.store.SetSuspended(h.ctx, h.ids["ann"], true, "test", "gone"); err != nil {
		t.Fatal(err)
	}
	unknown := h.refuses(401, "unknown user", request("Authorization", basic("nobody", "x")), s)
	for _, headers := range all {
		p := h.refuses(401, "", request(headers...), s)
		if p.Detail != unknown.Detail || p.Title != unknown.Title || p.Type != unknown.Type || len(p.GetHeaders()) != len(unknown.GetHeaders()) {
			t.Errorf("%v: %+v differs from %+v", headers[0], p, unknown)
		}
	}
	if _, err := h.res.Begin(httptest.NewRecorder(), request(), &who, s); err == nil || problem.From(err).Status != http.StatusUnauthorized {
		t.Errorf("a user who was proved just before he was suspended: %v", err)
	}
	if err := h.store.SetSuspended(h.ctx, h.ids["ann"], false, "test", "back"); err != nil {
		t.Fatal(err)
	}
	for i, headers := range all {
		if i < 3 {
			h.refuses(401, "session is over", request(headers...), s)
		} else {
			h.admits("ann", request(headers...), s)
		}
	}
}

func TestIdleAndAbsolute(t *testing.T) {
	h := newHome(t)
	s := rest()
	_, one := h.in(s, "Authorization", basic("ann", "pw-ann"))
	if d := one.Expires.Sub(one.Created); d > idbridge.SessionLife || d < idbridge.SessionLife-time.Minute {
		t.Errorf("lasts %v", d)
	}
	for range idbridge.SessionsMost + 5 {
		h.in(s, "Authorization", basic("bob", h.keys["bob"].Plain()))
	}
	live, err := h.store.Sessions(h.ctx, h.ids["bob"])
	if err != nil || len(live) != idbridge.SessionsMost {
		t.Errorf("%d sessions, %v", len(live), err)
	}
}
