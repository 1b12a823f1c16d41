package configs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/idbridge/idbridge"
)

// Load reads the file: defaults first, then the file, then secrets from password files and, through getenv, from the
// environment, then every room's Validate. It touches no network and no store. The error is a *Faults with everything
// that is wrong.
func Load(path string, getenv func(string) string) (*Config, error) {
	source, err := readBounded(path, maxBytes+1)
	if err != nil {
		hint := "begin with: idbridge config example > idbridge.yaml"
		if !errors.Is(err, os.ErrNotExist) {
			hint = "may this user read it?"
		}
		return nil, &Faults{File: path, List: []Fault{{Msg: "read config: " + why(err), Hint: hint}}}
	}
	return parseConfig(path, string(source), getenv, time.Now()) //nolint:forbidigo // the edge: an exception may not end too far ahead
}

// parseConfig is Load without reading the file itself; now is what an exception's end is measured by.
func parseConfig(path, source string, getenv func(string) string, now time.Time) (*Config, error) {
	if getenv == nil {
		getenv = func(string) string { return "" }
	}
	source = strings.ReplaceAll(strings.TrimPrefix(source, "\ufeff"), "\r\n", "\n")
	f := &faults{}
	if len(source) <= maxBytes {
		f.lines = maskLines(source)
	}
	body := f.parse(source)
	if body == nil {
		return nil, f.err(path)
	}
	if typos := mistyped(body); len(typos) > 0 {
		f.lines = maskLines(source, typos...)
	}
	root := table()
	v := f.read(&root, body, value{})
	if v.bad {
		return nil, f.err(path)
	}
	b := &builder{faults: f, root: v, file: path, getenv: getenv, now: now}
	cfg := b.build()
	if err := f.err(path); err != nil {
		return nil, err
	}
	return cfg, nil
}

// mistyped returns the keys of the file that may be a mistyped name of a secret.
func mistyped(body ast.Node) []string {
	s := &searcher{}
	ast.Walk(s, body)
	return s.found
}

type searcher struct{ found []string }

// Visit looks at one node.
func (s *searcher) Visit(n ast.Node) ast.Visitor {
	if p, ok := n.(*ast.MappingValueNode); ok && len(s.found) < 100 {
		if k, ok := p.Key.(*ast.StringNode); ok && likeSecret(k.Value) {
			s.found = append(s.found, k.Value)
		}
	}
	return s
}

// readBounded reads a file of at most limit bytes; the rest of a longer one is not read.
func readBounded(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path) // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	defer file.Close() //nolint:errcheck // read only
	b, err := io.ReadAll(io.LimitReader(file, limit))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return b, nil
}

// why returns the cause of a file error without the path, which the fault names already.
func why(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

func asError(err error, e **idbridge.Error) bool { return errors.As(err, e) }
