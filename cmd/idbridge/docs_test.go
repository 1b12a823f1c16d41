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
	command := regexp.MustCompile("(?:go run ./cmd/idbridge|bin/idbridge|`idbridge|^idbridge|^\\$ idbridge) ([^`\n>|]+)")
	seen := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b := newBridge(t, slapd, "", settings{})
			b.sync(0)
			for _, m := range command.FindAllStringSubmatch(string(text), -1) {
				seen++
				b.documented(strings.TrimSpace(m[1]))
			}
		})
	}
	if seen < 10 {
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
	}
	for i, w := range words {
		switch w {
		case "jdoe":
			words[i] = "p003"
		case "COMMAND":
			words[i] = "plan"
		case "HASH", "ID":
			words = append(words, "--help") //nolint:makezero // a plan or conflict of that name does not exist here
		}
	}
	if code, out, errs := b.do(words...); code == int(exitUsage) {
		b.t.Errorf("the docs say `idbridge %s`: exit %d\n%s%s", line, code, out, errs)
	}
}
