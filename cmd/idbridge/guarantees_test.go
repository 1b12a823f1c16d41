package main

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write docs/guarantees.md anew")

//go:embed testdata/guarantees.md
var guaranteesIntro string

// series is a list of numbered cases.
type series struct {
	letter, title, what string
	n                   int
}

func allSeries() []series {
	return []series{
		{"I", "Invariants", "What holds at every moment, whatever happens.", 18},
		{"N", "Failures that harmed others: nothing is lost", "Each happened to users of some other product; the tests name where.", 25},
		{"R", "Failures that harmed others: rights, rules and scale", "The same, about who may do what and about large directories.", 13},
		{"F", "Injected faults", "What we break on purpose: connections, servers, databases, clocks, files.", 24},
	}
}

// notHere are the numbers without a test of their own, and why: "R6": "Comes with …". One that has a test needs no entry.
func notHere() map[string]string { return map[string]string{} }

// guarantee is one numbered test.
type guarantee struct {
	number   string // N7
	sentence string
	test     string
	room     string // its package, from the module's root
}

// TestGuarantees makes docs/guarantees.md of the numbered tests of all packages, and fails when the file is not up to date
// (go test ./cmd/idbridge -run TestGuarantees -update writes it), when a numbered test says nothing in plain words, or when
// a number has no test.
func TestGuarantees(t *testing.T) {
	const file = "../../docs/guarantees.md"
	all := numbered(t, "../..")
	missing := notHere()
	var page bytes.Buffer
	page.WriteString(guaranteesIntro)
	for _, s := range allSeries() {
		fmt.Fprintf(&page, "\n## %s\n\n%s\n\n| | guarantee | test | package |\n|---|---|---|---|\n", s.title, s.what)
		for i := 1; i <= s.n; i++ {
			number := fmt.Sprintf("%s%d", s.letter, i)
			for _, g := range all[number] {
				fmt.Fprintf(&page, "| %s | %s | `%s` | `%s` |\n", number, g.sentence, g.test, g.room)
			}
			switch why, known := missing[number]; {
			case len(all[number]) > 0:
			case known:
				fmt.Fprintf(&page, "| %s | *not here:* %s | | |\n", number, why)
			default:
				t.Errorf("%s has no test: func Test%s%02d…, or an entry in notHere with the reason", number, s.letter, i)
			}
			delete(all, number)
		}
	}
	for number := range all {
		t.Errorf("no list has the number %s", number)
	}
	if *update {
		if err := os.WriteFile(file, page.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have := read(t, file); have != page.String() {
		t.Errorf("%s is out of date: go test ./cmd/idbridge -run TestGuarantees -update", file)
	}
}

// numbered reads the numbered tests of every package below root, by number, sorted by package and name.
func numbered(t *testing.T, root string) map[string][]guarantee {
	t.Helper()
	name := regexp.MustCompile(`^Test([INRF])(\d\d)`)
	out := map[string][]guarantee{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			if err == nil && d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root) {
				return filepath.SkipDir
			}
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv != nil {
				continue
			}
			if m := name.FindStringSubmatch(fn.Name.Name); m != nil {
				room, err := filepath.Rel(root, filepath.Dir(path))
				if err != nil {
					return err
				}
				number := m[1] + strings.TrimPrefix(m[2], "0")
				out[number] = append(out[number], guarantee{number, plainly(t, fn), fn.Name.Name, filepath.ToSlash(room)})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b guarantee) int { return strings.Compare(a.room+" "+a.test, b.room+" "+b.test) })
	}
	return out
}

// plainly is the first sentence of a test's comment, without the test's name.
func plainly(t *testing.T, fn *ast.FuncDecl) string {
	t.Helper()
	text := new(doc.Package).Synopsis(fn.Doc.Text())
	text, ok := strings.CutPrefix(text, fn.Name.Name)
	text = strings.TrimSpace(strings.TrimPrefix(text, ":"))
	if !ok || len(text) < 20 || !strings.HasSuffix(text, ".") {
		t.Errorf("%s: its comment must begin with one sentence that says what is guaranteed: // %s: …", fn.Name.Name, fn.Name.Name)
	}
	first, size := utf8.DecodeRuneInString(text)
	return strings.ReplaceAll(string(unicode.ToUpper(first))+text[size:], "|", `\|`)
}
