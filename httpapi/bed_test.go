package httpapi_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/httpapi"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/sync/plan"
)

var shared document

// bed is the real handler over a real store on SQLite, reached over HTTP. Every answer is held against the document.
type bed struct {
	t      testing.TB
	store  *authstore.Store
	api    *httpapi.Server
	url    string
	client *http.Client
	corp   *door
	push   *pusher
	runner *runner
	log    *safeBuffer
	seen   *safeBuffer // every answer, for the search for secrets
	closed bool
	file   string // of the database
	lead   idbridge.Lead
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
type door struct {
	mu  sync.Mutex
	err error
}

func (d *door) Authenticate(_ context.Context, name, password string) (idbridge.ExternalID, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return idbridge.ExternalID{}, d.err
	}
	if name = strings.ToLower(name); password != "pw-"+name {
		return idbridge.ExternalID{}, &idbridge.Error{Kind: idbridge.Unauthentic, Msg: "wrong password"}
	}
	return corpID(name), nil
}

func corpID(name string) idbridge.ExternalID {
	return idbridge.ExternalID{Directory: "corp", ID: strings.ToLower(name) + "-uuid"}
}

type pusher struct {
	mu sync.Mutex
	do func(ctx context.Context, user idbridge.UserID) error
	n  int
}

func (p *pusher) Push(ctx context.Context, user idbridge.UserID) error {
	p.mu.Lock()
	do := p.do
	p.n++
	p.mu.Unlock()
	if do == nil {
		return nil
	}
	return do(ctx, user)
}

type runner struct {
	mu    sync.Mutex
	err   error
	calls []string
}

func (r *runner) Start(_ context.Context, directory string, kind idbridge.RunKind, author string) (idbridge.RunID, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, directory+" "+string(kind)+" "+author)
	return 7, r.err
}

func schema() idbridge.Schema {
	s := idbridge.CoreSchema()
	s["phone"] = idbridge.Spec{Match: idbridge.Telephone}
	s["title"] = idbridge.Spec{Single: true}
	return s
}

func policy() *plan.Policy {
	return &plan.Policy{
		Directory: "corp", Schema: schema(), Writable: true,
		Rules: map[idbridge.Attribute]plan.Rule{
			idbridge.UserName: {Flow: plan.In}, idbridge.Email: {Flow: plan.Both}, idbridge.GivenName: {Flow: plan.Both},
			idbridge.FamilyName: {Flow: plan.Both}, idbridge.DisplayName: {Flow: plan.In}, "phone": {Flow: plan.Out},
		},
	}
}

func newBed(t testing.TB, change ...func(*httpapi.Config)) *bed {
	t.Helper()
	file := filepath.Join(t.TempDir(), "idbridge.db")
	b := newBedAt(t, "sqlite:"+file, change...)
	b.file = file
	return b
}

// newBedAt makes a bed over the empty store at url.
func newBedAt(t testing.TB, url string, change ...func(*httpapi.Config)) *bed {
	t.Helper()
	b := &bed{
		t: t, corp: &door{}, push: &pusher{}, runner: &runner{}, log: &safeBuffer{}, seen: &safeBuffer{}, keys: map[string]idbridge.KeyText{}, ids: map[string]idbridge.UserID{},
	}
	var err error
	b.store, err = authstore.Open(context.Background(), authstore.Config{URL: url}, authstore.Options{
		Schema: schema(), Outward: map[string][]idbridge.Attribute{"corp": {idbridge.Email, idbridge.GivenName, idbridge.FamilyName, "phone"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if b.closed {
			return
		}
		if err := b.store.Close(); err != nil {
			t.Error(err)
		}
	})
	c := httpapi.Config{
		Store: b.store, Pusher: b.push, Runner: b.runner, Schema: schema(), Directories: []httpapi.Directory{{Name: "corp", Policy: policy(), Login: b.corp}},
		Log: slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Version: "test",
		Limits: credential.Limits{PerAddress: 1_000_000, FreePerPair: 1_000_000},
	}
	for _, f := range change {
		f(&c)
	}
	if b.api, err = httpapi.New(c); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(b.api.Handler())
	t.Cleanup(server.Close)
	b.url = server.URL
	b.client = server.Client()
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	epoch, err := b.store.Lead(context.Background(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	run, err := b.store.BeginRun(context.Background(), idbridge.Run{Directory: "corp", Kind: idbridge.FullRun, Author: "test", Started: time.Now(), Epoch: epoch, State: idbridge.RunRunning})
	if err != nil {
		t.Fatal(err)
	}
	b.lead = idbridge.Lead{Run: run, Directory: "corp", Epoch: epoch}
	return b
}

// person makes a user linked to a record of corp, with a key.
func (b *bed) person(name string, roles ...idbridge.Role) idbridge.UserID {
	b.t.Helper()
	return b.personWith(name, idbridge.Profile{
		idbridge.UserName: {name}, idbridge.GivenName: {"Given " + name}, idbridge.FamilyName: {"Family " + name},
		idbridge.Email: {strings.ToLower(name) + "@example.org"}, idbridge.DisplayName: {name + " D."},
	}, roles...)
}

func (b *bed) personWith(name string, profile idbridge.Profile, roles ...idbridge.Role) idbridge.UserID {
	b.t.Helper()
	b.commit(idbridge.Decision{
		ID: corpID(name), Name: name, Situation: idbridge.Created, Base: profile,
		Seen:  idbridge.Observation{Locator: "uid=" + name, Digest: idbridge.Digest{1}},
		Steps: []idbridge.Step{{ID: corpID(name), Side: idbridge.StoreSide, Verb: idbridge.Create, After: profile, State: idbridge.LinkActive}},
	})
	u, err := b.store.UserByName(context.Background(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.adopt(name, u.ID, roles)
}

// service makes an application's user, with a key.
func (b *bed) service(name string, roles ...idbridge.Role) idbridge.UserID {
	b.t.Helper()
	u, err := b.store.AddUser(context.Background(), idbridge.NewUser{Kind: idbridge.Service, Profile: idbridge.Profile{idbridge.UserName: {name}}, By: "test"})
	if err != nil {
		b.t.Fatal(err)
	}
	return b.adopt(name, u.ID, roles)
}

func (b *bed) adopt(name string, id idbridge.UserID, roles []idbridge.Role) idbridge.UserID {
	b.t.Helper()
	b.ids[name] = id
	for _, r := range roles {
		if err := b.store.GrantRole(context.Background(), id, r, "", "test"); err != nil {
			b.t.Fatal(err)
		}
	}
	b.newKey(name)
	return id
}

func (b *bed) newKey(name string, scopes ...string) idbridge.KeyText {
	b.t.Helper()
	text, err := idbridge.NewKeyText(rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	if scopes == nil {
		scopes = []string{"*"}
	}
	_, err = b.store.CreateKey(context.Background(), idbridge.Key{
		ID: text.ID(), User: b.ids[name], Slot: idbridge.PrimarySlot, Digest: text.Digest(), Enabled: true, Created: time.Now(), CreatedBy: "test", Scopes: scopes,
	}, "test")
	if err != nil {
		b.t.Fatal(err)
	}
	b.keys[name] = text
	return text
}

func (b *bed) commit(d ...idbridge.Decision) {
	b.t.Helper()
	out, err := b.store.Commit(context.Background(), b.lead, d)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, o := range out {
		if o.Stale {
			b.t.Fatalf("stale: %+v", d)
		}
	}
}

// read returns what a run would have read about the record.
func (b *bed) read(name string) (idbridge.Link, idbridge.Versions) {
	b.t.Helper()
	s, err := b.store.Subjects(context.Background(), "corp", []idbridge.ExternalID{corpID(name)}, []idbridge.Profile{nil})
	if err != nil || s[0].Link == nil {
		b.t.Fatalf("subject %s: %v", name, err)
	}
	return *s[0].Link, idbridge.Versions{User: s[0].User.Revision, Link: s[0].Link.Version}
}

func (b *bed) suspendByRun(name string) {
	b.t.Helper()
	_, v := b.read(name)
	b.commit(idbridge.Decision{
		ID: corpID(name), User: b.ids[name], Name: name, Situation: idbridge.Suspended, Read: v, Proof: &idbridge.Proof{},
		Steps: []idbridge.Step{{ID: corpID(name), User: b.ids[name], Side: idbridge.StoreSide, Verb: idbridge.Suspend, State: idbridge.LinkMissing}},
	})
}

func (b *bed) restoreByRun(name string) {
	b.t.Helper()
	_, v := b.read(name)
	b.commit(idbridge.Decision{
		ID: corpID(name), User: b.ids[name], Name: name, Situation: idbridge.Restored, Read: v, Seen: idbridge.Observation{Digest: idbridge.Digest{2}},
		Steps: []idbridge.Step{{ID: corpID(name), User: b.ids[name], Side: idbridge.StoreSide, Verb: idbridge.Restore, State: idbridge.LinkActive}},
	})
}

// answer is what came back.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

func (a *answer) json() map[string]any {
	a.t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		a.t.Fatalf("%d %q: %v", a.status, a.body, err)
	}
	return m
}

func (a *answer) want(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// problem checks a problem's shape and returns it.
func (a *answer) problem(status int, code string) map[string]any {
	a.t.Helper()
	a.want(status)
	m := a.json()
	if m["code"] != code || m["type"] != "urn:idbridge:problem:"+code || m["status"] != float64(status) || m["title"] == "" ||
		m["instance"] != a.header.Get("X-Request-Id") || a.header.Get("Content-Type") != "application/problem+json" {
		a.t.Fatalf("want problem %s: %s (%v)", code, a.body, a.header)
	}
	for member := range m {
		if !slices.Contains([]string{"type", "title", "status", "detail", "instance", "code", "errors", "missing"}, member) {
			a.t.Fatalf("member %s in %s", member, a.body)
		}
	}
	return m
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
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
			continue
		}
		req.Header.Add(headers[i], headers[i+1])
		if strings.EqualFold(headers[i], "Content-Type") {
			req.Header["Content-Type"] = []string{headers[i+1]}
		}
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
	a := &answer{t: b.t, status: res.StatusCode, header: res.Header, body: string(raw)}
	b.examine(req, a)
	return a
}

// as calls with the key of a user, pw with his password.
func (b *bed) as(name, method, path, body string, headers ...string) *answer {
	b.t.Helper()
	return b.do(method, path, body, append([]string{"X-API-KEY", b.keys[name].Native()}, headers...)...)
}

func (b *bed) pw(name, method, path, body string, headers ...string) *answer {
	b.t.Helper()
	return b.do(method, path, body, append([]string{"Authorization", basic(name, "pw-"+strings.ToLower(name))}, headers...)...)
}

func basic(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

// examine holds an answer against the document and the conventions that every answer keeps.
func (b *bed) examine(req *http.Request, a *answer) {
	b.t.Helper()
	h := a.header
	if h.Get("X-Request-Id") == "" || h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Vary"), "X-API-KEY") || h.Get("Cache-Control") == "" {
		b.t.Errorf("%s %s: headers %v", req.Method, req.URL.Path, h)
	}
	for _, values := range h {
		_, _ = io.WriteString(b.seen, strings.Join(values, "\n")+"\n")
	}
	_, _ = io.WriteString(b.seen, a.body+"\n")
	route, params, err := b.route().FindRoute(req)
	if err != nil {
		return // no such path, no such method
	}
	if req.Method == http.MethodHead {
		return
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route},
		Status:                 a.status, Header: maps.Clone(a.header),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	input.SetBodyBytes([]byte(a.body))
	if a.body == "" {
		input.Options.ExcludeResponseBody = true
	}
	if err := openapi3filter.ValidateResponse(context.Background(), input); err != nil {
		b.t.Errorf("%s %s: answer %d is not as documented: %v", req.Method, req.URL.Path, a.status, err)
	}
}

// document is the router over the OpenAPI document, made once: it is the same for every bed.
type document struct {
	once   sync.Once
	router routers.Router
}

func (b *bed) route() routers.Router {
	b.t.Helper()
	shared.once.Do(func() {
		w := httptest.NewRecorder()
		b.api.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
		doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
		if err != nil {
			b.t.Fatal(err)
		}
		doc.Servers = nil
		openapi3filter.RegisterBodyDecoder("application/problem+json", openapi3filter.RegisteredBodyDecoder("application/json"))
		if shared.router, err = gorillamux.NewRouter(doc); err != nil {
			b.t.Fatal(err)
		}
	})
	return shared.router
}
