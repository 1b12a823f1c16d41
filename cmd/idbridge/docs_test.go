package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/idbridge/idbridge/internal/testserver"
)

// TestDocs gives every idbridge command that README and docs show, in the order they show it, and refuses one that the
// program does not know. Words that a reader replaces are replaced.
func TestDocs(t *testing.T) {
	slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(12, "p000")})
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	files = append([]string{"../../README.md"}, files...)
	command := regexp.MustCompile("(?m)(?:go run ./cmd/idbridge|`bin/idbridge|`idbridge|^\\$ idbridge) ([a-z][^`\n>|]*)")
	seen := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text := read(t, file)
			b := newBridge(t, slapd, "", settings{})
			b.sync(0)
			for _, m := range command.FindAllStringSubmatch(text, -1) {
				seen++
				b.documented(strings.TrimSpace(m[1]))
			}
		})
	}
	b := newBridge(t, slapd, "", settings{})
	for _, m := range regexp.MustCompile("(?m)^\\| (`[^|]*`)[^|`]* \\|").FindAllStringSubmatch(read(t, "../../docs/commands.md"), -1) {
		seen += b.listed(m[1])
	}
	if seen < 30 {
		t.Errorf("only %d commands found in the docs", seen)
	}
}

// documented gives one command as the docs write it.
func (b *bridge) documented(line string) {
	b.t.Helper()
	words := strings.Fields(line)
	switch words[0] {
	case "serve": // TestServe runs it to its end
		words = append(words, "--help")
	case "demo": // TestDemo
		words = append(words, "--help")
	case "approve", "discard":
		if len(words) == 1 { // the docs speak of the command
			words = append(words, "--help")
		}
	}
	for i, w := range words {
		switch w {
		case "jdoe":
			words[i] = "p003"
		case "COMMAND":
			words[i] = "plan"
		case "HASH", "ID":
			words = append(words, "--help") // a plan or conflict of that name does not exist here
		}
	}
	if code, out, errs := b.do(words...); code == int(exitUsage) {
		b.t.Errorf("the docs say `idbridge %s`: exit %d\n%s%s", line, code, out, errs)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// listed asks for the help of each command in a cell of the table: `conflicts`, `conflicts show ID`; a cell of words that
// belong to one command (`user add`, `list`) carries its first word on.
func (b *bridge) listed(cell string) int {
	b.t.Helper()
	parent, n := "", 0
	for _, m := range regexp.MustCompile("`([a-z]+)((?: [a-z]+)?)[^`]*`").FindAllStringSubmatch(cell, -1) {
		words := append(strings.Fields(m[1]+m[2]), "--help")
		code, _, errs := b.do(words...)
		if code != 0 && parent != "" {
			code, _, errs = b.do(parent, m[1], "--help")
		}
		if code != 0 {
			b.t.Errorf("docs/commands.md lists %q: exit %d\n%s", m[0], code, errs)
		}
		if m[2] != "" {
			parent = m[1]
		}
		n++
	}
	return n
}
