package controlroom_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/httpapi"
	"github.com/idbridge/idbridge/httpapi/controlroom"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/facade"
	"github.com/idbridge/idbridge/httpapi/password"
	"github.com/idbridge/idbridge/httpapi/token"
)

const (
	login  = "/v1/authentication"
	tokens = "/v1/authentication/token"
	logout = "/v1/authentication/logout"
)

// bed is the facade, mounted in the API, over a real store, reached over HTTP.
type bed struct {
	t      testing.TB
	store  *authstore.Store
	hasher *password.Hasher
	url    string
	client *http.Client
	lead   idbridge.Lead
	log    *safeBuffer
	corp   *door
	keys   map[string]idbridge.KeyText
	ids    map[string]idbridge.UserID
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

// door checks the passwords of corp: "pw-" and the name.
type door struct{ tried safeBuffer }

func (d *door) Authenticate(_ context.Context, name, password string) (idbridge.ExternalID, error) {
	fmt.Fprintln(&d.tried, password)
	if name = strings.ToLower(name); password != "pw-"+name {
		return idbridge.ExternalID{}, &idbridge.Error{Kind: idbridge.Unauthentic, Msg: "wrong password"}
	}
	return corpID(name), nil
}

func corpID(name string) idbridge.ExternalID {
	return idbridge.ExternalID{Directory: "corp", ID: strings.ToLower(name) + "-uuid"}
}

func newBed(t testing.TB, change ...func(*controlroom.Config)) *bed {
	t.Helper()
	return newBedAt(t, "sqlite:"+filepath.Join(t.TempDir(), "idbridge.db"), change...)
}

func newBedAt(t testing.TB, url string, change ...func(*controlroom.Config)) *bed {
	t.Helper()
	b := &bed{
		t: t, hasher: password.New(), log: &safeBuffer{}, corp: &door{}, keys: map[string]idbridge.KeyText{}, ids: map[string]idbridge.UserID{},
	}
	var err error
	b.store, err = authstore.Open(context.Background(), authstore.Config{URL: url}, authstore.Options{Schema: idbridge.CoreSchema()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.store.Close(); err != nil {
			t.Error(err)
		}
	})
	logger := slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	minter := token.NewControlRoom(b.store, 0, time.Now)
	c := controlroom.Config{
		Store: b.store, Tokens: minter, Directories: []string{"corp"}, LicenseFeatures: []string{"DEVELOPMENT"}, Log: logger,
		Resolver: credential.New(credential.Config{
			Store: b.store, Sessions: b.store, Tokens: minter, Passwords: b.store, Hasher: b.hasher, Doors: []credential.Door{{Name: "corp", Auth: b.corp}},
			Limits: credential.Limits{PerAddress: 1_000_000, FreePerPair: 1_000_000},
		}),
	}
	for _, f := range change {
		f(&c)
	}
	f, err := controlroom.New(c)
	if err != nil {
		t.Fatal(err)
	}
	api, err := httpapi.New(httpapi.Config{Store: b.store, Facades: []facade.Facade{f}, Log: logger})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(api.Handler())
	t.Cleanup(server.Close)
	b.url, b.client = server.URL, server.Client()
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	epoch, err := b.store.Lead(context.Background(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	run, err := b.store.BeginRun(context.Background(), idbridge.Run{
		Directory: "corp", Kind: idbridge.FullRun, Author: "test", Started: time.Now(), Epoch: epoch, State: idbridge.RunRunning,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.lead = idbridge.Lead{Run: run, Directory: "corp", Epoch: epoch}
	return b
}

// person makes a user who is linked to a record of corp, with a key.
func (b *bed) person(name string, roles ...idbridge.Role) {
	b.t.Helper()
	profile := idbridge.Profile{
		idbridge.UserName: {name}, idbridge.GivenName: {"Given"}, idbridge.FamilyName: {"Family"}, idbridge.Email: {name + "@example.org"},
	}
	out, err := b.store.Commit(context.Background(), b.lead, []idbridge.Decision{{
		ID: corpID(name), Name: name, Situation: idbridge.Created, Base: profile, Seen: idbridge.Observation{Locator: "uid=" + name, Digest: idbridge.Digest{1}},
		Steps: []idbridge.Step{{ID: corpID(name), Side: idbridge.StoreSide, Verb: idbridge.Create, After: profile, State: idbridge.LinkActive}},
	}})
	if err != nil || out[0].Stale {
		b.t.Fatal(out, err)
	}
	u, err := b.store.UserByName(context.Background(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	b.adopt(name, u.ID, roles)
}

// suspendByRun ends the access of a person as a run does.
func (b *bed) suspendByRun(name string) {
	b.t.Helper()
	s, err := b.store.Subjects(context.Background(), "corp", []idbridge.ExternalID{corpID(name)}, []idbridge.Profile{nil})
	if err != nil || s[0].Link == nil {
		b.t.Fatal(s, err)
	}
	out, err := b.store.Commit(context.Background(), b.lead, []idbridge.Decision{{
		ID: corpID(name), User: b.ids[name], Name: name, Situation: idbridge.Suspended, Proof: &idbridge.Proof{},
		Read:  idbridge.Versions{User: s[0].User.Revision, Link: s[0].Link.Version},
		Steps: []idbridge.Step{{ID: corpID(name), User: b.ids[name], Side: idbridge.StoreSide, Verb: idbridge.Suspend, State: idbridge.LinkMissing}},
	}})
	if err != nil || out[0].Stale {
		b.t.Fatal(out, err)
	}
}

// local makes a user without a directory, with the password "pw-" and his name, and with a key.
func (b *bed) local(name string, roles ...idbridge.Role) {
	b.t.Helper()
	u, err := b.store.AddUser(context.Background(), idbridge.NewUser{Kind: idbridge.Person, Profile: idbridge.Profile{idbridge.UserName: {name}}, By: "test"})
	if err != nil {
		b.t.Fatal(err)
	}
	b.adopt(name, u.ID, roles)
	phc, err := b.hasher.Hash(context.Background(), idbridge.NewSecret("pw-"+name))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.store.SetPassword(context.Background(), u.ID, phc, "test"); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) adopt(name string, id idbridge.UserID, roles []idbridge.Role) {
	b.t.Helper()
	b.ids[name] = id
	for _, r := range roles {
		if err := b.store.GrantRole(context.Background(), id, r, "", "test"); err != nil {
			b.t.Fatal(err)
		}
	}
	text, err := idbridge.NewKeyText(rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	b.giveKey(name, text)
}

func (b *bed) giveKey(name string, text idbridge.KeyText) {
	b.t.Helper()
	_, err := b.store.CreateKey(context.Background(), idbridge.Key{ID: text.ID(), User: b.ids[name], Digest: text.Digest()}, "test")
	if err != nil {
		b.t.Fatal(err)
	}
	b.keys[name] = text
}

// answer is what came back.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

func (a *answer) want(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// code holds that the answer is an error of exactly three members with that code.
func (a *answer) code(status int, code string) *answer {
	a.t.Helper()
	a.want(status)
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		a.t.Fatalf("%s: %v", a.body, err)
	}
	_, message := m["message"].(string)
	_, details := m["details"].(string)
	if len(m) != 3 || m["code"] != code || !message || !details && m["details"] != nil {
		a.t.Fatalf("%s, want code %s", a.body, code)
	}
	return a
}

// do sends a request as it is; headers come in pairs. A body is JSON unless the headers say something else.
func (b *bed) do(method, path, body string, headers ...string) *answer {
	b.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, b.url+path, r)
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" && !slices.Contains(headers, "Content-Type") {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	a := &answer{b.t, res.StatusCode, res.Header, string(raw)}
	if len(a.header["Set-Cookie"]) > 0 || a.header.Get("Location") != "" || a.header.Get("Cache-Control") != "no-store" ||
		a.body != "" && a.header.Get("Content-Type") != "application/json" {
		b.t.Errorf("%s %s: %v", method, path, a.header)
	}
	return a
}

func object(pairs ...any) string {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	text, _ := json.Marshal(m)
	return string(text)
}

// token is the one in the answer.
func (a *answer) token() string {
	a.t.Helper()
	var v struct{ Token string }
	if err := json.Unmarshal([]byte(a.want(200).body), &v); err != nil || v.Token == "" {
		a.t.Fatalf("%s: %v", a.body, err)
	}
	return v.Token
}

func (b *bed) byKey(name string) string {
	b.t.Helper()
	return b.do("POST", login, object("username", name, "apiKey", b.keys[name].Plain())).token()
}

func (b *bed) byPassword(name string, more ...any) string {
	b.t.Helper()
	return b.do("POST", login, object(append([]any{"username", name, "password", "pw-" + strings.ToLower(name)}, more...)...)).token()
}

// valid asks for a token in the variable of the URL.
func (b *bed) valid(token string) bool {
	b.t.Helper()
	body := b.do("GET", tokens+"?token="+token, "").want(200).body
	if body != `{"valid":true}` && body != `{"valid":false}` {
		b.t.Fatal(body)
	}
	return body == `{"valid":true}`
}

var (
	dates = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00`)
	jwts  = regexp.MustCompile(`eyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+`)
)

// golden holds an answer against its file, tokens and times apart. With UPDATE_GOLDEN it is written.
func (a *answer) golden(name string) *answer {
	a.t.Helper()
	var got bytes.Buffer
	fmt.Fprintf(&got, "%d\n", a.status)
	for _, h := range []string{"Content-Type", "Cache-Control", "Vary", "Allow", "WWW-Authenticate", "Retry-After"} {
		for _, v := range a.header.Values(h) {
			fmt.Fprintf(&got, "%s: %s\n", h, v)
		}
	}
	text := dates.ReplaceAllString(a.body, "2026-11-21T14:15:00+00:00")
	got.WriteString("\n" + jwts.ReplaceAllString(text, "TOKEN"))
	file := filepath.Join("testdata", name+".golden")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		a.t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		a.t.Errorf("%s:\n%s\nwant:\n%s", name, got.String(), want)
	}
	return a
}
