package credential_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/password"
	"github.com/idbridge/idbridge/httpapi/problem"
	"github.com/idbridge/idbridge/httpapi/token"
)

// home is a resolver of everything over the real store, with local people: their passwords are "pw-" and the name.
type home struct {
	testing.TB

	ctx    context.Context
	store  *authstore.Store
	res    *credential.Resolver
	tokens *token.ControlRoom
	hashes *counter
	corp   *door
	ids    map[string]idbridge.UserID
	keys   map[string]idbridge.KeyText
}

// counter counts the hashes that were computed.
type counter struct {
	credential.Hasher

	n atomic.Int64
}

func (c *counter) Verify(ctx context.Context, password, phc idbridge.Secret) (bool, error) {
	c.n.Add(1)
	return c.Hasher.Verify(ctx, password, phc)
}

func newHome(t testing.TB, change ...func(*credential.Config)) *home {
	t.Helper()
	h := &home{TB: t, ctx: context.Background(), corp: &door{name: "corp", passwords: map[string]string{}}, ids: map[string]idbridge.UserID{}, keys: map[string]idbridge.KeyText{}}
	var err error
	h.store, err = authstore.Open(h.ctx, authstore.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "idbridge.db")}, authstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.store.Close(); err != nil {
			t.Error(err)
		}
	})
	hasher := password.New()
	h.hashes = &counter{Hasher: hasher}
	c := credential.Config{
		Store: h.store, Sessions: h.store, Passwords: h.store, Hasher: h.hashes, Doors: []credential.Door{{Name: "corp", Auth: h.corp}},
		Limits: credential.Limits{PerAddress: 1_000_000, FreePerPair: 1_000_000},
	}
	for _, f := range change {
		f(&c)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	h.tokens = token.NewControlRoom(h.store, 0, c.Now)
	c.Tokens = h.tokens
	h.res = credential.New(c)
	for _, name := range []string{"ann", "bob"} {
		h.person(name)
		hash, err := hasher.Hash(h.ctx, idbridge.NewSecret("pw-"+name))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.store.SetPassword(h.ctx, h.ids[name], hash, "test"); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func (h *home) person(name string) {
	h.Helper()
	u, err := h.store.AddUser(h.ctx, idbridge.NewUser{Kind: idbridge.Person, By: "test", Profile: idbridge.Profile{
		idbridge.UserName: {name}, idbridge.GivenName: {"G"}, idbridge.FamilyName: {"F"}, idbridge.Email: {name + "@example.org"},
	}})
	if err != nil {
		h.Fatal(err)
	}
	h.ids[name] = u.ID
	h.newKey(name)
}

// newKey makes the user's primary key in the place of the one that he had.
func (h *home) newKey(name string, scopes ...string) idbridge.KeyText {
	h.Helper()
	text, err := idbridge.NewKeyText(rand.Reader)
	if err != nil {
		h.Fatal(err)
	}
	if scopes == nil {
		scopes = []string{"*"}
	}
	_, err = h.store.CreateKey(h.ctx, idbridge.Key{
		ID: text.ID(), User: h.ids[name], Slot: idbridge.PrimarySlot, Digest: text.Digest(), Enabled: true, Created: time.Now(), CreatedBy: "test", Scopes: scopes,
	}, "test")
	if err != nil {
		h.Fatal(err)
	}
	h.keys[name] = text
	return text
}

// rest is a surface of all carriers.
func rest() credential.Surface {
	return credential.Surface{Name: "dashboards", Key: true, Bearer: true, Basic: true, Cookie: true, Token: true, CookieName: credential.RestCookie}
}

// request makes a request of headers, given by name and value in turn.
func request(headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://id.example.org/rest", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func (h *home) resolve(r *http.Request, s credential.Surface) (credential.Caller, *problem.Problem) {
	h.Helper()
	c, err := h.res.Resolve(r, s)
	if err == nil {
		return c, nil
	}
	var p *problem.Problem
	if !errors.As(err, &p) {
		h.Fatal(err)
	}
	if c.How != credential.Nobody {
		h.Fatalf("refused, and proved all the same: %+v", c)
	}
	return c, p
}

// in proves and begins a session, and returns the header Cookie that a client sends from then on.
func (h *home) in(s credential.Surface, headers ...string) (cookies string, one idbridge.UserSession) {
	h.Helper()
	r := request(headers...)
	c, p := h.resolve(r, s)
	if p != nil {
		h.Fatal(p)
	}
	w := httptest.NewRecorder()
	one, err := h.res.Begin(w, r, &c, s)
	if err != nil {
		h.Fatal(err)
	}
	return jar(w), one
}

// jar returns what a client keeps of an answer's cookies.
func jar(w *httptest.ResponseRecorder) string {
	var parts []string
	for _, c := range w.Result().Cookies() {
		if c.MaxAge >= 0 {
			parts = append(parts, c.Name+"="+c.Value)
		}
	}
	return strings.Join(parts, "; ")
}

// admits and refuses say what must come of a request.
func (h *home) admits(name string, r *http.Request, s credential.Surface) credential.Caller {
	h.Helper()
	c, p := h.resolve(r, s)
	if p != nil {
		h.Fatalf("refused: %v", p)
	}
	if c.User() != h.ids[name] {
		h.Fatalf("user %d is not %s", c.User(), name)
	}
	return c
}

func (h *home) refuses(status int, why string, r *http.Request, s credential.Surface) *problem.Problem {
	h.Helper()
	c, p := h.resolve(r, s)
	if p == nil || p.Status != status || !strings.Contains(p.Error(), why) {
		h.Fatalf("%d %q wanted; got %v, %+v", status, why, p, c)
	}
	return p
}

func asRefusal(err error, into **credential.Refusal) bool { return errors.As(err, into) }
