package assets_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/httpapi"
	"github.com/idbridge/idbridge/httpapi/assets"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/facade"
)

const base = assets.Base

// bed is the facade over a real store, reached over HTTP.
type bed struct {
	t      testing.TB
	store  *authstore.Store
	url    string
	client *http.Client
	lead   idbridge.Lead
	keys   map[string]idbridge.KeyText
	ids    map[string]idbridge.UserID
}

// door checks the passwords of corp: "pw-" and the name.
type door struct{}

func (door) Authenticate(_ context.Context, name, password string) (idbridge.ExternalID, error) {
	if name = strings.ToLower(name); password != "pw-"+name {
		return idbridge.ExternalID{}, &idbridge.Error{Kind: idbridge.Unauthentic, Msg: "wrong password"}
	}
	return corpID(name), nil
}

func corpID(name string) idbridge.ExternalID {
	return idbridge.ExternalID{Directory: "corp", ID: strings.ToLower(name) + "-uuid"}
}

func newBed(t testing.TB, change ...func(*assets.Config)) *bed {
	t.Helper()
	return newBedAt(t, "sqlite:"+filepath.Join(t.TempDir(), "idbridge.db"), change...)
}

func newBedAt(t testing.TB, url string, change ...func(*assets.Config)) *bed {
	t.Helper()
	b := &bed{t: t, keys: map[string]idbridge.KeyText{}, ids: map[string]idbridge.UserID{}}
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
	c := b.config()
	for _, f := range change {
		f(&c)
	}
	f, err := assets.New(c)
	if err != nil {
		t.Fatal(err)
	}
	api, err := httpapi.New(httpapi.Config{Store: b.store, Facades: []facade.Facade{f}})
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
func (b *bed) person(name string, profile idbridge.Profile, roles ...idbridge.Role) {
	b.t.Helper()
	profile[idbridge.UserName] = idbridge.Values{name}
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

// full is a profile from which a key may be made.
func full(display string) idbridge.Profile {
	return idbridge.Profile{
		idbridge.GivenName: {"Given"}, idbridge.FamilyName: {"Family"}, idbridge.Email: {strings.ReplaceAll(display, " ", ".") + "@example.org"},
		idbridge.DisplayName: {display},
	}
}

// local makes a user without a directory, with a key.
func (b *bed) local(name string, profile idbridge.Profile, roles ...idbridge.Role) {
	b.t.Helper()
	profile[idbridge.UserName] = idbridge.Values{name}
	u, err := b.store.AddUser(context.Background(), idbridge.NewUser{Kind: idbridge.Person, Profile: profile, By: "test"})
	if err != nil {
		b.t.Fatal(err)
	}
	b.adopt(name, u.ID, roles)
}

func (b *bed) adopt(name string, id idbridge.UserID, roles []idbridge.Role) {
	b.t.Helper()
	b.ids[name] = id
	for _, r := range roles {
		if err := b.store.GrantRole(context.Background(), id, r, "", "test"); err != nil {
			b.t.Fatal(err)
		}
	}
	b.newKey(name)
}

func (b *bed) newKey(name string, scopes ...string) {
	b.t.Helper()
	text, err := idbridge.NewKeyText(rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	if scopes == nil {
		scopes = []string{"*"}
	}
	_, err = b.store.CreateKey(context.Background(), idbridge.Key{ID: text.ID(), User: b.ids[name], Digest: text.Digest(), Scopes: scopes}, "test")
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

// do sends a request as it is; headers come in pairs.
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
	if lower := strings.ToLower(a.body); strings.Contains(lower, "<!doctype") || strings.Contains(lower, "<html") || strings.Contains(a.header.Get("Content-Type"), "html") {
		b.t.Errorf("%s %s answers HTML: %s", method, path, a.body)
	}
	if a.header.Get("Location") != "" && a.status != http.StatusCreated || len(a.header["Set-Cookie"]) > 0 {
		b.t.Errorf("%s %s: %v", method, path, a.header)
	}
	return a
}

// as calls with the key of a user, pw with his password.
func (b *bed) as(name, method, path, body string, headers ...string) *answer {
	b.t.Helper()
	return b.do(method, path, body, append([]string{"Authorization", "Bearer " + b.keys[name].Native()}, headers...)...)
}

func (b *bed) pw(name, method, path, body string, headers ...string) *answer {
	b.t.Helper()
	return b.do(method, path, body, append([]string{"Authorization", basic(name, "pw-"+strings.ToLower(name))}, headers...)...)
}

func basic(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

func (b *bed) exists(name string) bool {
	b.t.Helper()
	_, err := b.store.UserByName(context.Background(), name)
	if err != nil && idbridge.KindOf(err) != idbridge.NotFound {
		b.t.Fatal(err)
	}
	return err == nil
}

// key is the live primary key of a user, nil for none.
func (b *bed) key(name string) *idbridge.Key {
	b.t.Helper()
	u, err := b.store.UserByName(context.Background(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	all, err := b.store.Keys(context.Background(), u.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := range all {
		if all[i].Revoked.IsZero() {
			return &all[i]
		}
	}
	return nil
}

var (
	moments = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	natives = regexp.MustCompile(`idb_[0-9A-Za-z]{8}_[0-9A-Za-z]{32}`)
	keyIDs  = regexp.MustCompile(`("id": ?"|<id>)[0-9A-Za-z]{8}("|</id>)`)
)

// golden holds an answer against its file, keys and times apart. With UPDATE_GOLDEN it is written.
func (a *answer) golden(name string) *answer {
	a.t.Helper()
	var got bytes.Buffer
	fmt.Fprintf(&got, "%d\n", a.status)
	for _, h := range []string{"Content-Type", "Cache-Control", "Vary", "Allow", "WWW-Authenticate", "Location", "Retry-After"} {
		for _, v := range a.header.Values(h) {
			fmt.Fprintf(&got, "%s: %s\n", h, v)
		}
	}
	text := moments.ReplaceAllString(a.body, "2026-11-21T14:15:00Z")
	text = natives.ReplaceAllString(text, "idb_IDIDIDID_SECRET")
	text = keyIDs.ReplaceAllString(text, "${1}IDIDIDID$2")
	got.WriteString("\n" + text)
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

func unlimited() credential.Limits {
	return credential.Limits{PerAddress: 1_000_000, FreePerPair: 1_000_000}
}
