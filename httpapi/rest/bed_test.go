package rest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/httpapi"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/dashboards"
	"github.com/idbridge/idbridge/httpapi/facade"
	"github.com/idbridge/idbridge/httpapi/imaging"
	"github.com/idbridge/idbridge/httpapi/password"
	"github.com/idbridge/idbridge/httpapi/publish"
)

// setup is what a test may change before its bed stands.
type setup struct {
	url        string // of the store
	credential credential.Config
	dashboards dashboards.Config
	publish    publish.Config
	facades    []string // by name, in the order in which they are mounted
}

// bed is the real handler with its facades over a real store, reached over HTTP.
type bed struct {
	t       testing.TB
	store   *authstore.Store
	handler http.Handler
	url     string
	log     *safeBuffer
	keys    map[string]idbridge.KeyText
	ids     map[string]idbridge.UserID
	closed  bool
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newBed(t testing.TB, change ...func(*setup)) *bed {
	t.Helper()
	s := setup{facades: []string{"dashboards", "imaging", "publish"}}
	for _, f := range change {
		f(&s)
	}
	if s.url == "" {
		s.url = onSQLite(t)
	}
	b := &bed{t: t, log: &safeBuffer{}, keys: map[string]idbridge.KeyText{}, ids: map[string]idbridge.UserID{}}
	var err error
	b.store, err = authstore.Open(context.Background(), authstore.Config{URL: s.url}, authstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	log := slog.New(slog.NewJSONHandler(b.log, nil))
	s.credential.Store, s.credential.Sessions, s.credential.Passwords, s.credential.Hasher = b.store, b.store, b.store, password.New()
	if s.credential.Limits.PerAddress == 0 {
		s.credential.Limits = credential.Limits{PerAddress: 1_000_000, FreePerPair: 1_000_000}
	}
	resolver := credential.New(s.credential)
	var list []facade.Facade
	for _, name := range s.facades {
		f, err := makeFacade(name, &s, b.store, resolver, log)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	api, err := httpapi.New(httpapi.Config{Store: b.store, Facades: list, Log: log, Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	b.handler = api.Handler()
	server := httptest.NewServer(b.handler)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func makeFacade(name string, s *setup, store *authstore.Store, resolver *credential.Resolver, log *slog.Logger) (facade.Facade, error) {
	switch name {
	case "dashboards":
		s.dashboards.Store, s.dashboards.Resolver, s.dashboards.Log, s.dashboards.Version = store, resolver, log, "1.2.3"
		return dashboards.New(s.dashboards)
	case "imaging":
		return imaging.New(imaging.Config{Store: store, Resolver: resolver, Log: log, Version: "1.2.3"})
	}
	s.publish.Store, s.publish.Resolver, s.publish.Log, s.publish.Version = store, resolver, log, "1.2.3"
	return publish.New(s.publish)
}

// close closes the store; what is asked from then on finds it down.
func (b *bed) close() {
	if b.closed {
		return
	}
	b.closed = true
	if err := b.store.Close(); err != nil {
		b.t.Error(err)
	}
}

// person makes a local user with a key and the password "pw-" and his name.
func (b *bed) person(name string, roles ...idbridge.Role) idbridge.UserID {
	b.t.Helper()
	ctx := context.Background()
	u, err := b.store.AddUser(ctx, idbridge.NewUser{Kind: idbridge.Person, By: "test", Profile: idbridge.Profile{
		idbridge.UserName: {name}, idbridge.GivenName: {"Given " + name}, idbridge.FamilyName: {"Family"}, idbridge.Email: {name + "@example.org"},
	}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.ids[name] = u.ID
	b.setPassword(name, "pw-"+name)
	for _, r := range roles {
		b.grant(name, r, "")
	}
	b.newKey(name)
	return u.ID
}

func (b *bed) setPassword(name, text string) {
	b.t.Helper()
	phc, err := password.New().Hash(context.Background(), idbridge.NewSecret(text))
	if err == nil {
		err = b.store.SetPassword(context.Background(), b.ids[name], phc, "test")
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) grant(name string, role idbridge.Role, application string) {
	b.t.Helper()
	if err := b.store.GrantRole(context.Background(), b.ids[name], role, application, "test"); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) revoke(name string, role idbridge.Role) {
	b.t.Helper()
	if err := b.store.RevokeRole(context.Background(), b.ids[name], role, "", "test"); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) suspend(name string, on bool) {
	b.t.Helper()
	if err := b.store.SetSuspended(context.Background(), b.ids[name], on, "test", "test"); err != nil {
		b.t.Fatal(err)
	}
}

// newKey gives a user a fresh primary key.
func (b *bed) newKey(name string, scopes ...string) idbridge.KeyText {
	b.t.Helper()
	text, err := idbridge.NewKeyText(rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	b.adoptKey(name, text, scopes...)
	return text
}

func (b *bed) adoptKey(name string, text idbridge.KeyText, scopes ...string) {
	b.t.Helper()
	if scopes == nil {
		scopes = []string{"*"}
	}
	_, err := b.store.CreateKey(context.Background(), idbridge.Key{
		ID: text.ID(), User: b.ids[name], Slot: idbridge.PrimarySlot, Digest: text.Digest(), Enabled: true, Created: time.Now(),
		CreatedBy: "test", Scopes: scopes,
	}, "test")
	if err != nil {
		b.t.Fatal(err)
	}
	b.keys[name] = text
}

// audited tells whether a row of the audit says that.
func (b *bed) audited(action, result, reason string) bool {
	b.t.Helper()
	rows, err := b.store.Audit(context.Background(), idbridge.AuditFilter{})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, a := range rows {
		if a.Action == action && (result == "" || a.Result == result) && (reason == "" || a.Reason == reason) {
			return true
		}
	}
	return false
}

func basic(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}
