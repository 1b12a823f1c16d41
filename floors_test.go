package idbridge_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/idbridge/idbridge"

// floors says which rooms each room may import. A sub-package belongs to its parent's room. "" is the dictionary.
var floors = map[string][]string{
	"":                       {"internal/failpoint"},
	"internal/failpoint":     {},
	"internal/mapping":       {"", "internal/failpoint"},
	"internal/testserver":    {"", "internal/failpoint"},
	"sync/plan":              {"", "internal/failpoint", "internal/mapping"},
	"providers/ldap":         {"", "internal/failpoint", "internal/mapping"},
	"providers/ldapsim":      {"", "internal/failpoint"},
	"providers/providertest": {"", "internal/failpoint"},
	"authstore":              {"", "internal/failpoint"},
	"sync/engine":            {"", "internal/failpoint", "internal/mapping", "sync/plan"},
	"sync/schedule":          {"", "internal/failpoint"},
	"httpapi":                {"", "internal/failpoint", "internal/mapping", "sync/plan"},
	"configs": {
		"", "internal/mapping", "sync/plan", "providers/ldap", "authstore", "sync/engine", "sync/schedule", "httpapi",
	},
	"cmd/idbridge": {
		"", "internal/failpoint", "internal/mapping", "sync/plan", "providers/ldap", "providers/ldapsim", "authstore", "sync/engine",
		"sync/schedule", "httpapi", "configs",
	},
	"cmd/bench": {
		"", "internal/testserver", "internal/mapping", "sync/plan", "providers/ldap", "authstore", "sync/engine", "configs",
	},
}

// doors says which rooms may import a foreign module; any other room must not.
var doors = map[string][]string{
	"github.com/go-ldap/ldap":         {"providers/ldap"},
	"github.com/go-asn1-ber/asn1-ber": {"providers/ldap", "providers/ldapsim"},
	"github.com/crewjam/saml":         {"providers/saml"},
	"github.com/russellhaering":       {"providers/saml"},
	"github.com/jmoiron/sqlx":         {"authstore"},
	"github.com/lib/pq":               {"authstore"},
	"modernc.org/sqlite":              {"authstore"},
	"github.com/pressly/goose":        {"authstore"},
	"database/sql":                    {"authstore"},
	"github.com/robfig/cron":          {"sync/schedule"},
	"github.com/expr-lang/expr":       {"internal/mapping"},
	"github.com/danielgtaylor/huma":   {"httpapi"},
	"github.com/go-jose/go-jose":      {"httpapi"},
	"golang.org/x/crypto":             {"httpapi"},
	"github.com/goccy/go-yaml":        {"configs"},
	"github.com/spf13/cobra":          {"cmd/idbridge"},
	"github.com/vbauerster/mpb":       {"cmd/idbridge"},
	"github.com/jedib0t/go-pretty":    {"cmd/idbridge"},
	"github.com/coreos/go-systemd":    {"cmd/idbridge"},
	"github.com/prometheus":           {"httpapi", "cmd/idbridge"},
	"testing":                         {"internal/testserver", "providers/providertest"},
	"net/http":                        {"httpapi", "cmd/idbridge", "cmd/bench"},
	"log/slog":                        {"", "sync/engine", "sync/schedule", "providers/ldap", "authstore", "httpapi", "cmd/idbridge", "configs"},
}

// TestFloors reads every import of every file that is not a test, in-process: arrows only go down, rooms on one floor
// never meet, a foreign library has one door, and a package that stands on no floor is refused.
func TestFloors(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && file != "." || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		seen++
		checkFile(t, filepath.ToSlash(file))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Fatal("no file read")
	}
}

func checkFile(t *testing.T, file string) {
	t.Helper()
	dir := path.Dir(file)
	if dir == "." {
		dir = ""
	}
	home, ok := roomOf(dir)
	if !ok {
		t.Errorf("%s stands on no floor", file)
		return
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range f.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if spec.Name != nil && spec.Name.Name != "_" {
			t.Errorf("%s: import of %s is aliased", file, imported)
		}
		checkImport(t, file, home, imported)
	}
}

func checkImport(t *testing.T, file, home, imported string) {
	t.Helper()
	if rest, ours := strings.CutPrefix(imported, module); ours {
		to, ok := roomOf(strings.TrimPrefix(rest, "/"))
		if !ok {
			t.Errorf("%s imports %s, which stands on no floor", file, imported)
		} else if to != home && !slices.Contains(floors[home], to) {
			t.Errorf("%s: %q must not import %q", file, home, to)
		}
		return
	}
	for prefix, rooms := range doors {
		if (imported == prefix || strings.HasPrefix(imported, prefix+"/")) && !slices.Contains(rooms, home) {
			t.Errorf("%s: %s has its door elsewhere (%s)", file, imported, strings.Join(rooms, ", "))
		}
	}
}

// roomOf returns the room that a folder belongs to: the longest room that is it or lies above it.
func roomOf(dir string) (string, bool) {
	if dir == "" {
		return "", true
	}
	for d := dir; d != "."; d = path.Dir(d) {
		if _, ok := floors[d]; ok {
			return d, true
		}
	}
	return "", false
}
