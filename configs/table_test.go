package configs

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// TestExampleHasEveryKey reads the example with its commented keys switched on, and asks for each row of the table.
func TestExampleHasEveryKey(t *testing.T) {
	commented := regexp.MustCompile(`(?m)^(\s*)#([a-z_]+:)`)
	full := commented.ReplaceAllString(Example(), "$1$2")
	full = strings.ReplaceAll(full, ": …", ": x")
	file, err := parser.ParseBytes([]byte(full), 0)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	collect(file.Docs[0].Body, "", &have)
	root := table()
	rows := 0
	each(&root, "", func(path string, k *key) {
		rows++
		free := regexp.MustCompile("^" + strings.NewReplacer(".", `\.`, "[]", `\[\]`, "*", `[^.\[]+`).Replace(path) + "$")
		if !slices.ContainsFunc(have, free.MatchString) {
			t.Errorf("the example lacks %s", path)
		}
		if k.doc == "" && k.shape != dict && !strings.HasSuffix(path, "[]") && !strings.HasSuffix(path, "*") {
			t.Errorf("%s has no documentation", path)
		}
	})
	if rows < 80 {
		t.Errorf("%d rows", rows)
	}
}

// collect appends the paths of a node, with [] for the items of lists.
func collect(n ast.Node, path string, out *[]string) {
	*out = append(*out, path)
	if all, ok := pairs(n); ok {
		for _, p := range all {
			collect(p.Value, join(path, p.Key.GetToken().Value), out)
		}
	}
	if seq, ok := n.(*ast.SequenceNode); ok {
		for _, item := range seq.Values {
			collect(item, path+"[]", out)
		}
	}
}

// each visits the rows of the table, with * for the names of a dict.
func each(k *key, path string, visit func(string, *key)) {
	if path != "" {
		visit(path, k)
	}
	for i := range k.keys {
		each(&k.keys[i], join(path, k.keys[i].name), visit)
	}
	switch k.shape {
	case list:
		each(k.item, path+"[]", visit)
	case dict:
		each(k.item, join(path, "*"), visit)
	case text, secret, number, flag, duration, moment, limit, cron, object:
	}
}

// TestTable holds what the table must keep: defaults that parse, choices for closed texts, sorted nothing twice.
func TestTable(t *testing.T) {
	root := table()
	each(&root, "", func(path string, k *key) {
		names := k.names()
		slices.Sort(names)
		if len(slices.Compact(names)) != len(k.keys) {
			t.Errorf("%s has a key twice", path)
		}
		if k.must != "" && k.def != "" {
			t.Errorf("%s is required and has a default", path)
		}
		if k.def != "" {
			f := &faults{}
			f.fillDefault(&value{key: k, path: path}, k.def)
			if len(f.list) > 0 {
				t.Errorf("%s: %v", path, f.list)
			}
		}
		if k.pattern != "" && k.expects == "" {
			t.Errorf("%s does not say what it expects", path)
		}
	})
}
