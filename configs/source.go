package configs

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Bounds of the file. The parser needs time and memory by the square of nesting, of keys in one mapping (20,000: 1.2 s,
// 1.6 GB allocated) and of lines in one list (175,000: 13 s), so they are counted before it sees the file, roughly and
// from above.
const (
	maxBytes  = 1 << 20
	maxDepth  = 64
	maxDashes = 16
	maxPairs  = 12_000
	maxLines  = 20_000 // without blank ones and comments
)

// parse returns the body of the one document, nil after a fault.
func (f *faults) parse(source string) ast.Node {
	if !f.precheck(source) {
		return nil
	}
	file, err := parser.ParseBytes([]byte(source), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		f.syntax(err)
		return nil
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if d, ok := doc.Body.(*ast.DirectiveNode); ok {
			f.add(placeOf(d), "", "remove the line", "directives are not used here")
			return nil
		}
		if body != nil {
			f.add(start(doc.Body), "", "one file has one document: remove the line --- and join them", "a second document")
			return nil
		}
		body = doc.Body
	}
	if body == nil {
		f.add(place{}, "", "begin with: idbridge config example", "the file says nothing")
	}
	return body
}

// syntax notes a fault of the YAML itself. The parser's message is cut at the first quote: what follows quotes the file.
func (f *faults) syntax(err error) {
	var e yaml.Error
	if !errors.As(err, &e) {
		f.add(place{}, "", "", "not YAML")
		return
	}
	msg, _, _ := strings.Cut(e.GetMessage(), `"`)
	at := place{}
	if tk := e.GetToken(); tk != nil && tk.Position != nil {
		at = place{tk.Position.Line, max(tk.Position.Column, 1)}
	}
	hint := ""
	switch {
	case strings.Contains(msg, "mapping value is not allowed"):
		hint = "a value that contains a colon and a blank needs quotes"
	case strings.Contains(msg, "reserved character"), strings.Contains(msg, "alias"), strings.Contains(msg, "value is not allowed"):
		hint = `a value that begins with a sign needs quotes: "*/2 * * * *"; else check the indentation`
	case strings.Contains(msg, "tab character"):
		hint = "use blanks"
	case strings.Contains(msg, "unexpected key name"):
		hint = "write key, colon, blank, value; and check the indentation"
	case strings.Contains(msg, "end character"):
		hint = "close the quote"
	case strings.Contains(msg, "must be specified"), strings.Contains(msg, "not found"):
		hint = "close the bracket"
	}
	f.add(at, "", hint, "not YAML: %s", strings.TrimSpace(msg))
}

// precheck refuses what the parser must not see.
func (f *faults) precheck(source string) bool {
	if len(source) > maxBytes {
		f.add(place{}, "", "is this the right file?", "the file has %d bytes, %d are allowed", len(source), maxBytes)
		return false
	}
	lines := strings.Split(source, "\n")
	for i, line := range lines {
		if !utf8.ValidString(line) {
			f.lines = nil // nothing of it is shown
			f.add(place{i + 1, 1}, "", "save the file as UTF-8", "not UTF-8")
			return false
		}
	}
	var c counts
	for i, line := range lines {
		content := strings.TrimLeft(line, " ")
		if content == "" || content[0] == '#' {
			continue
		}
		at := place{i + 1, len(line) - len(content) + 1}
		if n := strings.IndexFunc(line, control); n >= 0 {
			f.add(place{i + 1, utf8.RuneCountInString(line[:n]) + 1}, "", "remove it", "a control character")
			return false
		}
		if content[0] == '\t' && strings.TrimSpace(content) != "" {
			f.add(at, "", "indent with blanks", "a tab in the indentation")
			return false
		}
		if hint, msg := c.line(content); msg != "" {
			f.add(at, "", hint, "%s", msg)
			return false
		}
	}
	return true
}

// counts is what the parser's cost depends upon, from above: it does not know quotes.
type counts struct{ lines, pairs, brackets, braces int }

// line adds a line, and says when a bound is passed.
func (c *counts) line(content string) (hint, msg string) {
	if n := dashes(content); n > maxDashes {
		return "", fmt.Sprintf("%d lists in each other", n)
	}
	c.lines++
	for _, b := range []byte(content) {
		switch b {
		case '[':
			c.brackets++
		case '{':
			c.braces++
		case ']':
			c.brackets = max(c.brackets-1, 0)
		case '}':
			c.braces = max(c.braces-1, 0)
		case ':':
			c.pairs++
		case ',':
			if c.braces > 0 {
				c.pairs++
			}
		}
		if c.brackets+c.braces > maxDepth {
			return "close what was opened", fmt.Sprintf("more than %d brackets in each other", maxDepth)
		}
	}
	if c.pairs > maxPairs || c.lines > maxLines {
		return "is this the right file?", fmt.Sprintf("more than %d keys or %d lines", maxPairs, maxLines)
	}
	return "", ""
}

func control(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// dashes counts the list marks, key marks and properties at the beginning of a line.
func dashes(content string) int {
	n := 0
	for len(content) > 0 && strings.IndexByte("-?!&", content[0]) >= 0 {
		_, rest, ok := strings.Cut(content, " ")
		if !ok {
			break
		}
		n++
		content = strings.TrimLeft(rest, " ")
	}
	return n
}

// start returns where a node begins: for a block of keys, its first key.
func start(n ast.Node) place {
	switch m := n.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			return placeOf(m.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return placeOf(m.Key)
	}
	return placeOf(n)
}

func placeOf(n ast.Node) place {
	if n == nil {
		return place{}
	}
	tk := n.GetToken()
	if tk == nil || tk.Position == nil {
		return place{}
	}
	return place{tk.Position.Line, max(tk.Position.Column, 1)}
}
