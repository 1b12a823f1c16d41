package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi"
	"github.com/idbridge/idbridge/httpapi/facade"
)

// parrot is a facade that says which pattern it was asked for.
type parrot struct {
	name, root string
	patterns   []string
}

func (p *parrot) Name() string { return p.name }

func (p *parrot) Mount(mux facade.Mux) {
	for _, pattern := range p.patterns {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if r.PathValue("name") == "boom" {
				panic("boom")
			}
			fmt.Fprintf(w, "%s: %s %s", p.name, pattern, r.PathValue("name"))
		})
	}
}

func (p *parrot) Owns(path string) bool {
	return path == p.root || strings.HasPrefix(path, p.root+"/")
}

func (p *parrot) Refuse(w http.ResponseWriter, _ *http.Request, status int) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "%s says %d", p.name, status)
}

func (p *parrot) Changing(pattern string) bool { return strings.HasSuffix(pattern, "/add") }

func TestFacadesAreMounted(t *testing.T) {
	one := &parrot{"one", "/rest", []string{"GET /rest", "GET /rest/{$}", "GET /rest/{name}", "GET /rest/user/add", "POST /rest/user", "GET /rest/{p...}"}}
	two := &parrot{"two", "/v2", []string{"GET /rest", "GET /v2/{name}"}}
	b := newBed(t, func(c *httpapi.Config) { c.Facades = []facade.Facade{one, two} })
	for _, c := range []struct {
		method, path string
		status       int
		says         string
	}{
		{"GET", "/rest", 200, "one: GET /rest "},
		{"GET", "/rest/", 200, "one: GET /rest/{$} "},
		{"GET", "/rest/bob", 200, "one: GET /rest/{name} bob"},
		{"GET", "/rest/a/b", 200, "one: GET /rest/{p...} "},
		{"GET", "/rest/user/add", 200, "one: GET /rest/user/add "},
		{"GET", "/v2/bob", 200, "two: GET /v2/{name} bob"},
		{"GET", "/v2", 404, "two says 404"},
		{"GET", "/v2/a/b", 404, "two says 404"},
		{"PUT", "/v2/bob", 405, "two says 405"},
		{"GET", "/v2//bob", 404, "two says 404"},
		{"GET", "/v2/../rest", 404, "two says 404"},
		{"GET", "/v2/boom", 500, "two says 500"},
	} {
		a := b.do(c.method, c.path, "").want(c.status)
		if a.body != c.says || strings.Contains(a.header.Get("Content-Type"), "problem") {
			t.Errorf("%s %s: %q", c.method, c.path, a.body)
		}
	}
	if a := b.do("PUT", "/v2/bob", ""); a.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow %q", a.header.Get("Allow"))
	}
	if a := b.do("HEAD", "/rest/user/add", "").want(405); a.header.Get("Allow") != "GET" {
		t.Errorf("Allow %q", a.header.Get("Allow"))
	}
	b.do("HEAD", "/rest/bob", "").want(200)
	b.do("GET", "/nowhere", "").problem(404, "not-found")
	b.do("GET", "/api/v1/nowhere", "").problem(404, "not-found")
	paths, _ := b.do("GET", "/openapi.json", "").json()["paths"].(map[string]any)
	for path, want := range map[string][2]any{"/rest/user/add": {"one", true}, "/rest/{p}": {"one", nil}, "/rest/": {"one", nil}, "/v2/{name}": {"two", nil}} {
		item, _ := paths[path].(map[string]any)
		op, _ := item["get"].(map[string]any)
		tags, _ := op["tags"].([]any)
		if op["x-facade"] != want[0] || op["deprecated"] != want[1] || !slices.Equal(tags, []any{want[0]}) {
			t.Errorf("%s: %v", path, op)
		}
	}
	if !slices.Contains(b.api.Routes(), "GET /rest/user/add") {
		t.Error("not among the routes")
	}
}

func TestFacadesOff(t *testing.T) {
	b := newBed(t)
	for _, path := range []string{"/rest", "/rest/user", "/api/user", "/v1/users", "/v2/authentication"} {
		b.do("GET", path, "").problem(404, "not-found")
	}
}

func TestFacadesThatCollide(t *testing.T) {
	for _, patterns := range [][]string{{"/rest"}, {"GET rest"}, {"GET /{a}/x", "GET /x/{b}"}} {
		_, err := httpapi.New(httpapi.Config{Store: newBed(t).store, Facades: []facade.Facade{&parrot{"one", "/rest", patterns}}})
		if idbridge.KindOf(err) != idbridge.Invalid {
			t.Errorf("%v: %v", patterns, err)
		}
	}
}
